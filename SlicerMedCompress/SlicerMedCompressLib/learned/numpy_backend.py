"""The learned codec with numpy alone: the reference that every other backend gives the same voxels as."""

from __future__ import annotations

import numpy as np

from ..errors import CorruptStreamError
from .contexts import linear_look
from .distributions import ESCAPE, ZERO, Located
from .model import Model
from .prediction import CHUNK, Prediction, errors_of, linear_errors, predict
from .range_coder import RangeDecoder
from .stream_encoding import stream_of
from .tile_stream import BitReader, TileStream
from .tile_values import TileValues


class NumpyBackend:
    """Looks at chunks of known voxels to encode, at one plane after another to decode."""

    name = "numpy"

    def predict(self, tile: TileValues, model: Model) -> Prediction:
        """Distributions of all voxels of a known tile, in the order of decoding."""
        sets = model.sets_for(tile.reference)
        errors, size = linear_errors(tile, sets), len(tile.geometry.order)
        centre, level = np.empty(size, np.int32), np.empty(size, np.int32)
        for start in range(0, size, CHUNK):
            which = slice(start, start + CHUNK)
            groups, neighbours = tile.groups(which), tile.neighbours(which)
            look = linear_look(neighbours, groups, sets, model.largest)
            found = predict(tile, neighbours, errors, look, which, groups, model.network)
            centre[which], level[which] = found.centre, found.level
        return Prediction(centre, level)

    def encode(self, tile: TileValues, model: Model) -> TileStream:
        """The stream of a known tile."""
        return stream_of(self.predict(tile, model), tile, model)

    def decode(self, stream: TileStream, tile: TileValues, model: Model) -> None:
        """Fill in the values of a blank tile; CorruptStreamError if the stream ends too early."""
        errors = np.zeros(tile.values.shape, np.float32)
        coder, bits = RangeDecoder(stream.words, stream.lanes), BitReader(stream.low_bits)
        for plane in range(tile.geometry.planes):
            _decode_plane(tile, errors, plane, model, coder, bits)
            if coder.is_exhausted or bits.is_exhausted:
                raise CorruptStreamError("A tile of the learned codec ends too early.")


def _decode_plane(
    tile: TileValues, errors: np.ndarray, plane: int, model: Model, coder: RangeDecoder, bits: BitReader
) -> None:
    geometry = tile.geometry
    which = slice(int(geometry.plane_starts[plane]), int(geometry.plane_starts[plane + 1]))
    groups, neighbours = tile.groups(which), tile.neighbours(which)
    look = linear_look(neighbours, groups, model.sets_for(tile.reference), model.largest)
    found = predict(tile, neighbours, errors, look, which, groups, model.network)
    located = model.table.locate(found.centre, found.level, model.largest)
    symbols = _decode_symbols(located, model, coder)
    escapes, zeros = symbols == ESCAPE, symbols == ZERO
    low = bits.take(np.where(escapes, model.value_bits, np.where(zeros, 0, located.shift)))
    decoded = np.where(escapes, low, located.origin + (symbols << located.shift) + low)
    decoded[zeros] = 0
    # Only a damaged stream has values outside; they must not lead outside of tables.
    decoded = np.clip(decoded, 0, model.largest).astype(np.float32)
    addresses = geometry.order[which]
    tile.values[addresses] = decoded
    errors[addresses] = errors_of(decoded, look)
    edge = slice(int(geometry.edge_starts[plane]), int(geometry.edge_starts[plane + 1]))
    tile.values[geometry.edge[edge]] = tile.values[geometry.edge_source[edge]]


def _decode_symbols(located: Located, model: Model, coder: RangeDecoder) -> np.ndarray:
    count = len(located.row)
    symbols = np.empty(count, np.int64)
    for first in range(0, count, coder.lanes):
        part = slice(first, min(first + coder.lanes, count))
        lane = located.part(part)
        symbols[part] = model.table.symbols(lane, coder.target(len(lane.row)))
        coder.advance(*model.table.intervals(lane, symbols[part]))
    return symbols
