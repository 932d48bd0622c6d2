"""A tile to bytes and back, over whichever backend looks at the voxels."""

from __future__ import annotations

import struct

import numpy as np

from ..errors import CorruptStreamError, EncodingError
from .backends import Backend
from .model import Model
from .range_coder import PRECISION
from .stream_encoding import coded_voxels
from .tile_geometry import Shape
from .tile_stream import TileStream, lanes_for
from .tile_values import TileValues

PREFIX = struct.Struct("<HHHBB")
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
    return PREFIX.pack(*block.shape, *model.neighbourhood.skew) + backend.encode(tile, model).to_bytes()


def tile_bits(tile: TileValues, model: Model, backend: Backend) -> float:
    """About how many bits the payload of a tile has, without making it."""
    coded = coded_voxels(backend.predict(tile, model), tile, model)
    return float(np.sum(PRECISION - np.log2(coded.size) + coded.width)) + 24 * lanes_for(len(coded.size))


def decode_tile(
    payload: bytes,
    shape: Shape,
    model: Model,
    backend: Backend,
    reference: np.ndarray | None = None,
    slopes: np.ndarray | None = None,
) -> np.ndarray:
    """The tile (slice, row, column) of a payload, uint16; CorruptStreamError if it is damaged."""
    if len(payload) < PREFIX.size:
        raise CorruptStreamError("A tile of the learned codec is cut off.")
    announced = PREFIX.unpack_from(payload)
    if announced != (*shape, *model.neighbourhood.skew):
        raise CorruptStreamError(f"A tile of the learned codec is of shape {announced[:3]}, not {shape}.")
    stream = TileStream.parse(payload[PREFIX.size :])
    if stream.first > model.largest:
        raise CorruptStreamError("A tile of the learned codec is damaged.")
    tile = TileValues.blank(shape, model.neighbourhood, model.largest, stream.first, reference, slopes)
    backend.decode(stream, tile, model)
    return tile.voxels.astype(np.uint16)
