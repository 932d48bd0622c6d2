"""A file whose end is lost: the members that are whole, found by their local headers from the start of the file.

The layout is that of ZIP (PKWARE APPNOTE 6.3.10, sections 4.3.7 and 4.5.3).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from .archive import MAXIMUM_MEMBERS, ArchiveWriter
from .header import HEADER_NAME, MAXIMUM_HEADER_BYTES

_LOCAL = struct.Struct("<4s2x2H4x3I2H")
_SIGNATURE = b"PK\x03\x04"
_STORED, _DEFLATED = 0, 8
_IN_EXTRA_FIELD = 0xFFFFFFFF
"""A size that stands in the ZIP64 extra field instead."""


@dataclass(frozen=True)
class _Member:
    """A member that is whole: its bytes as they are in the file, and the CRC-32 of its content."""

    name: str
    is_deflated: bool
    crc: int
    data: bytes

    @property
    def header(self) -> bytes | None:
        """The text of header.json; None where it does not have its checksum."""
        text = self.data
        if self.is_deflated:
            try:
                text = zlib.decompressobj(-zlib.MAX_WBITS).decompress(self.data, MAXIMUM_HEADER_BYTES + 1)
            except zlib.error:
                return None
        return text if zlib.crc32(text) == self.crc else None


def copy_with_directory(stream: BinaryIO, copy: BinaryIO) -> bool:
    """Copy the members of an archive that are whole, with a directory of them, a member at a time in memory.

    Damage to tiles is copied with them: their checksums in the header tell it. False where no whole header is found,
    without which nothing can be decoded.
    """
    found = False
    with ArchiveWriter(copy) as archive:
        for member in _whole_members(stream):
            if member.name != HEADER_NAME:
                archive.add(member.name, [member.data])
                continue
            text = member.header
            if text is None:
                break
            found = True
            archive.add(member.name, [text], deflated=member.is_deflated)
    return found


def _whole_members(stream: BinaryIO) -> Iterator[_Member]:
    """The members from the start of the file up to the first that is cut off or of which there is no local header."""
    size_of_file = stream.seek(0, 2)
    stream.seek(0)
    names: set[str] = set()
    while len(names) < MAXIMUM_MEMBERS:
        fixed = stream.read(_LOCAL.size)
        if len(fixed) < _LOCAL.size:
            return
        signature, flags, method, crc, stored, size, name_length, extra_length = _LOCAL.unpack(fixed)
        variable = stream.read(name_length + extra_length)
        # No file has a member twice, encrypted, or of a size that only follows it.
        if signature != _SIGNATURE or flags & 0x9 or len(variable) < name_length + extra_length:
            return
        name = variable[:name_length].decode("ascii", "replace")
        if _IN_EXTRA_FIELD in (stored, size):
            stored = _size_in_extra(variable[name_length:])
        is_deflated = method == _DEFLATED
        if name in names or method not in (_STORED, _DEFLATED) or (is_deflated and name != HEADER_NAME):
            return
        if stored > size_of_file - stream.tell():
            # Not asked for: memory would be taken for all of it first.
            return
        data = stream.read(stored)
        names.add(name)
        yield _Member(name, is_deflated, crc, data)


def _size_in_extra(extra: bytes) -> int:
    """Stored bytes of a member as its ZIP64 extra field tells; 0 where there is none."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1 and length >= 16 and len(extra) >= 20:
            return int(struct.unpack_from("<Q", extra, 12)[0])
        extra = extra[4 + length :]
    return 0
