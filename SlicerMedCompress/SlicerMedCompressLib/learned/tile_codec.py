"""A tile to bytes and back, over whichever backend looks at the voxels."""

from __future__ import annotations

import numpy as np

from ..errors import CorruptStreamError
from .backends import Backend
from .distributions import BINS, ESCAPE
from .model import Model
from .range_coder import RangeEncoder
from .tile_geometry import Shape
from .tile_stream import BitWriter, TileStream, lanes_for
from .tile_values import TileValues


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
    tile = TileValues.of(block, model.neighbourhood, model.largest, reference, slopes)
    prediction = backend.predict(tile, model)
    table, order, starts = model.table, tile.geometry.order, tile.geometry.plane_starts
    values = tile.values[order].astype(np.int64)
    located = table.locate(prediction.centre, prediction.level, model.largest)
    symbols = (values - located.origin) >> located.shift
    escapes = (symbols < 0) | (symbols >= BINS)
    symbols[escapes] = ESCAPE
    start, size = table.intervals(located, symbols)
    low = np.where(escapes, values, (values - located.origin) & ((np.int64(1) << located.shift) - 1))
    bits = BitWriter()
    bits.add(low, np.where(escapes, model.value_bits, located.shift))
    coder = RangeEncoder(lanes_for(len(order)))
    for first, last in zip(starts[:-1], starts[1:], strict=True):
        coder.encode(start[first:last], size[first:last])
    return TileStream(coder.lanes, int(block.flat[0]), coder.words(), bits.packed()).to_bytes()


def decode_tile(
    payload: bytes,
    shape: Shape,
    model: Model,
    backend: Backend,
    reference: np.ndarray | None = None,
    slopes: np.ndarray | None = None,
) -> np.ndarray:
    """The tile (slice, row, column) of a payload, uint16; CorruptStreamError if it is damaged."""
    stream = TileStream.parse(payload)
    if stream.first > model.largest:
        raise CorruptStreamError("A tile of the learned codec is damaged.")
    return backend.decode(stream, shape, model, reference, slopes)
