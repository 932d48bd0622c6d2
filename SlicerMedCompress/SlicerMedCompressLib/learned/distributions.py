"""Distributions of a voxel about its predicted centre, as integer tables, the same on every machine.

A distribution has a width (73 levels, four an octave) and one of a few shapes. Its symbols are bins of equal
size about the centre; of wide ones a bin holds 2, 4, 8 ... values, and the low bits follow uncoded. The last
symbol says that the voxel lies further away; its value follows uncoded.

Tables come from integer arithmetic alone (and `decimal`, whose rounding is specified, for a few constants), so they
are the same everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache

import numpy as np

from .linear import SUBVOXEL_BITS
from .range_coder import PRECISION

WIDTH_LEVELS = 73
UNIT_WIDTH_LEVEL = 20
"""Level n is of width 2^((n - 20) / 4) voxel units."""
BINS = 96
ESCAPE = BINS
ZERO = BINS + 1
"""The value 0 where it is one of several in its bin: see ``Located.zero``."""
ENTRIES = BINS + 2
Mixture = tuple[tuple[int, int], ...]
SHAPES: tuple[Mixture, ...] = (
    ((1, 0),),
    ((13, 0), (3, 4)),
    ((12, 0), (4, 6)),
    ((1, -2), (1, 1)),
    ((8, -4), (8, 3)),
    ((15, 0), (1, 8)),
    ((3, -5), (10, -1), (3, 4)),
    ((6, -8), (9, 2), (1, 12)),
)
"""Each shape a mixture of logistics about one centre: (weight, width level relative to the distribution's)."""
_FRACTION = 30
_EXPONENT_BITS = 12


def shift_of(level: int) -> int:
    """Low bits that are not coded at a width level."""
    return max(0, (level - UNIT_WIDTH_LEVEL) // 4 - 1)


def phase_bits_of(level: int) -> int:
    """Bits of the centre's fraction that tables of a width level tell apart: to a quarter of the width."""
    return min(SUBVOXEL_BITS, max(0, 2 - (level - UNIT_WIDTH_LEVEL) // 4))


@lru_cache(maxsize=1)
def _powers() -> np.ndarray:
    """2^-f for f in steps of 2^-12 from 0 to 1, in 2^-30: products of square roots of square roots."""
    fine = 90
    roots = [math.isqrt(1 << (2 * fine - 1))]
    while len(roots) < _EXPONENT_BITS:
        roots.append(math.isqrt(roots[-1] << fine))
    found = [1 << fine]
    for root in roots:
        # Steps so far were of twice the size: halve them.
        found = [value for pair in ((power, power * root >> fine) for power in found) for value in pair]
    return np.array([(power + (1 << (fine - _FRACTION - 1))) >> (fine - _FRACTION) for power in found], np.int64)


@lru_cache(maxsize=256)
def _rate(level: int) -> int:
    """log2(e) over the width, for 1/64 of a voxel unit, in 2^-32."""
    context = Context(prec=40)
    width = context.power(Decimal(2), Decimal(level - UNIT_WIDTH_LEVEL) / 4)
    log2e = context.divide(Decimal(1), context.ln(Decimal(2)))
    return int((context.divide(log2e, width) * (1 << 26)).to_integral_value())


def _logistic(edges: np.ndarray, level: int) -> np.ndarray:
    """Cumulative logistic distribution at edges in 1/64 voxel units, in 2^-30."""
    exponent = (np.abs(edges.astype(np.int64)) * _rate(level)) >> (32 - _EXPONENT_BITS)
    whole = np.minimum(exponent >> _EXPONENT_BITS, 62)
    power = _powers()[exponent & ((1 << _EXPONENT_BITS) - 1)] >> whole
    one = np.int64(1) << _FRACTION
    below = (power << _FRACTION) // (one + power)
    return np.asarray(np.where(edges < 0, below, one - below))


@lru_cache(maxsize=WIDTH_LEVELS * len(SHAPES))
def tables(level: int, shape: int) -> np.ndarray:
    """Cumulative frequencies (phase, ENTRIES), int32, from 0 to 2^PRECISION, each symbol at least 1.

    Args:
        level: width level. shape: index into SHAPES.
    """
    phases, shift = 1 << phase_bits_of(level), shift_of(level)
    # Phase p of n: the centre lies p / n - 1/2 from the whole number it is nearest to; of one phase, on it.
    centre = 64 * np.arange(phases) // phases - (32 if phases > 1 else 0)
    bins = (np.arange(BINS + 1) - BINS // 2) << shift
    edges = (64 * (bins - (1 << shift) // 2) - 32)[np.newaxis] - centre[:, np.newaxis]
    mixture = SHAPES[shape]
    total = sum(weight for weight, _ in mixture)
    parts = [weight * _logistic(edges, level + change) for weight, change in mixture]
    below = np.sum(parts, axis=0) // total
    inside = below - below[:, :1]
    free = (1 << PRECISION) - (BINS + 1)
    coded = ((inside * free) >> _FRACTION) + np.arange(BINS + 1)
    return np.concatenate([coded, np.full((phases, 1), 1 << PRECISION)], axis=1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class DistributionTable:
    """The tables of an image, one a width level of the network, corrected to the image.

    Attributes:
        choices: int (level, 2): width level and shape that stand in for each level of the network.
        first_row, phase_bits, shifts: of each level of the network, int32.
        cumulative: int32 (row, ENTRIES). keys: int32, all rows' symbols in one ascending list, for one search:
            row x 2^PRECISION + cumulative frequency.
    """

    choices: np.ndarray
    first_row: np.ndarray
    phase_bits: np.ndarray
    shifts: np.ndarray
    cumulative: np.ndarray
    keys: np.ndarray

    @classmethod
    def of(cls, choices: np.ndarray) -> DistributionTable:
        """The tables for these choices; ValueError if one is out of range."""
        if choices.ndim != 2 or choices.shape[1] != 2 or choices.min() < 0:
            raise ValueError("a distribution is chosen that does not exist")
        if choices[:, 0].max() >= WIDTH_LEVELS or choices[:, 1].max() >= len(SHAPES):
            raise ValueError("a distribution is chosen that does not exist")
        found = [tables(int(level), int(shape)) for level, shape in choices]
        rows = np.array([len(table) for table in found])
        cumulative = np.concatenate(found)
        keys = (np.arange(len(cumulative))[:, np.newaxis] << PRECISION) + cumulative[:, :-1]
        return cls(
            choices,
            (np.cumsum(rows) - rows).astype(np.int32),
            np.array([phase_bits_of(int(level)) for level in choices[:, 0]], np.int32),
            np.array([shift_of(int(level)) for level in choices[:, 0]], np.int32),
            cumulative,
            keys.astype(np.int32).reshape(-1),
        )

    def locate(self, centre: np.ndarray, level: np.ndarray, largest: int) -> Located:
        """Where voxels lie in the tables.

        Args:
            centre: int (voxel,), 1/32 units. level: int (voxel,). largest: greatest voxel value.
        """
        bits, shift = self.phase_bits[level], self.shifts[level]
        step = 32 >> bits
        rounded = ((centre + (step >> 1)) // step) * step
        base = (rounded + 16) >> SUBVOXEL_BITS
        phase = np.where(bits > 0, (rounded - (base << SUBVOXEL_BITS) + 16) // step, 0)
        origin = base - ((np.int64(1) << shift) >> 1) - (np.int64(BINS // 2) << shift)
        lowest = np.clip(-origin >> shift, 0, BINS - 1)
        highest = np.clip((largest - origin) >> shift, lowest, BINS - 1)
        row = self.first_row[level] + phase
        return Located(row, origin, shift, lowest, highest, self._zero(row, origin, shift, lowest, highest))

    def _zero(
        self, row: np.ndarray, origin: np.ndarray, shift: np.ndarray, lowest: np.ndarray, highest: np.ndarray
    ) -> np.ndarray:
        """What of the lowest bin belongs to 0: the share of the values up to it, and all that lies below the bin.

        Masked and clipped images have many zeros, and a bin of several values would make each cost its low bits.
        """
        within = -origin - (lowest.astype(np.int64) << shift)
        start, next_start = self.cumulative[row, lowest].astype(np.int64), self.cumulative[row, lowest + 1]
        end = np.where(lowest == highest, self.cumulative[row, ESCAPE], next_start)
        shared = start + (((next_start - start) * (within + 1)) >> shift)
        there = (shift > 0) & (within >= 0) & (within < (np.int64(1) << shift)) & (end > 1)
        return np.where(there, np.clip(shared, 1, np.maximum(end - 1, 1)), 0)

    def intervals(self, located: Located, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Start and size of symbols in cumulative frequencies.

        No voxel is below 0 or above the largest: what a distribution has there belongs to the last
        bins that hold voxels.
        """
        zeros = symbols == ZERO
        entry = np.where(zeros, 0, symbols)
        last = np.where(symbols == located.highest, ESCAPE, entry + 1)
        start = np.where(symbols == located.lowest, located.zero, self.cumulative[located.row, entry])
        start[zeros] = 0
        end = np.where(zeros, located.zero, self.cumulative[located.row, last])
        return start, end - start

    def symbols(self, located: Located, target: np.ndarray) -> np.ndarray:
        """The symbols whose intervals hold the targets."""
        place = np.searchsorted(self.keys, (located.row << PRECISION) + target, side="right") - 1
        found = place - located.row * (ENTRIES - 1)
        bins = np.where(found == ESCAPE, ESCAPE, np.clip(found, located.lowest, located.highest))
        return np.where(target < located.zero, ZERO, bins)

    def symbols_of(self, located: Located, values: np.ndarray) -> np.ndarray:
        """The symbols of values, int64."""
        symbols: np.ndarray = (values - located.origin) >> located.shift
        symbols[(symbols < 0) | (symbols >= BINS)] = ESCAPE
        symbols[(values == 0) & (located.zero > 0)] = ZERO
        return symbols


@dataclass(frozen=True, eq=False)
class Located:
    """Voxels in the tables.

    Attributes:
        row: of the tables. origin: value where bin 0 begins. shift: uncoded low bits.
        lowest, highest: first and last bin that hold voxels.
        zero: cumulative frequency up to which the value 0 lies, a symbol of its own without low bits where it shares
            its bin with others; 0 where it does not.
    """

    row: np.ndarray
    origin: np.ndarray
    shift: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    zero: np.ndarray

    def part(self, which: slice) -> Located:
        """Some of the voxels."""
        fields = (self.row, self.origin, self.shift, self.lowest, self.highest, self.zero)
        return Located(*(field[which] for field in fields))
