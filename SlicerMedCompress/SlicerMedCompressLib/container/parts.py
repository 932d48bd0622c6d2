"""An archive of archives: a sequence whose frames differ, a complete `.mcz` for each part. FORMAT.md specifies it.

    parts/000000.mcz ... stored, one after another | header.json | padding

A reader reads a part where it lies in the whole file.
"""

from __future__ import annotations

import io
import json
import os
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from .. import __version__
from ..errors import MedCompressError, UnsupportedImageError
from ..image import FrameAxis
from ..mixed_sequence import MixedSequence
from ..playback import Browser
from ..progress import Progress
from .archive import ArchiveReader, ArchiveWriter, opened
from .description import browser_from_json, browser_to_json, frame_axis_from_json, frame_axis_to_json, text_from_json
from .header import (
    DEFLATED_SINCE,
    EXPANSION,
    FORMAT,
    FREE_BYTES,
    HEADER_NAME,
    MAXIMUM_HEADER_BYTES,
    PADDING_NAME,
    SEQUENCE_KEY,
    parse_content,
)
from .reader import Reader
from .window import Window

VERSION = 4
"""Of the format; the parts may be of any version."""
KEYS = {"name", "frames", "browser", "parts"}
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Part:
    """A part as the header tells of it: the numbers of its frames, and length and CRC-32 of its file."""

    numbers: tuple[int, ...]
    length: int
    crc: int


@dataclass(frozen=True)
class Contents:
    """What the header of an archive of parts tells."""

    name: str
    frame_axis: FrameAxis
    parts: tuple[Part, ...]
    browser: Browser | None = None
    writer: str = f"MedCompress {__version__}"

    def to_bytes(self) -> bytes:
        """The JSON text of header.json."""
        described: dict[str, Any] = {"name": self.name, "frames": frame_axis_to_json(self.frame_axis)}
        if self.browser is not None:
            described["browser"] = browser_to_json(self.browser)
        described["parts"] = [{"frames": part.numbers, "length": part.length, "crc": part.crc} for part in self.parts]
        content = {"format": FORMAT, "version": VERSION, "writer": self.writer, SEQUENCE_KEY: described}
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")

    @classmethod
    def from_bytes(cls, text: bytes) -> Contents:
        """The opposite; ValueError with the problem in a few words for anything wrong."""
        content = parse_content(text)
        try:
            described = content[SEQUENCE_KEY]
            if content["version"] != VERSION:
                raise ValueError("only version 4 has parts")
            unknown = set(described) - KEYS
            if unknown:
                raise ValueError(f"the sequence is described by an unknown {sorted(unknown)[0][:40]!r}")
            return cls(
                text_from_json(described["name"]),
                frame_axis_from_json(described["frames"]),
                tuple(_part(part) for part in described["parts"]),
                browser_from_json(described["browser"]) if "browser" in described else None,
                str(content["writer"])[:200],
            )
        except (KeyError, TypeError, ValueError, AttributeError, MedCompressError) as error:
            raise ValueError(f"header.json is malformed ({str(error)[:120] or type(error).__name__})") from error


def _part(described: Mapping[str, Any]) -> Part:
    numbers, length, crc = described["frames"], described["length"], described["crc"]
    if not isinstance(numbers, list) or not all(type(value) is int for value in (*numbers, length, crc)):
        raise TypeError("a part needs whole numbers")
    if not numbers or length < 0:
        raise ValueError("a part has no frames or no length")
    return Part(tuple(numbers), length, crc)


def part_name(number: int) -> str:
    """Member that holds a part."""
    return f"parts/{number:06d}.mcz"


class PartsWriter:
    """Appends parts to a stream; ``finish`` writes the header."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._archive = stream, ArchiveWriter(stream)
        self._parts: list[Part] = []

    def add(self, numbers: tuple[int, ...], data: bytes) -> None:
        """One part: the numbers of its frames and its whole `.mcz`."""
        self._archive.add(part_name(len(self._parts)), [data])
        self._parts.append(Part(numbers, len(data), zlib.crc32(data)))

    def finish(self, sequence: MixedSequence) -> None:
        """Write what the file holds; UnsupportedImageError where a reader would not take that."""
        contents = Contents(sequence.name, sequence.frame_axis, tuple(self._parts), sequence.browser)
        try:
            text = contents.to_bytes()
            Contents.from_bytes(text)
        except (TypeError, ValueError) as error:
            raise UnsupportedImageError(f"The description of the sequence cannot be kept: {error}.") from error
        if len(text) > MAXIMUM_HEADER_BYTES:
            raise UnsupportedImageError(
                f"The names and index values of the frames take {len(text):,} bytes, more than a .mcz keeps."
            )
        self._archive.add(HEADER_NAME, [text], deflated=VERSION >= DEFLATED_SINCE)
        # As of a single image: keeps honest frames of a single value apart from bombs.
        missing = sequence.voxel_bytes // EXPANSION + 1 - self._stream.tell()
        if sequence.voxel_bytes > FREE_BYTES and missing > 0:
            self._archive.add(PADDING_NAME, [bytes(missing)])

    def __enter__(self) -> PartsWriter:
        self._archive.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.__exit__(kind, error, trace)


class PartsReader:
    """An open archive of parts. Use as a context manager.

    Opening reads the headers of the whole and of every part, and checks that they belong together and that
    together they announce no more voxels than the file can hold. Errors are CorruptFileError, naming file,
    part and problem. Arguments are those of ``Reader``.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        threads: int | None = None,
        accept_rounding: bool = False,
        device: str = "auto",
    ) -> None:
        self._options = (threads, accept_rounding, device)
        self._owned, self._lock = isinstance(source, (str, os.PathLike)), threading.Lock()
        self.name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the compressed sequence in memory"
        self._stream = opened(source) if isinstance(source, (str, os.PathLike)) else source
        try:
            self._archive = ArchiveReader(self._stream, self.name, HEADER_NAME)
            self.contents = self._read_contents()
            self.voxel_bytes = self._check_parts()
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._archive.size

    def close(self) -> None:
        """Close the file, if this reader opened it."""
        if self._owned:
            self._stream.close()

    def __enter__(self) -> PartsReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def part(self, number: int) -> Iterator[Reader]:
        """A part, open; its voxels are read where they lie in the whole file."""
        with Reader(self._window(number), *self._options, name=f"{self.name}/{part_name(number)}") as reader:
            yield reader

    def read(self, progress: Progress | None = None) -> MixedSequence:
        """The whole sequence; every checksum is looked at."""
        parts = []
        for number, share in enumerate(self._shares(progress or Progress())):
            self._check_crc(number)
            with self.part(number) as reader:
                parts.append(reader.read(share))
        contents = self.contents
        numbers = tuple(part.numbers for part in contents.parts)
        return MixedSequence(tuple(parts), numbers, contents.frame_axis, contents.name, contents.browser)

    def verify(self, progress: Progress | None = None) -> None:
        """Decode every part and look at every checksum, without holding more than a part's slab."""
        for number, share in enumerate(self._shares(progress or Progress())):
            self._check_crc(number)
            with self.part(number) as reader:
                reader.verify(progress=share)

    def check_checksums(self) -> None:
        """Compare the checksum of each part's file, without decoding."""
        for number in range(len(self.contents.parts)):
            self._check_crc(number)

    def _read_contents(self) -> Contents:
        if HEADER_NAME not in self._archive:
            raise self._archive.corrupt("it is not a MedCompress file (no header.json)")
        if self._archive.member_size(HEADER_NAME) > MAXIMUM_HEADER_BYTES:
            raise self._archive.corrupt("its header is unreasonably large")
        try:
            contents = Contents.from_bytes(self._archive.read_checked(HEADER_NAME))
        except ValueError as error:
            raise self._archive.corrupt(str(error)) from error
        known = {HEADER_NAME, PADDING_NAME, *(part_name(number) for number in range(len(contents.parts)))}
        for name in self._archive.names():
            if name not in known:
                raise self._archive.corrupt(f'it has a member "{name[:60]}" that does not belong there')
        for number, part in enumerate(contents.parts):
            if self._archive.member_size(part_name(number)) != part.length:
                raise self._archive.corrupt(f'"{part_name(number)}" does not have the size that the header tells')
        return contents

    def _check_parts(self) -> int:
        """Bytes of the voxels of all parts, once their headers are found to belong to the whole."""
        images, announced, contents = [], 0, self.contents
        for number in range(len(contents.parts)):
            with self.part(number) as reader:
                header = reader.header
            announced += header.voxel_bytes
            # A stand-in of no memory.
            images.append(header.image(np.broadcast_to(np.zeros((), header.dtype), header.shape)))
        if announced > max(FREE_BYTES, self.size * EXPANSION):
            raise self._archive.corrupt(
                f"its parts announce {announced:,} bytes of voxels, far more than its {self.size:,} bytes can hold"
            )
        numbers = tuple(part.numbers for part in contents.parts)
        try:
            MixedSequence(tuple(images), numbers, contents.frame_axis, contents.name, contents.browser)
        except UnsupportedImageError as error:
            raise self._archive.corrupt(str(error).rstrip(".")) from error
        return announced

    def _shares(self, progress: Progress) -> Iterator[Progress]:
        """The span of the whole work that each part is, by its bytes."""
        lengths = [max(1, part.length) for part in self.contents.parts]
        done, total = 0, sum(lengths)
        for length in lengths:
            yield progress.part(done / total, (done + length) / total)
            done += length

    def _window(self, number: int) -> BinaryIO:
        start, length = self._archive.span(part_name(number))
        return io.BufferedReader(Window(self._stream, self._lock, start, length))  # type: ignore[return-value]

    def _check_crc(self, number: int) -> None:
        crc, window = 0, self._window(number)
        while block := window.read(_BLOCK):
            crc = zlib.crc32(block, crc)
        if crc != self.contents.parts[number].crc:
            raise self._archive.corrupt(f'the checksum of "{part_name(number)}" is wrong: the file was damaged')


def holds_parts(source: str | os.PathLike[str] | BinaryIO) -> bool:
    """Whether a file says that it is an archive of parts; CorruptFileError or InputError if it cannot be read.

    A file that is wrong in another way gives False: ``Reader`` tells what is wrong with it.
    """
    is_path = isinstance(source, (str, os.PathLike))
    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the compressed image in memory"
    stream = opened(source) if isinstance(source, (str, os.PathLike)) else source
    try:
        archive = ArchiveReader(stream, name, HEADER_NAME)
        if HEADER_NAME not in archive or archive.member_size(HEADER_NAME) > MAXIMUM_HEADER_BYTES:
            return False
        return SEQUENCE_KEY in parse_content(archive.read_checked(HEADER_NAME))
    except ValueError:
        return False
    finally:
        if is_path:
            stream.close()
