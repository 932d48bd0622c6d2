"""A block coded after the same block of other frames: weights, and what their prediction leaves.

    number of references uint8 | weights int16 (reference, tap) | base int64 | the codec's stream, or nothing

The residual, block - prediction - base modulo the type's range, reaches the codec; without a stream it is 0 everywhere.
See ``codecs.frame_prediction``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from ..codecs import Codec
from ..codecs.frame_prediction import TAPS, fitted_weights, predicted
from ..errors import CorruptStreamError, EncodingError

_BASE = struct.Struct("<q")


def is_predictable(dtype: np.dtype) -> bool:
    """Whether blocks of a type can be coded after others."""
    return dtype.kind == "u"


def encode_after(codec: Codec, block: np.ndarray, references: Sequence[np.ndarray]) -> bytes | None:
    """The payload of a block (slice, row, column) of unsigned integers; None where the frames do not help.

    Args:
        references: one or two blocks of its shape and type, those that the decoder will have.
    """
    weights = fitted_weights(block, references)
    if weights is None:
        return None
    left = block.astype(np.int64) - predicted(references, weights)
    base = int(left.min())
    residual = (left - base).astype(block.dtype)
    head = bytes([len(references)]) + weights.astype("<i2").tobytes() + _BASE.pack(base)
    if not residual.any():
        return head
    try:
        return head + codec.encode(residual)
    except EncodingError:
        # The block on its own will do.
        return None


def decode_after(codec: Codec, payload: bytes, references: Sequence[np.ndarray]) -> np.ndarray:
    """The block of a payload; CorruptStreamError if it is damaged.

    Args:
        references: as for ``encode_after``.
    """
    start = 1 + 2 * TAPS * len(references)
    if not references or len(payload) < start + _BASE.size or payload[0] != len(references):
        raise CorruptStreamError("A tile that follows other frames is damaged.")
    weights = np.frombuffer(payload, "<i2", TAPS * len(references), 1).reshape(len(references), TAPS)
    (base,) = _BASE.unpack_from(payload, start)
    if abs(base) > 1 << 33:
        raise CorruptStreamError("A tile that follows other frames is damaged.")
    stream, (shape, dtype) = payload[start + _BASE.size :], (references[0].shape, references[0].dtype)
    found = predicted(references, weights) + base
    if stream:
        slices, rows, columns = shape
        found += codec.decode(stream, (slices, rows, columns), dtype)
    # Modulo the range of the type.
    return np.asarray(found).astype(dtype)
