"""The tables that voxels are coded with: sound, close to what they stand for, and never another."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_samples import identity_choices, random_choices
from scipy.special import expit

from SlicerMedCompressLib.learned.distributions import (
    BINS,
    ENTRIES,
    ESCAPE,
    SHAPES,
    UNIT_WIDTH_LEVEL,
    WIDTH_LEVELS,
    ZERO,
    DistributionTable,
    Located,
    phase_bits_of,
    shift_of,
    tables,
)
from SlicerMedCompressLib.learned.range_coder import PRECISION

WHOLE = 1 << PRECISION
NUMBERS = range(len(SHAPES))
TOLERANCE = 0.003
"""Bits a voxel that a table may cost more than the distribution it stands for; the 97 least frequencies cost 0.002."""

GOLDEN_TABLE_CHECKSUMS = (
    1729440218,
    70858736,
    3198204655,
    923907885,
    3028491164,
    1011193340,
    4270771132,
    2504902642,
)
"""CRC-32 of all tables of each shape. Files depend on every number: a change here makes old files unreadable."""


def test_the_tables_are_those_that_files_were_written_with() -> None:
    found = []
    for shape in NUMBERS:
        checksum = 0
        for level in range(WIDTH_LEVELS):
            checksum = zlib.crc32(tables(level, shape).astype("<i4").tobytes(), checksum)
        found.append(checksum)
    assert tuple(found) == GOLDEN_TABLE_CHECKSUMS


@pytest.mark.parametrize("shape", NUMBERS)
def test_frequencies_rise_from_nothing_to_the_whole_by_at_least_one(shape: int) -> None:
    for level in range(WIDTH_LEVELS):
        table = tables(level, shape)
        assert table.shape == (1 << phase_bits_of(level), ENTRIES)
        assert np.all(table[:, 0] == 0)
        assert np.all(table[:, -1] == WHOLE)
        assert np.all(np.diff(table, axis=1) >= 1)


def test_wide_distributions_leave_bits_uncoded_and_narrow_ones_tell_phases_apart() -> None:
    for level in range(WIDTH_LEVELS):
        width = 2.0 ** ((level - UNIT_WIDTH_LEVEL) / 4)
        # A bin is at most as wide as what it divides finely enough, and 96 of them reach far enough.
        assert 1 << shift_of(level) <= max(1.0, width / 2)
        assert BINS / 2 * (1 << shift_of(level)) >= 12 * width
        assert 1 / (1 << phase_bits_of(level)) <= max(1 / 32, width / 4) or phase_bits_of(level) == 0


def true_probabilities(level: int, shape: int, phase: int) -> np.ndarray:
    """Of all symbols by floating point, from what the bins hold: the centre's fraction is the phase's."""
    phases, shift = 1 << phase_bits_of(level), shift_of(level)
    centre = phase / phases - 0.5 if phases > 1 else 0.0
    # Bin 0 begins half a bin and 48 bins below the whole number nearest to the centre.
    first = -((1 << shift) >> 1) - ((BINS // 2) << shift)
    edges = first + (np.arange(BINS + 1) << shift) - 0.5 - centre
    below = np.zeros(BINS + 1)
    total = sum(weight for weight, _ in SHAPES[shape])
    for weight, change in SHAPES[shape]:
        width = 2.0 ** ((level + change - UNIT_WIDTH_LEVEL) / 4)
        below += weight / total * expit(edges / width)
    inside = np.diff(below)
    return np.append(inside, 1 - inside.sum())


@pytest.mark.parametrize("shape", NUMBERS)
def test_tables_cost_little_more_than_the_distribution_that_they_stand_for(shape: int) -> None:
    for level in range(WIDTH_LEVELS):
        for phase, table in enumerate(tables(level, shape)):
            true = true_probabilities(level, shape, phase)
            coded = np.diff(table) / WHOLE
            possible = true > 0
            extra = np.sum(true[possible] * np.log2(true[possible] / coded[possible]))
            assert extra <= TOLERANCE


@pytest.mark.parametrize("level", range(UNIT_WIDTH_LEVEL + 8))
def test_centres_are_rounded_to_the_nearest_phase_and_halves_up(level: int) -> None:
    table = DistributionTable.of(identity_choices())
    phases = 1 << phase_bits_of(level)
    for fraction in range(64):
        located = table.locate(np.array([500 * 32 + fraction]), np.array([level]), 1000)
        base = int(located.origin[0]) + BINS // 2
        phase = int(located.row[0] - table.first_row[level])
        # Phase p of n stands for p / n - 1/2 from the whole number; a lone phase for the number itself.
        stands_for = base + (phase / phases - 0.5 if phases > 1 else 0)
        assert stands_for == 500 + np.floor(fraction / 32 * phases + 0.5) / phases
        assert 0 <= phase < phases


def test_narrow_distributions_are_likeliest_at_their_centre() -> None:
    table = DistributionTable.of(identity_choices())
    for fraction in range(32):
        located = table.locate(np.array([500 * 32 + fraction]), np.array([8]), 1000)
        _, size = table.intervals(spread(located, BINS), np.arange(BINS))
        assert fraction == 16 or int(located.origin[0]) + int(np.argmax(size)) == (500 if fraction < 16 else 501)


def spread(located: Located, count: int) -> Located:
    """One voxel's place so many times."""
    parts = (located.row, located.origin, located.shift, located.lowest, located.highest, located.zero)
    return Located(*(np.repeat(part, count) for part in parts))


def symbols_of(values: np.ndarray, located: Located) -> tuple[np.ndarray, np.ndarray]:
    """Symbols of values and their uncoded bits, as an encoder finds them."""
    symbols = (values - located.origin) >> located.shift
    escapes = (symbols < 0) | (symbols >= BINS)
    low = np.where(escapes, values, (values - located.origin) & ((1 << located.shift) - 1))
    zeros = (values == 0) & (located.zero > 0)
    return np.where(zeros, ZERO, np.where(escapes, ESCAPE, symbols)), np.where(zeros, 0, low)


def check_inverse(table: DistributionTable, centre: int, level: int, largest: int, values: np.ndarray) -> None:
    """Value to symbol to interval, and from anywhere in the interval to the symbol and the value."""
    count = len(values)
    located = table.locate(np.full(count, centre), np.full(count, level), largest)
    symbols, low = symbols_of(values, located)
    start, size = table.intervals(located, symbols)
    assert np.all(size >= 1)
    assert np.all((start >= 0) & (start + size <= WHOLE))
    within = np.random.default_rng(count).integers(0, size)
    for target in (start, start + within, start + size - 1):
        assert np.array_equal(table.symbols(located, target), symbols)
    back = np.where(symbols == ESCAPE, low, located.origin + (symbols << located.shift) + low)
    back[symbols == ZERO] = 0
    assert np.array_equal(back, values)
    assert np.all(low[symbols != ESCAPE] < 1 << located.shift[symbols != ESCAPE])


tops = st.one_of(st.integers(0, 300), st.sampled_from([1, 255, 4095, 65535]), st.integers(300, 65535))


def some_values(largest: int, centre: int) -> np.ndarray:
    """All values of narrow ranges; of wide ones the ends, those about the centre, and some between."""
    if largest <= 600:
        return np.arange(largest + 1)
    middle = centre >> 5
    near = np.arange(max(0, middle - 80), min(largest, middle + 80) + 1)
    return np.unique([*near, *np.linspace(0, largest, 300).astype(int), *range(60), *range(largest - 60, largest + 1)])


@settings(max_examples=150)
@given(st.data())
def test_values_come_back_from_anywhere_in_their_interval(data: st.DataObject) -> None:
    largest = data.draw(tops)
    centre = data.draw(st.one_of(st.sampled_from([0, 32 * largest]), st.integers(0, 32 * largest)))
    choices = data.draw(st.sampled_from([identity_choices(), random_choices(np.random.default_rng(1))]))
    level = data.draw(st.integers(0, WIDTH_LEVELS - 1))
    check_inverse(DistributionTable.of(choices), centre, level, largest, some_values(largest, centre))


@pytest.mark.parametrize("level", [0, 19, 24, 40, 71, WIDTH_LEVELS - 1])
def test_all_values_of_sixteen_bits_come_back(level: int) -> None:
    table = DistributionTable.of(identity_choices())
    values = np.arange(0, 65536, 3)
    for centre in (0, 12345 * 32 + 17, 65535 * 32):
        check_inverse(table, centre, level, 65535, values)


@settings(max_examples=40)
@given(st.data())
def test_any_target_gives_a_symbol_whose_interval_holds_it(data: st.DataObject) -> None:
    largest = data.draw(tops)
    centre, level = data.draw(st.integers(0, 32 * largest)), data.draw(st.integers(0, WIDTH_LEVELS - 1))
    table = DistributionTable.of(random_choices(np.random.default_rng(data.draw(st.integers(0, 9)))))
    targets = np.unique([*range(0, WHOLE, 131), *range(100), *range(WHOLE - 100, WHOLE)])
    located = spread(table.locate(np.array([centre]), np.array([level]), largest), len(targets))
    symbols = table.symbols(located, targets)
    start, size = table.intervals(located, symbols)
    assert np.all((start <= targets) & (targets < start + size))
    inside = (symbols != ESCAPE) & (symbols != ZERO)
    assert np.all((located.lowest <= symbols) & (symbols <= located.highest) | ~inside)
    # Together they use up the whole: nothing is lost to bins that no voxel is in.
    zero = [ZERO] if located.zero[0] else []
    bins = np.array([*zero, *range(located.lowest[0], located.highest[0] + 1), ESCAPE])
    start, size = table.intervals(spread(table.locate(np.array([centre]), np.array([level]), largest), len(bins)), bins)
    assert start[0] == 0
    assert np.array_equal(start[1:], (start + size)[:-1])
    assert start[-1] + size[-1] == WHOLE


def test_many_voxels_are_located_as_each_alone() -> None:
    rng = np.random.default_rng(4)
    table = DistributionTable.of(random_choices(rng))
    centre, level = rng.integers(0, 32 * 4095, 500), rng.integers(0, WIDTH_LEVELS, 500)
    located = table.locate(centre, level, 4095)
    values = rng.integers(0, 4096, 500)
    symbols, _ = symbols_of(values, located)
    start, size = table.intervals(located, symbols)
    assert np.array_equal(table.symbols(located, start + size - 1), symbols)
    for number in range(0, 500, 23):
        part = slice(number, number + 1)
        alone = table.locate(centre[part], level[part], 4095)
        assert [alone.row[0], alone.origin[0], alone.shift[0]] == [
            located.row[number],
            located.origin[number],
            located.shift[number],
        ]
        assert table.intervals(alone, symbols[part])[0][0] == start[number]


def test_many_zeros_in_a_wide_distribution_cost_no_low_bits() -> None:
    table, count = DistributionTable.of(identity_choices()), 100
    located = table.locate(np.zeros(count, int), np.full(count, 52), 4095)
    assert np.all(located.shift == 7)
    symbols = table.symbols_of(located, np.zeros(count, int))
    assert np.all(symbols == ZERO)
    _, size = table.intervals(located, symbols)
    # Half of the distribution lies below 0, which belongs to 0.
    assert np.all(size > WHOLE // 2 - 300)


def test_the_list_to_search_is_ascending_and_fits_32_bits_even_of_the_narrowest() -> None:
    for level in (0, WIDTH_LEVELS - 1):
        choices = identity_choices()
        choices[:, 0] = level
        table = DistributionTable.of(choices)
        assert np.all(np.diff(table.keys.astype(np.int64)) > 0)
        assert int(table.keys[-1]) == (len(table.cumulative) - 1) * WHOLE + int(table.cumulative[-1, ESCAPE])


@pytest.mark.parametrize(
    ("place", "value"), [((0, 0), -1), ((5, 1), -1), ((72, 0), WIDTH_LEVELS), ((3, 1), len(SHAPES))]
)
def test_choices_of_what_does_not_exist_are_refused(place: tuple[int, int], value: int) -> None:
    choices = identity_choices()
    choices[place] = value
    with pytest.raises(ValueError, match="does not exist"):
        DistributionTable.of(choices)
