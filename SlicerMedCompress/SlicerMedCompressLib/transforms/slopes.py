"""Float slices that are integers times a slope: PET, and most rescaled volumes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..image import same_voxels
from ..tiling import Region
from .base import Transform

LARGEST_INTEGER = 1 << 24


@dataclass(frozen=True)
class RescaleSlopes(Transform):
    """Each slice divided by its rescale slope (DICOM PS3.3 C.7.6.16.2.9), as int32.

    The slope is found from the voxels and checked on all of them: the type's nearest number to
    integer x slope is the voxel, bit for bit, or this step is not used.

    Attributes:
        dtype: float32 or float64.
        slopes: one for the whole image, or one a (frame, slice), frames first.
        slices: slices a frame.
    """

    id: ClassVar[str] = "rescale-slopes"
    dtype: str
    slopes: tuple[float, ...]
    slices: int

    def of(self, region: Region) -> np.ndarray:
        """The slopes of a region: one of all its slices, or one a slice."""
        if len(self.slopes) == 1:
            return np.array(self.slopes)
        first = region.frame * self.slices
        return np.array(self.slopes[first + region.slices[0] : first + region.slices[1]])

    def _slopes_of(self, region: Region) -> np.ndarray:
        return self.of(region).reshape(-1, 1, 1, 1)

    def output(self, dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
        if dtype != np.dtype(self.dtype):
            raise CorruptStreamError(f"The slopes are for {self.dtype} voxels, not {dtype.name}.")
        return np.dtype(np.int32), components

    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        return np.asarray(np.rint(tile / self._slopes_of(region)).astype(np.int32))

    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        slopes = self._slopes_of(region)
        if slopes.shape[0] not in (1, tile.shape[0]):
            raise CorruptStreamError("There are fewer slopes than slices.")
        # A hostile file may overflow the type here; that gives infinities, not a failure.
        with np.errstate(over="ignore"):
            return np.asarray((tile * slopes).astype(self.dtype))

    def to_json(self) -> dict[str, Any]:
        return {"type": self.dtype, "slopes": list(self.slopes), "slices": self.slices}

    @classmethod
    def from_json(cls, parameters: dict[str, Any]) -> RescaleSlopes:
        slopes = tuple(float(slope) for slope in parameters["slopes"])
        if parameters["type"] not in ("float32", "float64") or not slopes or not all(np.isfinite(slopes)):
            raise ValueError("Slopes are finite numbers for float32 or float64 voxels.")
        return cls(parameters["type"], slopes, int(parameters["slices"]))


def find_slopes(voxels: np.ndarray) -> RescaleSlopes | None:
    """Slopes that make every voxel an integer multiple, exactly; one if it serves all slices.

    Args:
        voxels: float array (frame, slice, row, column, component).
    """
    frames, slices = voxels.shape[:2]
    middle = voxels[frames // 2, slices // 2]
    common = slope_of(middle)
    if common is None:
        return None
    whole = RescaleSlopes(voxels.dtype.name, (common,), slices)
    if all(_explains(whole, voxels, frame, part) for frame in range(frames) for part in range(slices)):
        return whole
    merged = _merged_slope(voxels)
    if merged is not None:
        whole = RescaleSlopes(voxels.dtype.name, (merged,), slices)
        if all(_explains(whole, voxels, frame, part) for frame in range(frames) for part in range(slices)):
            return whole
    found = []
    for frame in range(frames):
        for part in range(slices):
            slope = slope_of(voxels[frame, part])
            if slope is None:
                return None
            found.append(slope)
    each = RescaleSlopes(voxels.dtype.name, tuple(found), slices)
    if all(_explains(each, voxels, frame, part) for frame in range(frames) for part in range(slices)):
        return each
    return None


def _merged_slope(voxels: np.ndarray) -> float | None:
    """The slope of all slices together, if few enough values occur to be gathered."""
    values: np.ndarray = np.empty(0, voxels.dtype)
    for volume in voxels:
        for plane in volume:
            values = np.union1d(values, plane)
            if values.size > LARGEST_INTEGER >> 8:
                return None
    return slope_of(values)


def _explains(transform: RescaleSlopes, voxels: np.ndarray, frame: int, part: int) -> bool:
    rows, columns = voxels.shape[2:4]
    region = Region(frame, (part, part + 1), (0, rows), (0, columns))
    tile = region.of(voxels)
    with np.errstate(all="ignore"):
        ratio = np.abs(tile / transform._slopes_of(region))
    if not bool(np.all(ratio < LARGEST_INTEGER)):
        return False
    return same_voxels(transform.inverse(transform.forward(tile, region), region), np.ascontiguousarray(tile))


def slope_of(values: np.ndarray) -> float | None:
    """The slope s such that every value is the nearest float to an integer times s, or None.

    Starts from a common divisor of the smallest values (Euclid's algorithm with a tolerance), then
    narrows the interval that s must lie in by larger and larger values: k s rounds to v, so s is
    within half a spacing of v, divided by k.
    """
    magnitudes = np.unique(np.abs(values))
    if not np.all(np.isfinite(magnitudes)):
        return None
    magnitudes = magnitudes[magnitudes > 0]
    if magnitudes.size == 0:
        return 1.0
    if np.all(magnitudes == np.rint(magnitudes)) and magnitudes[-1] < LARGEST_INTEGER:
        return 1.0
    # Numbers near the ends of the type overflow or vanish on the way; the check at the end is exact.
    with np.errstate(all="ignore"):
        return _exact_slope(magnitudes)


def _exact_slope(magnitudes: np.ndarray) -> float | None:
    exact = magnitudes.astype(np.float64)
    step = _common_divisor(exact[:64], 2.0**-18 if magnitudes.dtype == np.float32 else 2.0**-44)
    if step <= exact[-1] / LARGEST_INTEGER:
        return None
    interval = _interval(exact, np.spacing(magnitudes).astype(np.float64) / 2, step)
    if interval is None:
        return None
    multiples = np.rint(exact / interval[0])
    for slope in _candidates(*interval):
        if np.array_equal((multiples * slope).astype(magnitudes.dtype), magnitudes):
            return slope
    return None


def _common_divisor(values: np.ndarray, tolerance: float) -> float:
    """An approximate common divisor of ascending positive numbers; tiny where there is none."""
    step = float(values[0])
    for value in map(float, values[1:]):
        first, second = value, step
        while second > tolerance * value:
            first, second = second, abs(first - round(first / second) * second)
        if not math.isfinite(first):
            # Numbers near the end of the range overflowed.
            return 0.0
        # A larger multiple tells the step more exactly.
        step = value / round(value / first)
    return step


def _interval(exact: np.ndarray, halves: np.ndarray, slope: float) -> tuple[float, float] | None:
    """Where the slope must lie for ascending values known to within ``halves``; None if nowhere."""
    low, high, used = 0.0, np.inf, 0
    while used < exact.size:
        # Doubling windows: a slope good to one part in n identifies multiples up to n / 2.
        reach = max(used + 1, int(np.searchsorted(exact, 2 * exact[max(used - 1, 0)], side="right")))
        window = slice(used, reach)
        multiples = np.maximum(np.rint(exact[window] / slope), 1.0)
        low = max(low, float(((exact[window] - halves[window]) / multiples).max()))
        high = min(high, float(((exact[window] + halves[window]) / multiples).min()))
        # The bounds themselves are rounded, so they may cross by a last bit or two.
        if low > high * (1 + 2.0**-50):
            return None
        slope, used = (low + high) / 2, reach
    return min(low, high), max(low, high)


def _candidates(low: float, high: float) -> Iterator[float]:
    """The number of fewest decimal digits in an interval (slopes are written as decimal text), then others."""
    middle = (low + high) / 2
    for digits in range(1, 18):
        shortest = float(f"{middle:.{digits}g}")
        if low <= shortest <= high:
            yield shortest
            break
    yield middle
    for neighbor in (low, high):
        for _ in range(4):
            yield float(neighbor)
            neighbor = np.nextafter(neighbor, middle if low < high else np.inf)
