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

PLANES = 128


@dataclass(frozen=True, eq=False)
class CodedVoxels:
    """Voxels in the order of coding: start and size of the symbol's interval, uncoded bits and how many; int64."""

    start: np.ndarray
    size: np.ndarray
    low: np.ndarray
    width: np.ndarray


def coded_voxels(prediction: Prediction, tile: TileValues, model: Model, which: slice = slice(None)) -> CodedVoxels:
    """What a stream says of each voxel of a known tile, or of a part of the order."""
    values = tile.values[tile.geometry.order[which]].astype(np.int64)
    located = model.table.locate(prediction.centre[which], prediction.level[which], model.largest)
    symbols = model.table.symbols_of(located, values)
    escapes = symbols == ESCAPE
    start, size = model.table.intervals(located, symbols)
    low = np.where(escapes, values, (values - located.origin) & ((np.int64(1) << located.shift) - 1))
    width = np.where(escapes, model.value_bits, np.where(symbols == ZERO, 0, located.shift))
    return CodedVoxels(start, size, low, width)


def stream_of(prediction: Prediction, tile: TileValues, model: Model) -> TileStream:
    """The stream of a known tile."""
    bits, coder = BitWriter(), RangeEncoder(lanes_for(len(tile.geometry.order)))
    starts = list(map(int, tile.geometry.plane_starts))
    # Some planes at a time: what is said of a voxel takes many times its memory.
    for begin in range(0, len(starts) - 1, PLANES):
        part = starts[begin : begin + PLANES + 1]
        coded = coded_voxels(prediction, tile, model, slice(part[0], part[-1]))
        bits.add(coded.low, coded.width)
        for first, last in pairwise(start - part[0] for start in part):
            coder.encode(coded.start[first:last], coded.size[first:last])
    return TileStream(coder.lanes, first_value(tile), coder.words(), bits.packed())


def first_value(tile: TileValues) -> int:
    """Value of the first voxel, which a stream begins with."""
    return int(tile.voxels[0, 0, 0])
