"""Symbols and words of a tile, compiled: from the distributions of a block's voxels to a stream, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .distributions import BINS, ENTRIES, ESCAPE, ZERO
from .linear import SUBVOXEL_BITS
from .numba_compiling import compiled, inlined
from .numba_kernels import (
    CENTRE,
    LEVEL,
    ModelArrays,
    Room,
    TileArrays,
    block_end,
    look_at_block,
    note_errors,
    room_for,
)
from .range_coder import LOW, PRECISION, STATE, WORD

SPARE_BYTES = 3


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
        words: uint16. low_bits: uint8, packed, and SPARE_BYTES more.
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
        low_bits: uint8, zeroed, packed, and SPARE_BYTES more.
        low, span: int64 (lane,), state of the coders: where their ranges begin, their ranges.
    """

    words: np.ndarray
    before: np.ndarray
    places: np.ndarray
    low_bits: np.ndarray
    low: np.ndarray
    span: np.ndarray


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
def encode_tile(tile: TileArrays, model: ModelArrays, table: TableArrays, out: GrowingStream) -> tuple[int, int]:
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
def decode_tile(tile: TileArrays, model: ModelArrays, table: TableArrays, stream: StreamArrays) -> bool:
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
        if word > len(stream.words) or bit > 8 * (len(stream.low_bits) - SPARE_BYTES):
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
    byte = min(bit >> 3, len(data) - SPARE_BYTES)
    window = np.int64(data[byte]) << 16 | np.int64(data[byte + 1]) << 8 | np.int64(data[byte + 2])
    return (window >> (24 - (bit & 7) - width)) & ((1 << width) - 1)
