"""Decodes streams in a process of its own; started by decoder_process.py, never imported.

First an "R" on standard output: it runs, requests may come.
Requests on standard input: the lengths of the arguments (4 bytes, little endian) and of the
stream (8 bytes), the arguments as JSON (``decoder``, ``shape``, ``dtype``) and the stream.
Answers on standard output: 0 for done, 1 for failed or 2 for a missing library (one byte), the
length of what follows (8 bytes), then the samples, columns fastest, or the text of the error.
"""

from __future__ import annotations

import math
import os
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import numpy as np

    Shape = tuple[int, ...]
    Decode = Callable[[bytes, Shape, np.dtype], np.ndarray]

DONE, FAILED, MISSING = range(3)
SPARE_BYTES = 512 << 20
"""What a decoder may take whatever the size of its block."""


def main() -> None:
    """Answer requests until standard input closes."""
    # This file's folder may be on the path and holds a crackle.py of another meaning.
    here = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != here]
    import json

    requests, answers = sys.stdin.buffer, _answers()
    answers.write(b"R")
    answers.flush()
    while len(head := requests.read(12)) == 12:
        length, size = struct.unpack("<IQ", head)
        arguments = json.loads(requests.read(length))
        stream = requests.read(size)
        try:
            status, answer = DONE, _decode(stream, **arguments)
        except ImportError as error:
            status, answer = MISSING, _text(error)
        except Exception as error:
            status, answer = FAILED, _text(error)
        answers.write(struct.pack("<BQ", status, len(answer)))
        answers.write(answer)
        answers.flush()


def _answers() -> BinaryIO:
    """Standard output, for answers only: what libraries print there goes nowhere."""
    own = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return own


def _text(error: Exception) -> bytes:
    return (str(error) or type(error).__name__).encode(errors="replace")[:1000]


def _decode(stream: bytes, decoder: str, shape: list[int], dtype: str) -> bytes:
    import numpy as np

    wanted, kind = tuple(shape), np.dtype(dtype)
    decode = DECODERS[decoder]()
    _limit_memory(math.prod(wanted) * kind.itemsize)
    decoded = decode(stream, wanted, kind)
    if decoded.dtype != kind or _squeezed(decoded.shape) != _squeezed(wanted):
        raise ValueError(f"it gave {decoded.dtype} {decoded.shape} instead of {kind} {wanted}")
    return decoded.tobytes()


def _squeezed(shape: Shape) -> Shape:
    """As in float_codec.py, which cannot be imported here."""
    return tuple(length for length in shape if length > 1) or (1,)


def _limit_memory(size: int) -> None:
    """Let the process grow by some times the size of the block: a damaged stream may ask for anything."""
    try:
        import resource

        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = used + 16 * size + SPARE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))
    except (ImportError, OSError, ValueError):
        # Not Linux: the time limit and the process boundary remain.
        return


def _crackle() -> Decode:
    import crackle

    return lambda stream, shape, dtype: crackle.decompress(stream).transpose(2, 1, 0)


def _sperr() -> Decode:
    import imagecodecs

    def decode(stream: bytes, shape: Shape, dtype: np.dtype) -> np.ndarray:
        # libSPERR reads beyond the end of 2D streams.
        buffer = bytearray(stream) + bytes(4096)
        view = memoryview(buffer)[: len(stream)]
        return imagecodecs.sperr_decode(view, numthreads=1)  # type: ignore[arg-type]

    return decode


def _sz3() -> Decode:
    import imagecodecs

    return lambda stream, shape, dtype: imagecodecs.sz3_decode(stream, _squeezed(shape), dtype)


def _zfp() -> Decode:
    import imagecodecs

    return lambda stream, shape, dtype: imagecodecs.zfp_decode(stream)


DECODERS: dict[str, Callable[[], Decode]] = {"crackle": _crackle, "sperr": _sperr, "sz3": _sz3, "zfp": _zfp}
"""By name, a function that imports the library and returns its decoder."""


if __name__ == "__main__":
    main()
