"""Structural similarity: how much alike two images look, window by window.

Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image Quality Assessment: From Error
Visibility to Structural Similarity", IEEE Transactions on Image Processing 13(4), 2004.
"""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np

from ..errors import UnsupportedImageError
from ..libraries import library

_K1, _K2 = 0.01, 0.03
_SIGMA, _RADIUS = 1.5, 5
_WINDOW = 2 * _RADIUS + 1


def ssim(original: np.ndarray, reconstructed: np.ndarray, data_range: float) -> float:
    """Mean structural similarity of the slices of two volumes.

    Settings are those of the paper: a Gaussian window of 11 x 11 voxels with a standard deviation of
    1.5, K1 = 0.01, K2 = 0.03, variances and covariance of the window as a population. Windows that
    would reach over a slice's border do not count. A slice shorter than 11 along an axis has
    no window that fits; along that axis all windows count, and see the slice mirrored at its border.

    Windows that hold NaN or infinity do not count, nor slices without any window that counts.
    Each remaining slice weighs the same, identical ones (NaN in the same places) as 1.

    Args:
        original, reconstructed: arrays (slice, row, column) of the same shape and any real types.
        data_range: largest minus smallest value that the voxels can or do have, in their unit.

    Returns:
        From -1 to 1, exactly 1 for identical volumes. NaN if no slice counts, or if slices differ
        and ``data_range`` is not a positive number.

    Raises:
        UnsupportedImageError: the shapes differ or are not of three axes.
        MissingLibraryError: scipy is missing.
    """
    if original.shape != reconstructed.shape or original.ndim != 3:
        raise UnsupportedImageError(
            f"Structural similarity needs two volumes (slice, row, column) of the same shape, not {original.shape} "
            f"and {reconstructed.shape}; compare a volume with its own reconstruction."
        )
    ndimage = library("scipy.ndimage", "scipy", "Structural similarity")
    similarities = [
        _of_slice(ndimage, first, second, data_range) for first, second in zip(original, reconstructed, strict=True)
    ]
    counted = [value for value, counts in similarities if counts]
    return math.fsum(counted) / len(counted) if counted else math.nan


def _of_slice(ndimage: ModuleType, first: np.ndarray, second: np.ndarray, data_range: float) -> tuple[float, bool]:
    """Mean similarity of two slices (row, column), and whether any window counts."""
    if np.array_equal(first, second, equal_nan=first.dtype.kind == second.dtype.kind == "f"):
        return 1.0, bool(first.size)
    if not (math.isfinite(data_range) and data_range > 0):
        return math.nan, True
    x, y = first.astype(np.float64), second.astype(np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        return math.nan, False
    x[~finite], y[~finite] = np.nan, np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        values = _windows(ndimage, x, y, data_range)
    inner = values[tuple(slice(_RADIUS, -_RADIUS) if length >= _WINDOW else slice(None) for length in values.shape)]
    counted = inner[~np.isnan(inner)]
    return (float(counted.mean()), True) if counted.size else (math.nan, False)


def _windows(ndimage: ModuleType, x: np.ndarray, y: np.ndarray, data_range: float) -> np.ndarray:
    """Similarity around each voxel of two float64 slices, which are overwritten; NaN spreads over its windows.

    Values are taken from their common mean and in units of the range, which changes nothing but
    keeps the variances exact for values that are large beside their differences.
    """

    def mean(values: np.ndarray) -> np.ndarray:
        filtered: np.ndarray = ndimage.gaussian_filter(values, _SIGMA, truncate=_RADIUS / _SIGMA)
        return filtered

    middle = 0.5 * (float(np.nanmean(x)) + float(np.nanmean(y)))
    for values in (x, y):
        values -= middle
        values /= data_range
    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x * mean_x + (mean(y * y) - mean_y * mean_y)
    covariance = mean(x * y) - mean_x * mean_y
    mean_x += middle / data_range
    mean_y += middle / data_range
    similarity: np.ndarray = (2 * mean_x * mean_y + _K1**2) * (2 * covariance + _K2**2)
    similarity /= (mean_x * mean_x + mean_y * mean_y + _K1**2) * (variances + _K2**2)
    return similarity
