"""The range coder: what goes in comes out, no longer than it need be, and nothing damaged leads astray."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SlicerMedCompressLib.learned.range_coder import LOW, PRECISION, STATE, WORD, RangeDecoder, RangeEncoder

WHOLE = 1 << PRECISION
WORDS_A_STATE = STATE // WORD
Interval = tuple[int, int]
Batches = list[tuple[np.ndarray, np.ndarray]]

EXTREMES: list[Interval] = [
    (0, 1),
    (WHOLE - 1, 1),
    (0, WHOLE - 1),
    (1, WHOLE - 1),
    (WHOLE // 2, 1),
    (0, WHOLE // 2),
    (WHOLE // 2, WHOLE // 2),
]
intervals = st.one_of(
    st.sampled_from(EXTREMES),
    st.integers(0, WHOLE - 1).flatmap(lambda start: st.tuples(st.just(start), st.integers(1, WHOLE - start))),
)


def as_batches(parts: list[list[Interval]]) -> Batches:
    return [(np.array([start for start, _ in part]), np.array([size for _, size in part])) for part in parts]


def random_batches(rng: np.random.Generator, sizes: list[int], kind: str) -> Batches:
    """Intervals of one temper: likely ones, unlikely ones, those at the top, or of every logarithm of size."""
    found = []
    for count in sizes:
        if kind == "likely":
            size = rng.integers(WHOLE - 200, WHOLE, count)
        elif kind == "unlikely":
            size = rng.integers(1, 4, count)
        else:
            size = np.floor(2.0 ** rng.uniform(0, PRECISION, count)).astype(np.int64)
        start = WHOLE - size if kind == "top" else rng.integers(0, WHOLE - size + 1)
        found.append((start, size))
    return found


def encoded(batches: Batches, lanes: int) -> np.ndarray:
    coder = RangeEncoder(lanes)
    for start, size in batches:
        coder.encode(start, size)
    return coder.words()


def check_decodes(words: np.ndarray, batches: Batches, lanes: int) -> None:
    """Every target lies in the interval that was coded, and the stream is used up exactly."""
    coder = RangeDecoder(words, lanes)
    for start, size in batches:
        for first in range(0, len(start), lanes):
            part = slice(first, first + lanes)
            target = coder.target(len(start[part]))
            assert np.all((start[part] <= target) & (target < start[part] + size[part]))
            coder.advance(start[part], size[part])
    assert coder.position == len(words)
    assert not coder.is_exhausted


def check_length(words: np.ndarray, batches: Batches, lanes: int) -> None:
    ideal = sum(float(np.sum(PRECISION - np.log2(size))) for _, size in batches) / WORD
    assert len(words) <= ideal + WORDS_A_STATE * lanes + 1
    assert len(words) >= ideal + (WORDS_A_STATE - 1) * lanes - 1


@settings(max_examples=60)
@given(st.integers(1, 7), st.lists(st.lists(intervals, min_size=1, max_size=20), max_size=12))
def test_any_intervals_in_any_lanes_and_batches_come_back(lanes: int, parts: list[list[Interval]]) -> None:
    batches = as_batches(parts)
    words = encoded(batches, lanes)
    check_decodes(words, batches, lanes)
    check_length(words, batches, lanes)


@pytest.mark.parametrize("kind", ["likely", "unlikely", "top", "any"])
@pytest.mark.parametrize("lanes", [1, 2, 5, 64, 1024])
def test_long_streams_come_back_and_are_as_short_as_can_be(kind: str, lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    batches = random_batches(rng, [1, 7, lanes, 3 * lanes + 1, 2000], kind)
    words = encoded(batches, lanes)
    check_decodes(words, batches, lanes)
    check_length(words, batches, lanes)


@pytest.mark.parametrize("size", [1, WHOLE - 1])
@pytest.mark.parametrize("at_the_top", [False, True])
def test_one_interval_again_and_again_comes_back(size: int, at_the_top: bool) -> None:
    batches = [(np.full(5000, WHOLE - size if at_the_top else 0), np.full(5000, size))]
    words = encoded(batches, 3)
    check_decodes(words, batches, 3)
    check_length(words, batches, 3)


def test_lanes_that_code_nothing_cost_three_words_each() -> None:
    assert encoded([], 5).tolist() == [0] * 5 * WORDS_A_STATE
    batches = as_batches([[(3, 1)]])
    words = encoded(batches, 9)
    check_decodes(words, batches, 9)


def test_a_batch_starts_with_the_first_lane_again() -> None:
    one = as_batches([[(5, 9)], [(7, 9)]])
    two = as_batches([[(5, 9), (7, 9)]])
    check_decodes(encoded(one, 2), one, 2)
    assert encoded(one, 2).tolist() != encoded(two, 2).tolist()


class ExactCoder:
    """One lane in whole numbers of any length, which need no carries: what RangeEncoder has to agree with."""

    def __init__(self, taken: list[Interval]) -> None:
        self.low, self.range, self.words = 0, 1 << STATE, 0
        for interval in taken:
            self.take(*interval)

    def take(self, start: int, size: int) -> None:
        part = self.range >> PRECISION
        self.low, self.range = self.low + part * start, part * size
        if self.range < LOW:
            self.low, self.range, self.words = self.low << WORD, self.range << WORD, self.words + 1

    @property
    def middle(self) -> int | None:
        """Where the range crosses into the next word, if it does: to code that leaves open whether a carry comes."""
        above = (1 << STATE) - (self.low & ((1 << STATE) - 1))
        part = self.range >> PRECISION
        return above // part if above % part and above // part < WHOLE - 1 else None

    def digits(self) -> list[int]:
        count = self.words + WORDS_A_STATE
        return [(self.low >> (WORD * (count - 1 - index))) & 0xFFFF for index in range(count)]


def undecided(rng: np.random.Generator, length: int) -> tuple[list[Interval], int]:
    """Intervals that leave open for ``length`` words whether a carry runs through all of these, and what is next."""
    coder, taken = ExactCoder([]), []
    while coder.middle is None:
        size = int(rng.integers(1, WHOLE // 2))
        taken.append((int(rng.integers(0, WHOLE - size)), size))
        coder.take(*taken[-1])
    wanted = coder.words + length
    while coder.words < wanted and coder.middle is not None:
        taken.append((coder.middle, 1))
        coder.take(*taken[-1])
    return (taken, coder.middle) if coder.middle is not None else undecided(rng, length)


@pytest.mark.parametrize("length", [1, 2, 3, 10, 100, 400, 10_000])
@pytest.mark.parametrize("comes", [False, True])
def test_carries_run_through_as_many_words_as_they_must(length: int, comes: bool) -> None:
    taken, middle = undecided(np.random.default_rng(length), length)
    taken += [(middle + 1 if comes else 0, 1), (WHOLE // 3, 17)]
    batches = as_batches([[interval] for interval in taken])
    words = encoded(batches, 1)
    assert words.tolist() == ExactCoder(taken).digits()
    assert np.count_nonzero(words == (0 if comes else 0xFFFF)) >= length - 1
    check_decodes(words, batches, 1)


def test_carries_of_some_lanes_leave_the_others_alone() -> None:
    rng = np.random.default_rng(1)
    chains = []
    for lane in range(4):
        taken, middle = undecided(rng, 30)
        chains.append([*taken, (middle + 1 if lane % 2 else 0, 1)])
    # A batch fills the first lanes, so the lane with the longest chain comes first.
    chains.sort(key=len, reverse=True)
    steps = [[chain[step] for chain in chains if step < len(chain)] for step in range(len(chains[0]))]
    batches = as_batches(steps)
    words = encoded(batches, 4)
    check_decodes(words, batches, 4)
    # The words of all lanes are those that each lane alone writes, in another order.
    alone = [digit for chain in chains for digit in ExactCoder(chain).digits()]
    assert sorted(words.tolist()) == sorted(alone)


@settings(max_examples=40)
@given(st.lists(intervals, max_size=60))
def test_one_lane_agrees_with_whole_numbers_of_any_length(taken: list[Interval]) -> None:
    assert encoded(as_batches([taken]), 1).tolist() == ExactCoder(taken).digits()


def decoded_with(
    words: np.ndarray, lanes: int, tables: list[np.ndarray], sizes: list[int]
) -> tuple[list, RangeDecoder]:
    """Symbols as a decoder finds them: the table's interval that holds the target."""
    coder, found = RangeDecoder(words, lanes), []
    for number, size in enumerate(sizes):
        table = tables[number % len(tables)]
        for first in range(0, size, lanes):
            target = coder.target(min(lanes, size - first))
            assert target.min() >= 0
            assert target.max() < WHOLE
            symbols = np.searchsorted(table, target, side="right") - 1
            coder.advance(table[symbols], table[symbols + 1] - table[symbols])
            found.append(symbols)
    return found, coder


def random_table(rng: np.random.Generator, symbols: int) -> np.ndarray:
    cuts = np.sort(rng.choice(np.arange(1, WHOLE), symbols - 1, replace=False))
    return np.concatenate([[0], cuts, [WHOLE]])


@pytest.mark.parametrize("lanes", [1, 4, 33])
def test_a_stream_cut_anywhere_is_flagged(lanes: int) -> None:
    rng = np.random.default_rng(2)
    table, sizes = random_table(rng, 30), [5, 40, 1, 100]
    symbols = [rng.integers(0, 30, size) for size in sizes]
    words = encoded([(table[part], table[part + 1] - table[part]) for part in symbols], lanes)
    back, whole = decoded_with(words, lanes, [table], sizes)
    assert np.array_equal(np.concatenate(back), np.concatenate(symbols))
    assert not whole.is_exhausted
    for length in range(len(words)):
        assert decoded_with(words[:length], lanes, [table], sizes)[1].is_exhausted


@settings(max_examples=60)
@given(
    st.one_of(st.lists(st.integers(0, 0xFFFF), max_size=60), st.integers(0, 60).map(lambda count: [0xFFFF] * count)),
    st.sampled_from([1, 2, 3, 8, 1024]),
    st.integers(0, 1 << 30),
)
def test_words_that_no_coder_wrote_give_targets_in_range(stream: list[int], lanes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Tables whose last symbol is likely in one and unlikely in the next lead furthest astray.
    tables = [random_table(rng, 97), np.array([0, 1, WHOLE]), np.array([0, WHOLE - 1, WHOLE])]
    _, coder = decoded_with(np.array(stream, np.uint16), lanes, tables, [9] * 60)
    assert coder.is_exhausted == (coder.position > len(stream))


def test_a_full_stream_of_ones_gives_targets_in_range() -> None:
    tables = [np.array([0, 1, WHOLE]), np.array([0, WHOLE - 1, WHOLE])]
    decoded_with(np.full(500, 0xFFFF, np.uint16), 2, tables, [7] * 100)
