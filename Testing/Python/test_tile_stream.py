"""The bytes of a tile: parts come back, and what does not fit is refused before anything is decoded."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SlicerMedCompressLib.errors import CorruptStreamError
from SlicerMedCompressLib.learned.tile_stream import (
    FEWEST_LANES,
    MOST_LANES,
    VERSION,
    BitReader,
    BitWriter,
    TileStream,
    lanes_for,
)

HEADER = 9
words = st.lists(st.integers(0, 0xFFFF), max_size=40)
numbers = st.lists(
    st.integers(0, 16).flatmap(lambda width: st.tuples(st.integers(0, (1 << width) - 1), st.just(width))), max_size=30
)


@given(st.integers(1, MOST_LANES), st.integers(0, 0xFFFF), words, st.binary(max_size=30))
def test_all_parts_come_back(lanes: int, first: int, stream: list[int], low: bytes) -> None:
    tile = TileStream(lanes, first, np.array(stream, np.uint16), np.frombuffer(low, np.uint8))
    payload = tile.to_bytes()
    assert len(payload) == HEADER + 2 * len(stream) + len(low)
    back = TileStream.parse(payload)
    assert (back.lanes, back.first) == (lanes, first)
    assert back.words.tolist() == stream
    assert back.low_bits.tobytes() == low


def test_the_layout_is_the_documented_one() -> None:
    payload = TileStream(258, 0x1234, np.array([1, 0xFFFE], np.uint16), np.array([0x80], np.uint8)).to_bytes()
    assert payload.hex() == "01" + "0201" + "3412" + "02000000" + "0100feff" + "80"


def whole() -> bytes:
    return TileStream(4, 9, np.arange(12, dtype=np.uint16), np.array([1, 2], np.uint8)).to_bytes()


@pytest.mark.parametrize("length", range(HEADER + 2 * 12))
def test_a_stream_cut_in_its_header_or_words_is_refused(length: int) -> None:
    with pytest.raises(CorruptStreamError):
        TileStream.parse(whole()[:length])


@pytest.mark.parametrize("version", [0, VERSION + 1, 255])
def test_another_version_is_refused_with_what_to_do(version: int) -> None:
    with pytest.raises(CorruptStreamError, match=f"version {version}; update"):
        TileStream.parse(bytes([version]) + whole()[1:])


@pytest.mark.parametrize("lanes", [0, MOST_LANES + 1, 0xFFFF])
def test_lanes_that_no_encoder_uses_are_refused(lanes: int) -> None:
    payload = bytearray(whole())
    payload[1:3] = struct.pack("<H", lanes)
    with pytest.raises(CorruptStreamError):
        TileStream.parse(bytes(payload))


@pytest.mark.parametrize("count", [14, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])
def test_more_words_than_there_are_bytes_are_refused(count: int) -> None:
    payload = bytearray(whole())
    payload[5:9] = struct.pack("<I", count)
    with pytest.raises(CorruptStreamError):
        TileStream.parse(bytes(payload))


@settings(max_examples=200)
@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_give_a_tile_or_an_error(data: bytes, versioned: bool) -> None:
    payload = bytes([VERSION]) * versioned + data
    try:
        tile = TileStream.parse(payload)
    except CorruptStreamError:
        return
    assert 1 <= tile.lanes <= MOST_LANES
    assert tile.to_bytes() == payload


def test_larger_tiles_have_more_lanes_within_limits() -> None:
    found = [lanes_for(voxels) for voxels in (1, 1000, 1 << 16, 1 << 20, 1 << 24, 1 << 40)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (FEWEST_LANES, MOST_LANES)
    assert FEWEST_LANES < found[3] < MOST_LANES


def packed(parts: list[list[tuple[int, int]]]) -> np.ndarray:
    writer = BitWriter()
    for part in parts:
        writer.add(np.array([value for value, _ in part], np.int64), np.array([width for _, width in part], np.int64))
    return writer.packed()


@given(st.lists(numbers, max_size=8))
def test_numbers_of_any_widths_come_back(parts: list[list[tuple[int, int]]]) -> None:
    data = packed(parts)
    widths = [width for part in parts for _, width in part]
    assert data.dtype == np.uint8
    assert len(data) == -(-sum(widths) // 8)
    reader = BitReader(data)
    for part in filter(None, parts):
        assert reader.take(np.array([width for _, width in part])).tolist() == [value for value, _ in part]
    assert reader.position == sum(widths)
    assert not reader.is_exhausted


def test_bits_are_packed_most_significant_first() -> None:
    assert packed([[(1, 1), (0, 2), (0b10110, 5), (0xABC, 12)]]).tolist() == [0b10010110, 0xAB, 0xC0]


def test_no_numbers_are_no_bytes() -> None:
    assert packed([]).size == 0
    assert packed([[(0, 0), (0, 0)]]).size == 0
    reader = BitReader(np.zeros(0, np.uint8))
    assert reader.take(np.zeros(3, np.int64)).tolist() == [0, 0, 0]
    assert not reader.is_exhausted


def test_to_take_no_numbers_reads_nothing() -> None:
    # A plane of a narrow tile may have no voxel.
    reader = BitReader(np.array([0xFF], np.uint8))
    assert reader.take(np.zeros(0, np.int64)).size == 0
    assert (reader.position, reader.is_exhausted) == (0, False)


@given(numbers, st.lists(st.integers(1, 16), min_size=1, max_size=20))
def test_beyond_the_end_there_are_zeros_and_a_flag(part: list[tuple[int, int]], more: list[int]) -> None:
    data = packed([part])
    reader = BitReader(data)
    reader.take(np.array([width for _, width in part] + [8 * len(data) - sum(width for _, width in part)]))
    assert not reader.is_exhausted
    for width in more:
        assert reader.take(np.array([width])).tolist() == [0]
        assert reader.is_exhausted
    assert reader.take(np.full(5000, 16)).tolist() == [0] * 5000
