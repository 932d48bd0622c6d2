"""The learned codec compiled by numba: about ten times as fast as numpy alone, on one core.

Work is done without the interpreter's lock, so tiles can be worked on in threads.
"""

from __future__ import annotations

import numpy as np

from ..errors import CorruptStreamError
from . import scales
from .distributions import WIDTH_LEVELS
from .linear import CLASSES
from .model import Model
from .numba_coding import SPARE_BYTES, GrowingStream, StreamArrays, TableArrays, decode_tile, encode_tile
from .numba_compiling import compiled
from .numba_kernels import (
    CENTRE,
    LEVEL,
    UNITS,
    ModelArrays,
    TileArrays,
    block_end,
    look_at_block,
    note_errors,
    room_for,
)
from .prediction import Prediction
from .range_coder import STATE, WORD
from .stream_encoding import first_value
from .tile_geometry import SLICES_BEFORE
from .tile_stream import TileStream, lanes_for
from .tile_values import TileValues


class NumbaBackend:
    """Looks at a few voxels of a plane at a time, to encode as to decode."""

    name = "numba"

    def predict(self, tile: TileValues, model: Model) -> Prediction:
        """Distributions of all voxels of a known tile, in the order of decoding."""
        size = len(tile.geometry.order)
        centre, level = np.empty(size, np.int32), np.empty(size, np.int32)
        _predict_tile(_tile_arrays(tile), _model_arrays(tile, model), centre, level)
        return Prediction(centre, level)

    def encode(self, tile: TileValues, model: Model) -> TileStream:
        """The stream of a known tile."""
        out = _growing_stream(tile, model)
        words, bits = encode_tile(_tile_arrays(tile), _model_arrays(tile, model), _table_arrays(model), out)
        return TileStream(len(out.span), first_value(tile), out.words[:words], out.low_bits[: (bits + 7) // 8])

    def decode(self, stream: TileStream, tile: TileValues, model: Model) -> None:
        """Fill in the values of a blank tile; CorruptStreamError if the stream ends too early."""
        arrays = _tile_arrays(tile), _model_arrays(tile, model), _table_arrays(model), _stream_arrays(stream)
        if not decode_tile(*arrays):
            raise CorruptStreamError("A tile of the learned codec ends too early.")


def _tile_arrays(tile: TileValues) -> TileArrays:
    geometry, hood = tile.geometry, tile.neighbourhood
    _, rows, columns = geometry.padded_shape
    gains = np.zeros((0, SLICES_BEFORE)) if tile.gains is None else np.ascontiguousarray(tile.gains, np.float64)
    return TileArrays(
        order=geometry.order,
        slices=geometry.slices,
        plane_starts=geometry.plane_starts.astype(np.int64),
        edge=geometry.edge,
        edge_source=geometry.edge_source,
        edge_starts=geometry.edge_starts.astype(np.int64),
        values=tile.values,
        errors=np.zeros(tile.values.shape, np.float32),
        reference=np.zeros(0, np.float32) if tile.reference is None else tile.reference,
        voxel_steps=geometry.steps(hood.voxels),
        residual_steps=geometry.steps(hood.residuals),
        reference_steps=geometry.steps(() if tile.reference is None else hood.reference),
        own=len(hood.own),
        previous=len(hood.previous),
        own_residuals=len(hood.residuals_own),
        gains=gains,
        slice_size=rows * columns,
        largest=tile.largest,
    )


def _model_arrays(tile: TileValues, model: Model) -> ModelArrays:
    network, sets = model.network, model.sets_for(tile.reference)[: SLICES_BEFORE + 1]
    coefficients = np.array([fitted.coefficients for fitted in sets], np.float64)
    hood = tile.neighbourhood
    neighbours = len(hood.voxels) + (0 if tile.reference is None else len(hood.reference))
    inputs = len(hood.voxels) + len(hood.residuals) + CLASSES + 3
    # Compiled loops look no further than this.
    if coefficients.shape != (SLICES_BEFORE + 1, neighbours, CLASSES) or len(network.first) != inputs:
        raise ValueError("The model does not fit the neighbourhood.")
    whole = np.float32(2.0**-scales.RECIPROCAL_BITS)
    return ModelArrays(
        thresholds=np.array([fitted.thresholds for fitted in sets], np.float64),
        coefficients=coefficients,
        first=_by_units(network.first),
        first_bias=_filled(network.first_bias, 1),
        second=_by_units(network.second),
        second_bias=_filled(network.second_bias, 0),
        head=_filled(network.head, 0),
        head_bias=network.head_bias,
        skip=_filled(network.skip, 0),
        energy_weights=scales.energy_weights(hood.residuals),
        activity_thresholds=scales.ACTIVITY_THRESHOLDS,
        energy_thresholds=scales.ENERGY_THRESHOLDS,
        centre_factors=scales.CENTRE_FACTORS,
        difference_factors=scales.DIFFERENCE_FACTORS * whole,
        difference_limits=scales.DIFFERENCE_LIMITS,
        subvoxel_factors=scales.SUBVOXEL_FACTORS * whole,
        subvoxel_limits=scales.SUBVOXEL_LIMITS,
    )


def _filled(array: np.ndarray, axis: int) -> np.ndarray:
    """An array with zeros after it along an axis, up to a multiple of UNITS."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % UNITS)
    return np.pad(array, widths)


def _by_units(weights: np.ndarray) -> np.ndarray:
    """Weights (input, unit) as (unit // UNITS, input, unit % UNITS), filled up."""
    full = _filled(_filled(weights, 0), 1)
    return np.ascontiguousarray(full.reshape(len(full), -1, UNITS).transpose(1, 0, 2))


def _table_arrays(model: Model) -> TableArrays:
    table = model.table
    if len(table.first_row) != WIDTH_LEVELS:
        raise ValueError("The model does not have a distribution for every width.")
    return TableArrays(table.first_row, table.phase_bits, table.shifts, table.cumulative, model.value_bits)


def _stream_arrays(stream: TileStream) -> StreamArrays:
    start = np.zeros((STATE // WORD, stream.lanes), np.int64)
    start.reshape(-1)[: len(stream.words)] = stream.words[: start.size]
    return StreamArrays(
        words=np.array(stream.words, np.uint16),
        low_bits=np.concatenate([stream.low_bits, np.zeros(SPARE_BYTES, np.uint8)]),
        code=(start[0] << 2 * WORD) | (start[1] << WORD) | start[2],
        span=np.full(stream.lanes, 1 << STATE, np.int64),
    )


def _growing_stream(tile: TileValues, model: Model) -> GrowingStream:
    """An empty stream: a voxel writes at most one word, and at the end each lane its state."""
    voxels = len(tile.geometry.order)
    lanes, widest = lanes_for(voxels), max(model.value_bits, int(model.table.shifts.max()))
    longest = voxels + lanes * (STATE // WORD)
    return GrowingStream(
        words=np.empty(longest, np.uint16),
        before=np.empty(longest, np.int32),
        # A decoder starts with these words of all lanes, then reads one when one is written.
        places=np.arange(-1, STATE // WORD, dtype=np.int32) * lanes + np.arange(lanes, dtype=np.int32)[:, np.newaxis],
        low_bits=np.zeros((voxels * widest + 7) // 8 + SPARE_BYTES, np.uint8),
        low=np.zeros(lanes, np.int64),
        span=np.full(lanes, 1 << STATE, np.int64),
    )


@compiled
def _predict_tile(tile: TileArrays, model: ModelArrays, centre: np.ndarray, level: np.ndarray) -> None:
    """Distributions of all voxels of the order, into two int32 arrays."""
    room = room_for(tile, model)
    for plane in range(len(tile.plane_starts) - 1):
        first, last = tile.plane_starts[plane], tile.plane_starts[plane + 1]
        while first < last:
            end = block_end(tile, first, last)
            look_at_block(room, tile, model, first, end)
            note_errors(room, tile, first, end)
            for place in range(first, end):
                centre[place] = np.int32(room.found[CENTRE, place - first])
                level[place] = np.int32(room.found[LEVEL, place - first])
            first = end
