"""A tile to bytes and back, over whichever backend looks at the voxels."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..errors import CorruptStreamError, EncodingError
from .backends import Backend
from .distributions import BINS, ESCAPE
from .model import Model
from .range_coder import PRECISION, RangeEncoder
from .tile_geometry import Shape
from .tile_stream import BitWriter, TileStream, lanes_for
from .tile_values import TileValues

_PREFIX = struct.Struct("<HHHBB")
"""Shape (slice, row, column), and the factors of row and slice in the planes."""
LONGEST = (1 << 16) - 1


def encode_tile(
    block: np.ndarray,
    model: Model,
    backend: Backend,
    reference: np.ndarray | None = None,
    slopes: np.ndarray | None = None,
) -> bytes:
    """The payload of a tile (slice, row, column) of unsigned integers up to the model's largest.

    Args:
        reference: the same tile of the frame before, if it is known to the decoder.
        slopes: rescale slope of each slice, if they differ.
    """
    if max(block.shape) > LONGEST:
        raise EncodingError(f"A tile of the learned codec is at most {LONGEST} voxels long.")
    tile = TileValues.of(block, model.neighbourhood, model.largest, reference, slopes)
    starts, coded = tile.geometry.plane_starts, _coded(tile, model, backend)
    bits, coder = BitWriter(), RangeEncoder(lanes_for(block.size))
    bits.add(coded.low, coded.width)
    for first, last in pairwise(map(int, starts)):
        coder.encode(coded.start[first:last], coded.size[first:last])
    stream = TileStream(coder.lanes, int(block.flat[0]), coder.words(), bits.packed())
    return _PREFIX.pack(*block.shape, *model.neighbourhood.skew) + stream.to_bytes()


def tile_bits(tile: TileValues, model: Model, backend: Backend) -> float:
    """About how many bits the payload of a tile has, without making it."""
    coded = _coded(tile, model, backend)
    return float(np.sum(PRECISION - np.log2(coded.size) + coded.width)) + 24 * lanes_for(len(coded.size))


@dataclass(frozen=True, eq=False)
class _Coded:
    """Voxels in the order of coding: interval of the symbol, uncoded bits and how many."""

    start: np.ndarray
    size: np.ndarray
    low: np.ndarray
    width: np.ndarray


def _coded(tile: TileValues, model: Model, backend: Backend) -> _Coded:
    prediction = backend.predict(tile, model)
    values = tile.values[tile.geometry.order].astype(np.int64)
    located = model.table.locate(prediction.centre, prediction.level, model.largest)
    symbols = (values - located.origin) >> located.shift
    escapes = (symbols < 0) | (symbols >= BINS)
    symbols[escapes] = ESCAPE
    start, size = model.table.intervals(located, symbols)
    low = np.where(escapes, values, (values - located.origin) & ((np.int64(1) << located.shift) - 1))
    return _Coded(start, size, low, np.where(escapes, model.value_bits, located.shift))


def decode_tile(
    payload: bytes,
    shape: Shape,
    model: Model,
    backend: Backend,
    reference: np.ndarray | None = None,
    slopes: np.ndarray | None = None,
) -> np.ndarray:
    """The tile (slice, row, column) of a payload, uint16; CorruptStreamError if it is damaged."""
    if len(payload) < _PREFIX.size:
        raise CorruptStreamError("A tile of the learned codec is cut off.")
    announced = _PREFIX.unpack_from(payload)
    if announced != (*shape, *model.neighbourhood.skew):
        raise CorruptStreamError(f"A tile of the learned codec is of shape {announced[:3]}, not {shape}.")
    stream = TileStream.parse(payload[_PREFIX.size :])
    if stream.first > model.largest:
        raise CorruptStreamError("A tile of the learned codec is damaged.")
    return backend.decode(stream, shape, model, reference, slopes)
