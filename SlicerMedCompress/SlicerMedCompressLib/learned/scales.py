"""Local scales: the units in which the network sees a neighbourhood, as integer tables.

One table of each serves every backend. A scale is a power of the square root of two; its reciprocals are
integers in 2^-16, and what they multiply is limited first, so that every product stays below 2^24
and is exact in float32.
"""

from __future__ import annotations

import math

import numpy as np

from .linear import SUBVOXEL_BITS
from .neighbourhood import ACTIVE, NEAREST

LEVELS = 36
LOWEST = -3
"""Scale index n stands for 2^((n + LOWEST) / 2) voxel units."""
INPUT_BITS = 4
INPUT_LIMIT = 192
"""Inputs are in 1/16 of a scale, at most 12 scales."""
RECIPROCAL_BITS = 16
_UNIT = ACTIVE * NEAREST
ACTIVITY_OFFSET = round(0.4 * _UNIT)
"""Added to the activity, so that constant surroundings have a scale."""

ENERGY_LIMIT = (1 << 19) - 1
"""Linear errors are kept within this, in 1/32 of a voxel's unit."""
ENERGY_WEIGHT = 31
_ENERGY_LEVELS = 72
_ENERGY_LOWEST = -16


def scale(index: int) -> float:
    """The scale of an index, in voxel units."""
    return math.pow(2.0, (index + LOWEST) / 2)


def _thresholds(count: int, unit: float, lowest: int, per_octave: int) -> np.ndarray:
    """Smallest integers of the levels above the first."""
    return np.array([math.ceil(unit * 2.0 ** ((lowest + level) / per_octave)) for level in range(1, count)], np.float32)


ACTIVITY_THRESHOLDS = _thresholds(LEVELS, _UNIT, LOWEST, 2)
"""Activity, its offset added, where each scale index above 0 begins."""
ENERGY_THRESHOLDS = _thresholds(_ENERGY_LEVELS, ENERGY_WEIGHT << SUBVOXEL_BITS, _ENERGY_LOWEST, 4)
"""Weighted sum of absolute linear errors where each quarter octave above the first begins."""


def _reciprocals(unit: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors that turn integers in 1/unit voxel into inputs, and the limits of those integers."""
    one = 1 << (RECIPROCAL_BITS + INPUT_BITS)
    factors = np.array([max(1, round(one / (unit * scale(index)))) for index in range(LEVELS)], np.float32)
    return factors, np.floor((INPUT_LIMIT << RECIPROCAL_BITS) / factors.astype(np.float64)).astype(np.float32)


DIFFERENCE_FACTORS, DIFFERENCE_LIMITS = _reciprocals(NEAREST)
SUBVOXEL_FACTORS, SUBVOXEL_LIMITS = _reciprocals(1 << SUBVOXEL_BITS)

CENTRE_BITS = 8
CENTRE_FACTORS = np.array([round(scale(index) * (1 << CENTRE_BITS)) for index in range(LEVELS)], np.float64)
"""Scales in 2^-8 voxel units, by which the network's answer is multiplied."""


def energy_weights(offsets: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """Weights of absolute linear errors: 3, 2 or 1, less the further away."""
    distance = [part * part + row * row + column * column for part, row, column in offsets]
    return np.array([3 if near == 1 else 2 if near == 2 else 1 for near in distance], np.float32)
