"""The voxels of an NRRD file, in and out, with no more memory than they take."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from .errors import InputError
from .nrrd_header import Header

GZIP_LEVEL = 2
"""What Slicer compresses NRRD files with."""

_MOST_DEFLATE_GAINS = 1032
"""No deflate stream holds more than so many times its own bytes (RFC 1951)."""
_CHUNK = 1 << 24
_GZIP_WINDOW = 31
"""zlib's largest window, and a gzip header before it."""


def read_voxels(path: Path, header: Header) -> np.ndarray:
    """The stored array in native byte order; its axes are those of the header, slowest first.

    Raises InputError, naming the file and the problem, for an encoding that is not raw or gzip, and
    data that are cut off or damaged.
    """
    encoding = header.fields.get("encoding", "").lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise InputError(f'Cannot read "{path}": its encoding is "{encoding[:40]}"; save it with raw or gzip encoding.')
    source, start = _data_file(path, header)
    try:
        with source.open("rb") as stream:
            left = os.fstat(stream.fileno()).st_size - start
            # A header may claim any size: nothing is allocated that the file cannot hold.
            if header.data_bytes > left * (1 if encoding == "raw" else _MOST_DEFLATE_GAINS):
                raise EOFError
            stream.seek(start)
            stored = np.empty(header.data_bytes, np.uint8)
            if encoding == "raw":
                _fill(stream, stored)
            else:
                with gzip.GzipFile(fileobj=stream) as inflated:
                    _fill(inflated, stored)
                    # The checksum is compared at the end of the stream only.
                    inflated.read(1)
    except EOFError as error:
        raise InputError(f'"{source}" ends before its last voxel; get it again.') from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f'The compressed voxels of "{source}" are damaged; get it again. ({error})') from error
    except OSError as error:
        raise InputError(f'Cannot read "{source}": {error.strerror or error}.') from error
    except ValueError as error:
        # A name with a null byte.
        raise InputError(f'Cannot read "{path}": the name of its data file is none.') from error
    voxels = stored.view(header.voxel_type)
    if not voxels.dtype.isnative:
        voxels = voxels.byteswap(inplace=True).view(voxels.dtype.newbyteorder())
    return voxels.reshape([axis.size for axis in reversed(header.axes)])


def _data_file(path: Path, header: Header) -> tuple[Path, int]:
    """The file that holds the data, and how many bytes come before them."""
    skip = header.fields.get("byte skip", "0")
    if header.fields.get("line skip", "0") != "0" or not (skip.isascii() and skip.isdigit() and len(skip) < 16):
        raise InputError(f'Cannot read "{path}": its data begin at an unusual place; save it again in one file.')
    name = header.fields.get("data file")
    if name is None:
        return path, header.data_start + int(skip)
    relative = PurePosixPath(name.replace("\\", "/"))
    if relative.is_absolute() or ".." in relative.parts or ":" in name or "%" in name or name.startswith("LIST"):
        raise InputError(f'Cannot read "{path}": its data are not in one file beside it; save it as one file.')
    return path.parent / relative, int(skip)


def _fill(stream: io.BufferedIOBase, stored: np.ndarray) -> None:
    """Fill an array of bytes; EOFError if the stream has fewer."""
    memory, filled = stored.data, 0
    while filled < len(memory):
        count = stream.readinto(memory[filled : filled + _CHUNK])
        if not count:
            raise EOFError
        filled += count


def write_voxels(stream: BinaryIO, frames: Iterable[np.ndarray], compress: bool) -> None:
    """Append the bytes of frames, given in C order and little endian, raw or as gzip."""
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW) if compress else None
    for chunk in _chunks(frames):
        stream.write(compressor.compress(chunk) if compressor else chunk)
    if compressor:
        stream.write(compressor.flush())


def holds_voxels(stream: BinaryIO, frames: Iterable[np.ndarray], compress: bool) -> bool:
    """Whether what a stream holds from here on are these frames as ``write_voxels`` writes them."""
    try:
        source = gzip.GzipFile(fileobj=stream) if compress else stream
        same = all(source.read(len(chunk)) == chunk.tobytes() for chunk in _chunks(frames))
        return same and not source.read(1)
    except (zlib.error, EOFError, gzip.BadGzipFile):
        return False


def _chunks(frames: Iterable[np.ndarray]) -> Iterator[memoryview]:
    for frame in frames:
        memory = np.ascontiguousarray(frame).reshape(-1).view(np.uint8).data
        for start in range(0, len(memory), _CHUNK):
            yield memory[start : start + _CHUNK]
