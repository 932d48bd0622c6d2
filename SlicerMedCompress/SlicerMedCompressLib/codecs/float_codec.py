"""What codecs of floats with bounded errors share: a header, and blocks that their libraries cannot do.

A payload is the shape of the block and the length of the rest (numbers of 4 bytes, little endian), the
bytes of a sample, and 1 if the library coded the rest, 0 if it is the samples (little endian) deflated.
"""

from __future__ import annotations

import struct
import zlib
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from ..errors import CorruptStreamError
from .base import LossyCodec
from .decoder_process import PROCESSES
from .native import decoding_errors, encoding_errors

_HEADER = struct.Struct("<4I2B")
_FINEST = {"float32": 2.0**-22, "float64": 2.0**-40}
"""Smallest tolerance as a share of the largest magnitude: below, ZFP breaks its promise and SPERR the program."""
_SMALLEST = {"float32": 2.0**-86, "float64": 2.0**-950}
"""Smallest tolerance: below, the scale factors of ZFP and SPERR leave the range of their arithmetic."""
_LARGEST = 2.0**-10
"""Largest magnitude as a share of that of the type: above, sums in a transform may be infinite."""


class FloatCodec(LossyCodec):
    """A codec of float blocks whose library bounds errors and must not be trusted with damaged streams."""

    guarantee: ClassVar[str] = "bounded"
    sample_types: ClassVar[frozenset[str]] = frozenset({"float32", "float64"})

    @property
    @abstractmethod
    def bound(self) -> float:
        """Largest error of any sample."""

    @property
    def _coded_bound(self) -> float:
        """What is asked of the library: at most ``bound``."""
        return self.bound

    @abstractmethod
    def _encode(self, block: np.ndarray) -> bytes:
        """The library's stream of a block without axes of length 1, but with one axis at least."""

    def encode(self, block: np.ndarray) -> bytes:
        with encoding_errors(self.title):
            return encode_floats(block, self._coded_bound, self._encode)

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        self._library()
        with decoding_errors(self.title):
            return decode_floats(self.id, payload, shape, dtype)


def encode_floats(block: np.ndarray, tolerance: float, encode: Callable[[np.ndarray], bytes]) -> bytes:
    """The block as bytes, of which ``encode`` makes a part.

    Blocks that the libraries do wrong or that bring them down (the tolerance near the precision of
    the type, denormal or nearly infinite samples) are kept as they are.

    Args:
        encode: gets the block C-contiguous and without axes of length 1, but with one axis at least.
    """
    limits = np.finfo(block.dtype)
    largest = max(abs(float(block.max())), abs(float(block.min())))
    coded = None
    if (
        largest <= float(limits.max) * _LARGEST
        and tolerance >= _SMALLEST[block.dtype.name]
        and tolerance >= largest * _FINEST[block.dtype.name]
    ):
        coded = encode(np.ascontiguousarray(block).reshape(squeezed(block.shape)))
    if coded is None or len(coded) >= block.nbytes:
        little = block.astype(block.dtype.newbyteorder("<"), copy=False)
        body, is_coded = zlib.compress(little.tobytes(), 1), False
    else:
        body, is_coded = coded, True
    return _HEADER.pack(*block.shape, len(body), block.dtype.itemsize, is_coded) + body


def decode_floats(decoder: str, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
    """The block of this shape and type, decoded in a process of its own.

    Raises CorruptStreamError if the payload announces anything else or cannot be decoded.
    """
    if len(payload) < _HEADER.size:
        raise CorruptStreamError("A tile ends in its header.")
    *announced, length, itemsize, is_coded = _HEADER.unpack_from(payload)
    if tuple(announced) != tuple(shape) or itemsize != dtype.itemsize or is_coded > 1:
        raise CorruptStreamError(f"A tile announces floats of shape {tuple(announced)} instead of {shape}.")
    body = payload[_HEADER.size :]
    if len(body) != length:
        raise CorruptStreamError("A tile is longer or shorter than it announces.")
    if is_coded:
        return PROCESSES.decode(decoder, body, shape, dtype)
    size = shape[0] * shape[1] * shape[2] * itemsize
    inflater = zlib.decompressobj()
    samples = inflater.decompress(body, size)
    if len(samples) != size or inflater.unconsumed_tail or not (inflater.eof or not inflater.decompress(b"", 1)):
        raise CorruptStreamError("A tile holds more or fewer samples than its block.")
    return np.frombuffer(samples, dtype.newbyteorder("<")).reshape(shape).astype(dtype)


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without axes of length 1, which transforms would fill up at some cost."""
    return tuple(length for length in shape if length > 1) or (1,)


def below(tolerance: float, block: np.ndarray) -> float:
    """What to ask of a library that computes in double precision and then rounds to the block's type.

    Rounding adds half the distance of neighboring values; where that is more than the tolerance,
    anything below half of it rounds back to the original.
    """
    largest = max(abs(float(block.max())), abs(float(block.min())))
    rounding = float(np.spacing(np.asarray(largest, block.dtype))) / 2
    return max(tolerance / 2, tolerance - rounding) * (1 - 2.0**-20)
