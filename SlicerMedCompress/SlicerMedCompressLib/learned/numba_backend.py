"""The learned codec compiled by numba: about ten times as fast as numpy alone, on one core.

Work is done without the interpreter's lock, so tiles can be worked on in threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import CorruptStreamError
from . import scales
from .distributions import BINS, ENTRIES, ESCAPE, WIDTH_LEVELS, ZERO
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
from .stream_encoding import first_value
from .tile_geometry import SLICES_BEFORE, Shape, tile_geometry
from .tile_stream import TileStream, lanes_for
from .tile_values import TileValues

_SPARE_BYTES = 3


class TableArrays(NamedTuple):
    """How voxels are coded.

    Attributes:
        first_row, phase_bits, shifts, cumulative: see DistributionTable.
        value_bits: width of a value that follows an escape.
    """

    first_row: np.ndarray
    phase_bits: np.ndarray
    shifts: np.ndarray
    cumulative: np.ndarray
    value_bits: int


class StreamArrays(NamedTuple):
    """A stream that is decoded.

    Attributes:
        words: uint16. low_bits: uint8, packed, and _SPARE_BYTES more.
        code, span: int64 (lane,), state of the coders: what they read, their range.
    """

    words: np.ndarray
    low_bits: np.ndarray
    code: np.ndarray
    span: np.ndarray


class GrowingStream(NamedTuple):
    """A stream that is encoded, with room for the longest.

    Attributes:
        words: uint16. before: int32 (word,), where in the stream the word before it in its lane lies.
        places: int32 (lane, 1 + STATE // WORD): where a lane's last word lies, and where its next ones will.
        low_bits: uint8, zeroed, packed, and _SPARE_BYTES more.
        low, span: int64 (lane,), state of the coders: where their ranges begin, their ranges.
    """

    words: np.ndarray
    before: np.ndarray
    places: np.ndarray
    low_bits: np.ndarray
    low: np.ndarray
    span: np.ndarray


class NumbaBackend:
    """Looks at a few voxels of a plane at a time, to encode as to decode."""

    name = "numba"

    def predict(self, tile: TileValues, model: Model) -> Prediction:
        """Distributions of all voxels of a known tile, in the order of decoding."""
        size = len(tile.geometry.order)
        centre, level = np.empty(size, np.int64), np.empty(size, np.int64)
        _predict_tile(_tile_arrays(tile), _model_arrays(tile, model), centre, level)
        return Prediction(centre, level)

    def encode(self, tile: TileValues, model: Model) -> TileStream:
        """The stream of a known tile."""
        out = _growing_stream(tile, model)
        words, bits = _encode_tile(_tile_arrays(tile), _model_arrays(tile, model), _table_arrays(model), out)
        return TileStream(len(out.span), first_value(tile), out.words[:words], out.low_bits[: (bits + 7) // 8])

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
        arrays = _tile_arrays(tile), _model_arrays(tile, model), _table_arrays(model), _stream_arrays(stream)
        if not _decode_tile(*arrays):
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
        low_bits=np.concatenate([stream.low_bits, np.zeros(_SPARE_BYTES, np.uint8)]),
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
        low_bits=np.zeros((voxels * widest + 7) // 8 + _SPARE_BYTES, np.uint8),
        low=np.zeros(lanes, np.int64),
        span=np.full(lanes, 1 << STATE, np.int64),
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


@inlined
def _locate(room: Room, tile: TileArrays, table: TableArrays, place: int) -> tuple[Any, ...]:
    """Row, origin, shift, lowest and highest of a voxel of a block; see DistributionTable.locate."""
    level = np.int64(room.found[LEVEL, place])
    shift, finer = np.int64(table.shifts[level]), SUBVOXEL_BITS - np.int64(table.phase_bits[level])
    rounded = (np.int64(room.found[CENTRE, place]) + ((1 << finer) >> 1)) >> finer << finer
    base = (rounded + 16) >> SUBVOXEL_BITS
    row = table.first_row[level] + ((rounded - (base << SUBVOXEL_BITS) + 16) >> finer)
    origin = base - ((1 << shift) >> 1) - ((BINS // 2) << shift)
    lowest = min(max(-origin >> shift, 0), BINS - 1)
    highest = min(max((tile.largest - origin) >> shift, lowest), BINS - 1)
    return row, origin, shift, lowest, highest


@inlined
def _zero(row: np.ndarray, origin: int, shift: int, lowest: int, highest: int) -> Any:
    """Cumulative frequency up to which the value 0 lies, or 0; see DistributionTable."""
    within = -origin - (lowest << shift)
    start, end = np.int64(row[lowest]), np.int64(row[lowest + 1])
    last = np.int64(row[ESCAPE]) if lowest == highest else end
    if shift == 0 or within < 0 or within >= (1 << shift) or last < 2:
        return 0
    return max(min(start + (((end - start) * (within + 1)) >> shift), last - 1), 1)


@compiled
def _encode_tile(tile: TileArrays, model: ModelArrays, table: TableArrays, out: GrowingStream) -> tuple[int, int]:
    """Fill in the stream; gives how many words and bits it has."""
    room = room_for(tile, model)
    word, bit = STATE // WORD * len(out.span), 0
    for plane in range(len(tile.plane_starts) - 1):
        first, last, lane = tile.plane_starts[plane], tile.plane_starts[plane + 1], 0
        while first < last:
            end = block_end(tile, first, last)
            look_at_block(room, tile, model, first, end)
            lane, word, bit = _encode_block(room, tile, table, out, end - first, lane, word, bit)
            note_errors(room, tile, first, end)
            first = end
    for lane in range(len(out.span)):
        for number in range(STATE // WORD):
            out.words[out.places[lane, 1 + number]] = out.low[lane] >> (STATE - WORD * (1 + number)) & 0xFFFF
    return word, bit


@inlined
def _encode_block(
    room: Room, tile: TileArrays, table: TableArrays, out: GrowingStream, count: int, lane: int, word: int, bit: int
) -> tuple[int, int, int]:
    """Encode the values of a block; gives where the next one goes on: coder, word and bit."""
    for place in range(count):
        row, origin, shift, lowest, highest = _locate(room, tile, table, place)
        value = np.int64(tile.values[np.uint64(room.addresses[place])])
        symbol, low, width = (value - origin) >> shift, value - origin, shift
        if symbol < 0 or symbol >= BINS:
            symbol, low, width = ESCAPE, value, table.value_bits
        zero = _zero(table.cumulative[row], origin, shift, lowest, highest)
        if value == 0 and zero > 0:
            symbol, width = ZERO, 0
        word = _encode_symbol(out, table.cumulative[row], symbol, lowest, highest, zero, lane, word)
        _put_low_bits(out.low_bits, bit, low, width)
        bit += width
        lane = lane + 1 if lane + 1 < len(out.span) else 0
    return lane, word, bit


@inlined
def _encode_symbol(
    out: GrowingStream, row: np.ndarray, symbol: int, lowest: int, highest: int, zero: int, lane: int, word: int
) -> int:
    """Code a symbol by a row of cumulative frequencies; gives the next word's number. See RangeEncoder."""
    start, end = _interval(row, symbol, lowest, highest, zero)
    part = out.span[lane] >> PRECISION
    low, span = out.low[lane] + part * start, part * (end - start)
    places = out.places[lane]
    if low >> STATE:
        low &= (1 << STATE) - 1
        _carry(out, places[0])
    if span < LOW:
        place = places[1]
        out.words[place] = low >> (STATE - WORD)
        out.before[place] = places[0]
        places[0], places[1], places[2], places[3] = place, places[2], places[3], word
        low, span = low << WORD & ((1 << STATE) - 1), span << WORD
        word += 1
    out.low[lane], out.span[lane] = low, span
    return word


@inlined
def _interval(row: np.ndarray, symbol: int, lowest: int, highest: int, zero: int) -> tuple[Any, Any]:
    """Start and end of a symbol; see DistributionTable.intervals."""
    if symbol == ZERO:
        return 0, zero
    start = zero if symbol == lowest else np.int64(row[symbol])
    return start, np.int64(row[ESCAPE if symbol == highest else symbol + 1])


@inlined
def _carry(out: GrowingStream, place: int) -> None:
    """Add 1 to what a lane wrote so far, whose last word lies at a place."""
    # What a lane codes is less than 1, so this ends before its first word; and as a word is given a carry once
    # at most, all carries together take no longer than the words.
    while out.words[place] == 0xFFFF:
        out.words[place] = 0
        place = out.before[place]
    out.words[place] += 1


@inlined
def _put_low_bits(data: np.ndarray, bit: int, number: int, width: int) -> None:
    """The lowest bits of a number, at most 16 of them, into zeros; see BitWriter."""
    if width:
        byte, window = bit >> 3, (number & ((1 << width) - 1)) << (24 - (bit & 7) - width)
        data[byte] |= window >> 16
        data[byte + 1] = window >> 8 & 0xFF
        data[byte + 2] = window & 0xFF


@compiled
def _decode_tile(tile: TileArrays, model: ModelArrays, table: TableArrays, stream: StreamArrays) -> bool:
    """Fill in the values; False if the stream ends too early."""
    room = room_for(tile, model)
    word, bit = STATE // WORD * len(stream.code), 0
    for plane in range(len(tile.plane_starts) - 1):
        first, last, lane = tile.plane_starts[plane], tile.plane_starts[plane + 1], 0
        while first < last:
            end = block_end(tile, first, last)
            look_at_block(room, tile, model, first, end)
            lane, word, bit = _decode_block(room, tile, table, stream, end - first, lane, word, bit)
            note_errors(room, tile, first, end)
            first = end
        if word > len(stream.words) or bit > 8 * (len(stream.low_bits) - _SPARE_BYTES):
            return False
        for number in range(tile.edge_starts[plane], tile.edge_starts[plane + 1]):
            tile.values[tile.edge[number]] = tile.values[tile.edge_source[number]]
    return True


@inlined
def _decode_block(
    room: Room, tile: TileArrays, table: TableArrays, stream: StreamArrays, count: int, lane: int, word: int, bit: int
) -> tuple[int, int, int]:
    """Decode the values of a block; gives where the next one goes on: coder, word and bit."""
    for place in range(count):
        row, origin, shift, lowest, highest = _locate(room, tile, table, place)
        zero = _zero(table.cumulative[row], origin, shift, lowest, highest)
        symbol, word = _decode_symbol(stream, table.cumulative[row], lowest, highest, zero, lane, word)
        width = table.value_bits if symbol == ESCAPE else 0 if symbol == ZERO else shift
        low = _low_bits(stream.low_bits, bit, width)
        value = low if symbol == ESCAPE else 0 if symbol == ZERO else low + origin + (symbol << shift)
        tile.values[np.uint64(room.addresses[place])] = min(max(value, 0), tile.largest)
        bit += width
        lane = lane + 1 if lane + 1 < len(stream.code) else 0
    return lane, word, bit


@inlined
def _decode_symbol(
    stream: StreamArrays, row: np.ndarray, lowest: int, highest: int, zero: int, lane: int, word: int
) -> tuple[int, int]:
    """The next symbol of a coder by a row of cumulative frequencies; gives it and the next word's number."""
    part = stream.span[lane] >> PRECISION
    target = max(min(stream.code[lane] // part, (1 << PRECISION) - 1), 0)
    symbol = -1
    # Counts all: that is a few vector operations, and a search is as many jumps that are hard to foresee.
    for entry in range(ENTRIES - 1):
        symbol += row[entry] <= target
    if target < zero:
        symbol = ZERO
    elif symbol != ESCAPE:
        symbol = min(max(symbol, lowest), highest)
    start, end = _interval(row, symbol, lowest, highest, zero)
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
