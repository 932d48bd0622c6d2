"""From the distributions of a tile's voxels to its stream: the numpy way, all voxels at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .distributions import ESCAPE, ZERO
from .model import Model
from .prediction import Prediction
from .range_coder import RangeEncoder
from .tile_stream import BitWriter, TileStream, lanes_for
from .tile_values import TileValues


@dataclass(frozen=True, eq=False)
class CodedVoxels:
    """Voxels in the order of coding: start and size of the symbol's interval, uncoded bits and how many; int64."""

    start: np.ndarray
    size: np.ndarray
    low: np.ndarray
    width: np.ndarray


def coded_voxels(prediction: Prediction, tile: TileValues, model: Model) -> CodedVoxels:
    """What a stream says of each voxel of a known tile."""
    values = tile.values[tile.geometry.order].astype(np.int64)
    located = model.table.locate(prediction.centre, prediction.level, model.largest)
    symbols = model.table.symbols_of(located, values)
    escapes = symbols == ESCAPE
    start, size = model.table.intervals(located, symbols)
    low = np.where(escapes, values, (values - located.origin) & ((np.int64(1) << located.shift) - 1))
    width = np.where(escapes, model.value_bits, np.where(symbols == ZERO, 0, located.shift))
    return CodedVoxels(start, size, low, width)


def stream_of(prediction: Prediction, tile: TileValues, model: Model) -> TileStream:
    """The stream of a known tile."""
    coded, size = coded_voxels(prediction, tile, model), len(tile.geometry.order)
    bits, coder = BitWriter(), RangeEncoder(lanes_for(size))
    bits.add(coded.low, coded.width)
    for first, last in pairwise(map(int, tile.geometry.plane_starts)):
        coder.encode(coded.start[first:last], coded.size[first:last])
    return TileStream(coder.lanes, first_value(tile), coder.words(), bits.packed())


def first_value(tile: TileValues) -> int:
    """Value of the first voxel, which a stream begins with."""
    return int(tile.geometry.unpadded(tile.values)[0, 0, 0])
