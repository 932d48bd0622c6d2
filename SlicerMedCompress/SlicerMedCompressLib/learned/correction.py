"""Distributions corrected to the image: for each width level of the network, what really occurred at it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .distributions import ESCAPE, SHAPES, WIDTH_LEVELS, ZERO, DistributionTable
from .prediction import Prediction
from .range_coder import PRECISION

SAMPLES = 2000
"""Voxels of a level that decide."""
FEWEST = 200
"""With fewer a level keeps what the network says."""
REACH = 24
"""Levels further away are not tried."""


def uncorrected() -> np.ndarray:
    """Every level its own width, and the plain shape."""
    return np.stack([np.arange(WIDTH_LEVELS), np.zeros(WIDTH_LEVELS, np.int64)], axis=1)


def corrected(
    prediction: Prediction, values: np.ndarray, largest: int, value_bits: int, rng: np.random.Generator
) -> np.ndarray:
    """Choices (WIDTH_LEVELS, 2) of width level and shape that code the values shortest.

    Args:
        prediction: of some voxels. values: of these, int64. value_bits: cost of an escape.
    """
    choices = uncorrected()
    for level in np.unique(prediction.level):
        which = np.flatnonzero(prediction.level == level)
        if len(which) < FEWEST:
            continue
        if len(which) > SAMPLES:
            which = rng.choice(which, SAMPLES, replace=False)
        choices[level] = _best(int(level), prediction.centre[which], values[which], largest, value_bits)
    return choices


def _best(level: int, centre: np.ndarray, values: np.ndarray, largest: int, value_bits: int) -> tuple[int, int]:
    """The width level first, with the plain shape; then the shapes at widths near it."""

    def cost(choice: tuple[int, int]) -> float:
        return _cost(_table_of(*choice), centre, values, largest, value_bits)

    def levels(middle: int, reach: int) -> range:
        return range(max(0, middle - reach), min(WIDTH_LEVELS, middle + reach + 1))

    near, _ = min(((other, 0) for other in levels(level, REACH)), key=cost)
    return min(((other, shape) for other in levels(near, 2) for shape in range(len(SHAPES))), key=cost)


@lru_cache(maxsize=WIDTH_LEVELS * len(SHAPES))
def _table_of(level: int, shape: int) -> DistributionTable:
    return DistributionTable.of(np.array([[level, shape]]))


def _cost(table: DistributionTable, centre: np.ndarray, values: np.ndarray, largest: int, value_bits: int) -> float:
    located = table.locate(centre, np.zeros(len(centre), np.int64), largest)
    symbols = table.symbols_of(located, values)
    _, size = table.intervals(located, symbols)
    low = np.where(symbols == ESCAPE, value_bits, np.where(symbols == ZERO, 0, located.shift))
    return float(np.sum(PRECISION - np.log2(size) + low))
