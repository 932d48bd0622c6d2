"""A ZIP64 file whose members are stored, one of them perhaps deflated, written in one pass and read by position.

Python's zipfile does the format; this adds what a reader of hostile files must check.
"""

from __future__ import annotations

import os
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from ..errors import CorruptFileError, InputError

_EPOCH = (1980, 1, 1, 0, 0, 0)
_LOCAL_HEADER = struct.Struct("<4s22xHH")
MAXIMUM_MEMBERS = 1 << 20


class ArchiveWriter:
    """Appends stored members to a stream; the same members give the same bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True)

    def add(self, name: str, chunks: Iterable[bytes], deflated: bool = False) -> None:
        """One member from its parts, in order."""
        member = zipfile.ZipInfo(name, _EPOCH)
        member.external_attr = 0o644 << 16
        member.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
        parts = list(chunks)
        member.file_size = sum(map(len, parts))
        with self._zip.open(member, "w") as target:
            for part in parts:
                target.write(part)

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the central directory, without which the file is not an archive; not after a failure."""
        if kind is None:
            self._zip.close()
        else:
            # What zipfile would write when it is collected goes nowhere.
            self._zip.fp = None


class ArchiveReader:
    """Positions of the members of an archive; every claim is checked against the file's size.

    ``name`` is what errors call the file, ``deflatable`` the one member that need not be stored. Reading is safe
    from several threads.
    """

    def __init__(self, stream: BinaryIO, name: str, deflatable: str) -> None:
        self._stream, self._name, self._deflatable = stream, name, deflatable
        self._lock = threading.Lock()
        self.size = stream.seek(0, 2)
        self._members: dict[str, zipfile.ZipInfo] = {}
        try:
            with zipfile.ZipFile(stream) as archive:
                listed = archive.infolist()
        except Exception as error:
            # zipfile raises BadZipFile, but on hostile directories also struct.error, ValueError,
            # OverflowError, NotImplementedError, RuntimeError and others.
            raise self.corrupt(f"it is not a complete ZIP archive ({error or type(error).__name__})") from error
        if len(listed) > MAXIMUM_MEMBERS:
            raise self.corrupt("it has more than a million members")
        for member in listed:
            self._check(member)
            self._members[member.filename] = member
        if listed and min(member.header_offset for member in listed) != 0:
            # zipfile looks past bytes in front: of an archive of archives that was cut off it would find the last part.
            raise self.corrupt("it was cut off, or does not begin with its archive")
        end = 0
        for member in sorted(listed, key=lambda listed: listed.header_offset):
            if member.header_offset < end:
                raise self.corrupt("members overlap")
            end = _end(member)

    def _check(self, member: zipfile.ZipInfo) -> None:
        if member.filename in self._members:
            raise self.corrupt(f'the member "{member.filename[:60]}" is there twice')
        deflated = member.compress_type == zipfile.ZIP_DEFLATED and member.filename == self._deflatable
        if (member.compress_type != zipfile.ZIP_STORED and not deflated) or member.flag_bits & 0x1:
            raise self.corrupt(f'the member "{member.filename[:60]}" is compressed or encrypted, which .mcz never is')
        if (member.file_size != member.compress_size and not deflated) or min(
            member.file_size, member.compress_size
        ) < 0:
            raise self.corrupt(f'the sizes of the member "{member.filename[:60]}" contradict each other')
        if min(member.header_offset, member.compress_size) < 0 or _end(member) > self.size:
            raise self.corrupt(f'the member "{member.filename[:60]}" reaches beyond the end of the file')

    def corrupt(self, problem: str) -> CorruptFileError:
        """The error that names this file and the problem."""
        shown = "".join(letter if letter.isprintable() else "?" for letter in problem)
        return CorruptFileError(f'Cannot read "{self._name}": {shown}.')

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self) -> list[str]:
        """Names of all members, in the order of the directory."""
        return list(self._members)

    def member_size(self, name: str) -> int:
        """Bytes of a member, once it is read; CorruptFileError if it is missing."""
        if name not in self._members:
            raise self.corrupt(f'"{name}" is missing')
        return self._members[name].file_size

    def is_deflated(self, name: str) -> bool:
        """Whether a member is not stored as it is."""
        return self._members[name].compress_type == zipfile.ZIP_DEFLATED

    def read_checked(self, name: str) -> bytes:
        """A whole member, deflated or not; CorruptFileError unless it fits the archive's checksum of it."""
        size, member = self.member_size(name), self._members[name]
        data = self._bytes_at(member, 0, member.compress_size)
        if self.is_deflated(name):
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                data = inflater.decompress(data, size + 1)
            except zlib.error as error:
                raise self.corrupt(f'"{name}" is damaged') from error
        if len(data) != size or zlib.crc32(data) != member.CRC:
            raise self.corrupt(f'"{name}" is damaged')
        return data

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of a stored member, by default all; checked to lie inside it."""
        size = self.member_size(name)
        length = size - start if length is None else length
        if start < 0 or length < 0 or start + length > size:
            raise self.corrupt(f'"{name}" is shorter than the tiles it should hold')
        return self._bytes_at(self._members[name], start, length)

    def span(self, name: str) -> tuple[int, int]:
        """Where the bytes of a stored member are in the file: the first one's place and their number."""
        size = self.member_size(name)
        with self._lock:
            return self._data_start(self._members[name]), size

    def _bytes_at(self, member: zipfile.ZipInfo, start: int, length: int) -> bytes:
        with self._lock:
            self._stream.seek(self._data_start(member) + start)
            data = self._stream.read(length)
        if len(data) != length:
            raise self.corrupt(f'"{member.filename}" ends early')
        return data

    def _data_start(self, member: zipfile.ZipInfo) -> int:
        self._stream.seek(member.header_offset)
        header = self._stream.read(30)
        if len(header) != 30 or header[:4] != b"PK\x03\x04":
            raise self.corrupt(f'the local header of "{member.filename}" is damaged')
        _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        return member.header_offset + 30 + int(name_length) + int(extra_length)


def _end(member: zipfile.ZipInfo) -> int:
    """The byte after a member, at the least."""
    return member.header_offset + 30 + member.compress_size


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """A file to read from; InputError if that cannot be."""
    try:
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise InputError(f'There is no file "{path}".') from error
    except IsADirectoryError as error:
        raise InputError(f'"{path}" is a folder, not a .mcz file.') from error
    except OSError as error:
        raise InputError(f'Cannot read "{path}": {error.strerror or error}.') from error
