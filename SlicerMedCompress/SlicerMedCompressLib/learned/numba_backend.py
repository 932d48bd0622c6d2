"""The learned codec compiled by numba: about ten times as fast as numpy alone, on one core.

Work is done without the interpreter's lock, so tiles can be worked on in threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import CorruptStreamError
from . import scales
from .distributions import BINS, ENTRIES, ESCAPE, WIDTH_LEVELS
from .linear import CLASSES, SUBVOXEL_BITS
from .model import Model
from .numba_compiling import compiled, inlined
from .numba_kernels import (
    CENTRE,
    LEVEL,
    UNITS,
    ModelArrays,
    Room,
    TileArrays,
    block_end,
    look_at_block,
    note_errors,
    room_for,
)
from .prediction import Prediction
from .range_coder import LOW, PRECISION, STATE, WORD
from .tile_geometry import SLICES_BEFORE, Shape, tile_geometry
from .tile_stream import TileStream
from .tile_values import TileValues

_SPARE_BYTES = 3


class StreamArrays(NamedTuple):
    """A stream and what it is decoded with.

    Attributes:
        words: uint16. low_bits: uint8, packed, and _SPARE_BYTES more.
        code, span: int64 (lane,), state of the coders: what they read, their range.
        first_row, phase_bits, shifts, cumulative: see DistributionTable.
        value_bits: width of a value that follows an escape.
    """

    words: np.ndarray
    low_bits: np.ndarray
    code: np.ndarray
    span: np.ndarray
    first_row: np.ndarray
    phase_bits: np.ndarray
    shifts: np.ndarray
    cumulative: np.ndarray
    value_bits: int


class NumbaBackend:
    """Looks at a few voxels of a plane at a time, to encode as to decode."""

    name = "numba"

    def predict(self, tile: TileValues, model: Model) -> Prediction:
        """Distributions of all voxels of a known tile, in the order of decoding."""
        size = len(tile.geometry.order)
        centre, level = np.empty(size, np.int64), np.empty(size, np.int64)
        _predict_tile(_tile_arrays(tile), _model_arrays(tile, model), centre, level)
        return Prediction(centre, level)

    def decode(
        self,
        stream: TileStream,
        shape: Shape,
        model: Model,
        reference: np.ndarray | None = None,
        slopes: np.ndarray | None = None,
    ) -> np.ndarray:
        """The tile (slice, row, column), uint16; CorruptStreamError if the stream ends too early."""
        geometry = tile_geometry(shape, model.neighbourhood)
        values = geometry.padded(np.zeros(shape, np.float32), stream.first)
        tile = TileValues.over(geometry, model.neighbourhood, model.largest, values, reference, slopes)
        if not _decode_tile(_tile_arrays(tile), _model_arrays(tile, model), _stream_arrays(stream, model)):
            raise CorruptStreamError("A tile of the learned codec ends too early.")
        return geometry.unpadded(values).astype(np.uint16)


def _tile_arrays(tile: TileValues) -> TileArrays:
    geometry, hood = tile.geometry, tile.neighbourhood
    depth, (_, rows, columns) = tile.shape[0], geometry.padded_shape
    gains = np.zeros((0, SLICES_BEFORE)) if tile.gains is None else np.ascontiguousarray(tile.gains, np.float64)
    if len(gains) not in (0, depth):
        raise ValueError(f"There are slopes of {len(gains)} slices for a tile of {depth}.")
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


def _stream_arrays(stream: TileStream, model: Model) -> StreamArrays:
    table = model.table
    if len(table.first_row) != WIDTH_LEVELS:
        raise ValueError("The model does not have a distribution for every width.")
    start = np.zeros((STATE // WORD, stream.lanes), np.int64)
    start.reshape(-1)[: len(stream.words)] = stream.words[: start.size]
    return StreamArrays(
        words=np.array(stream.words, np.uint16),
        low_bits=np.concatenate([stream.low_bits, np.zeros(_SPARE_BYTES, np.uint8)]),
        code=(start[0] << 2 * WORD) | (start[1] << WORD) | start[2],
        span=np.full(stream.lanes, 1 << STATE, np.int64),
        first_row=table.first_row,
        phase_bits=table.phase_bits,
        shifts=table.shifts,
        cumulative=table.cumulative,
        value_bits=model.value_bits,
    )


@compiled
def _predict_tile(tile: TileArrays, model: ModelArrays, centre: np.ndarray, level: np.ndarray) -> None:
    """Distributions of all voxels of the order, into two int64 arrays."""
    room = room_for(tile, model)
    for plane in range(len(tile.plane_starts) - 1):
        first, last = tile.plane_starts[plane], tile.plane_starts[plane + 1]
        while first < last:
            end = block_end(tile, first, last)
            look_at_block(room, tile, model, first, end)
            note_errors(room, tile, first, end)
            for place in range(first, end):
                centre[place] = np.int64(room.found[CENTRE, place - first])
                level[place] = np.int64(room.found[LEVEL, place - first])
            first = end


@compiled
def _decode_tile(tile: TileArrays, model: ModelArrays, stream: StreamArrays) -> bool:
    """Fill in the values; False if the stream ends too early."""
    room = room_for(tile, model)
    word, bit = STATE // WORD * len(stream.code), 0
    for plane in range(len(tile.plane_starts) - 1):
        first, last, lane = tile.plane_starts[plane], tile.plane_starts[plane + 1], 0
        while first < last:
            end = block_end(tile, first, last)
            look_at_block(room, tile, model, first, end)
            lane, word, bit = _decode_block(room, tile, stream, end - first, lane, word, bit)
            note_errors(room, tile, first, end)
            first = end
        if word > len(stream.words) or bit > 8 * (len(stream.low_bits) - _SPARE_BYTES):
            return False
        for number in range(tile.edge_starts[plane], tile.edge_starts[plane + 1]):
            tile.values[tile.edge[number]] = tile.values[tile.edge_source[number]]
    return True


@inlined
def _decode_block(
    room: Room, tile: TileArrays, stream: StreamArrays, count: int, lane: int, word: int, bit: int
) -> tuple[int, int, int]:
    """Decode the values of a block; gives where the next one goes on: coder, word and bit."""
    for place in range(count):
        level = np.int64(room.found[LEVEL, place])
        shift, finer = np.int64(stream.shifts[level]), SUBVOXEL_BITS - np.int64(stream.phase_bits[level])
        # See DistributionTable.locate.
        rounded = (np.int64(room.found[CENTRE, place]) + ((1 << finer) >> 1)) >> finer << finer
        base = (rounded + 16) >> SUBVOXEL_BITS
        row = stream.first_row[level] + ((rounded - (base << SUBVOXEL_BITS) + 16) >> finer)
        origin = base - ((1 << shift) >> 1) - ((BINS // 2) << shift)
        lowest = min(max(-origin >> shift, 0), BINS - 1)
        highest = min(max((tile.largest - origin) >> shift, lowest), BINS - 1)
        symbol, word = _decode_symbol(stream, stream.cumulative[row], lowest, highest, lane, word)
        width = stream.value_bits if symbol == ESCAPE else int(shift)
        low = _low_bits(stream.low_bits, bit, width)
        value = low if symbol == ESCAPE else low + origin + (symbol << shift)
        tile.values[np.uint64(room.addresses[place])] = min(max(value, 0), tile.largest)
        bit += width
        lane = lane + 1 if lane + 1 < len(stream.code) else 0
    return lane, word, bit


@inlined
def _decode_symbol(
    stream: StreamArrays, row: np.ndarray, lowest: int, highest: int, lane: int, word: int
) -> tuple[int, int]:
    """The next symbol of a coder by a row of cumulative frequencies; gives it and the next word's number."""
    part = stream.span[lane] >> PRECISION
    target = min(stream.code[lane] // part, (1 << PRECISION) - 1)
    symbol = -1
    # Counts all: that is a few vector operations, and a search is as many jumps that are hard to foresee.
    for entry in range(ENTRIES - 1):
        symbol += row[entry] <= target
    if symbol != ESCAPE:
        symbol = min(max(symbol, lowest), highest)
    start = 0 if symbol == lowest else np.int64(row[symbol])
    end = np.int64(row[ESCAPE if symbol == highest else symbol + 1])
    code, span = stream.code[lane] - part * start, part * (end - start)
    if span < LOW:
        code, span = code << WORD, span << WORD
        if word < len(stream.words):
            code |= np.int64(stream.words[word])
        word += 1
    stream.code[lane], stream.span[lane] = code, span
    return symbol, word


@inlined
def _low_bits(data: np.ndarray, bit: int, width: int) -> Any:
    """A number of at most 16 bits; see BitReader."""
    byte = min(bit >> 3, len(data) - _SPARE_BYTES)
    window = np.int64(data[byte]) << 16 | np.int64(data[byte + 1]) << 8 | np.int64(data[byte + 2])
    return (window >> (24 - (bit & 7) - width)) & ((1 << width) - 1)
