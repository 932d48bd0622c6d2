"""Lists of small integers as few bytes: the parameters of a model, each list with the width that suits it.

Uses the distributions and the range coder that voxels are coded with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import CorruptStreamError
from .distributions import BINS, ESCAPE, UNIT_WIDTH_LEVEL, phase_bits_of, tables
from .range_coder import PRECISION, RangeDecoder, RangeEncoder

LEVELS = range(4, UNIT_WIDTH_LEVEL + 8)
"""Widths of 1/16 to 4: a bin is one integer."""
_SHAPE = 4
_VALUE_BITS = 24
_HALF = 1 << (_VALUE_BITS - 1)


def encode_lists(lists: Sequence[np.ndarray]) -> bytes:
    """Integers within 2^23 of 0, whose counts the decoder knows."""
    chosen = [_best_level(values) for values in lists]
    coder = RangeEncoder(1)
    for values, level in zip(lists, chosen, strict=True):
        table = _table(level)
        for value in map(int, np.ravel(values)):
            symbol = value + BINS // 2
            inside = 0 <= symbol < BINS
            symbol = symbol if inside else ESCAPE
            _encode(coder, int(table[symbol]), int(table[symbol + 1] - table[symbol]))
            if not inside:
                raw = value + _HALF
                for shift in (16, 8, 0):
                    _encode(coder, ((raw >> shift) & 0xFF) << 8, 1 << 8)
    return bytes(chosen) + coder.words().astype("<u2").tobytes()


def decode_lists(data: bytes, counts: Sequence[int]) -> list[np.ndarray]:
    """The lists of these lengths, int64; CorruptStreamError if the data end too early or have too much."""
    levels, words = data[: len(counts)], data[len(counts) :]
    if len(levels) < len(counts) or len(words) % 2 or any(level not in LEVELS for level in levels):
        raise CorruptStreamError("The model in the file is damaged.")
    coder = RangeDecoder(np.frombuffer(words, "<u2"), 1)
    found = []
    for level, count in zip(levels, counts, strict=True):
        table, values = _table(level), np.empty(count, np.int64)
        for index in range(count):
            symbol = int(np.searchsorted(table, coder.target(1)[0], side="right")) - 1
            _take(coder, int(table[symbol]), int(table[symbol + 1] - table[symbol]))
            values[index] = symbol - BINS // 2 if symbol != ESCAPE else _escaped(coder)
        found.append(values)
    if coder.is_exhausted or coder.position != len(words) // 2:
        raise CorruptStreamError("The model in the file is damaged.")
    return found


def _escaped(coder: RangeDecoder) -> int:
    raw = 0
    for _ in range(3):
        byte = int(coder.target(1)[0]) >> 8
        _take(coder, byte << 8, 1 << 8)
        raw = raw << 8 | byte
    return raw - _HALF


def _encode(coder: RangeEncoder, start: int, size: int) -> None:
    coder.encode(np.array([start]), np.array([size]))


def _take(coder: RangeDecoder, start: int, size: int) -> None:
    coder.advance(np.array([start]), np.array([size]))


def _table(level: int) -> np.ndarray:
    found: np.ndarray = tables(level, _SHAPE)[(1 << phase_bits_of(level)) // 2]
    return found


def _best_level(values: np.ndarray) -> int:
    flat = np.ravel(values).astype(np.int64) + BINS // 2
    symbols = np.where((flat >= 0) & (flat < BINS), flat, ESCAPE)
    costs = [float(np.sum(PRECISION - np.log2(np.diff(_table(level))[symbols]))) for level in LEVELS]
    return LEVELS[int(np.argmin(costs))]
