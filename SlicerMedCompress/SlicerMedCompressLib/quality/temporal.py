"""How far a sequence is from its original: frame by frame, and along each voxel's time curve.

Of dynamic images the curves are what is read: of a contrast agent, of a beating heart, of the brain's answer. A voxel
counts as dynamic where its original curve varies at least as much, in standard deviation, as those of nine in ten
voxels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np

from ..errors import UnsupportedImageError
from ..image import finite_extremes
from ..tolerance import psnr

DYNAMIC_PERCENTILE = 90.0


@dataclass(frozen=True)
class FrameFidelity:
    """Errors of a frame (reconstructed minus original) in stored units; PSNR in dB over the sequence's range."""

    maximum: float
    mean: float
    root_mean_square: float
    psnr: float


@dataclass(frozen=True)
class CurveFidelity:
    """Root mean square over time of the error of a voxel's curve: mean and 95th percentile over voxels.

    Attributes:
        mean, percentile_95: stored units. relative_mean, relative_percentile_95: in standard deviations of the
            original curve; None where no curve varies. voxels: how many.
    """

    mean: float
    percentile_95: float
    relative_mean: float | None
    relative_percentile_95: float | None
    voxels: int


@dataclass(frozen=True)
class TemporalFidelity:
    """Figures of every frame, of all curves, and of the dynamic ones (None where none is).

    ``values`` are the index values of the frames as text, or empty where they are not known.
    """

    frames: tuple[FrameFidelity, ...]
    curves: CurveFidelity
    dynamic: CurveFidelity | None
    values: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values; infinite ones are None."""
        found = asdict(self)
        for figures in (*found["frames"], found["curves"], *filter(None, [found["dynamic"]])):
            figures.update({key: None for key, value in figures.items() if value is not None and math.isinf(value)})
        return found

    def __str__(self) -> str:
        lines = [
            f"frame {number}{f' ({self.values[number]})' if self.values else ''}: maximum {frame.maximum:.6g}, "
            f"mean {frame.mean:.4g}, RMS {frame.root_mean_square:.4g}, PSNR {frame.psnr:.2f} dB"
            for number, frame in enumerate(self.frames)
        ]
        lines.append(f"time curves: {_sentence(self.curves)}")
        if self.dynamic is not None:
            lines.append(f"dynamic time curves: {_sentence(self.dynamic)}")
        return "\n".join(lines)


def temporal_fidelity(
    original: Iterable[np.ndarray], reconstructed: Iterable[np.ndarray], values: Sequence[str] = ()
) -> TemporalFidelity:
    """Compare two sequences frame by frame, going through each of them once.

    A sample that is NaN in both, or the same infinity, counts nowhere; any other that is not finite in both makes its
    errors infinite. What counts nowhere at any time has no curve.

    Args:
        original, reconstructed: frames (slice, row, column, component), the first first; arrays (frame, slice, row,
            column, component) will do. Memory: a few float64 arrays of the size of a frame.
        values: index values of the frames as text, to tell them by; empty where they are not known.

    Raises UnsupportedImageError where they are of different shapes, or the values are not one a frame.
    """
    errors: list[FrameFidelity] = []
    curves: _Curves | None = None
    lowest, highest = math.inf, -math.inf
    for before, after in zip_longest(original, reconstructed):
        curves = curves or _Curves(() if before is None else before.shape)
        _check_alike(before, after, curves.shape)
        error = _errors(before, after)
        curves.add(before, error)
        errors.append(_frame_fidelity(error))
        if np.isfinite(before).any():
            low, high = finite_extremes(before[np.newaxis])
            lowest, highest = min(lowest, low), max(highest, high)
    if curves is None:
        raise UnsupportedImageError("There are no frames to compare.")
    if len(values) not in (0, len(errors)):
        raise UnsupportedImageError(f"{len(errors)} frames need as many index values, not {len(values)}; or give none.")
    frames = tuple(replace(frame, psnr=_psnr(frame.root_mean_square, highest - lowest)) for frame in errors)
    return TemporalFidelity(frames, *curves.fidelity(), values=tuple(values))


def _check_alike(original: np.ndarray | None, reconstructed: np.ndarray | None, shape: tuple[int, ...]) -> None:
    """Raise UnsupportedImageError unless both are frames of this shape; None stands for no frame."""
    if original is None or reconstructed is None or not original.shape == reconstructed.shape == shape:
        raise UnsupportedImageError(
            "Only sequences of as many frames of one shape can be compared; "
            "compare a sequence with its own reconstruction."
        )


def _errors(original: np.ndarray, reconstructed: np.ndarray) -> np.ndarray:
    """Reconstructed minus original; NaN where both are NaN or one infinity, else infinite where not both are finite."""
    one, other = original.astype(np.float64), reconstructed.astype(np.float64)
    finite, also_finite = np.isfinite(one), np.isfinite(other)
    with np.errstate(invalid="ignore"):
        error = other - one
    error[~(finite & also_finite)] = np.inf
    error[(np.isnan(one) & np.isnan(other)) | (~finite & (one == other))] = np.nan
    return error


def _frame_fidelity(error: np.ndarray) -> FrameFidelity:
    """The figures of a frame but its PSNR, which needs the range of all frames."""
    counted = error[~np.isnan(error)]
    if not counted.size:
        return FrameFidelity(0.0, 0.0, 0.0, math.inf)
    root_mean_square = math.sqrt(float(np.mean(counted**2)))
    return FrameFidelity(float(np.abs(counted).max()), float(counted.mean()), root_mean_square, math.inf)


def _psnr(root_mean_square: float, value_range: float) -> float:
    return -math.inf if math.isinf(root_mean_square) else psnr(root_mean_square, value_range)


class _Curves:
    """Sums over time of every voxel: of its squared errors, and Welford's (Technometrics 1962) of its original."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._compared, self._finite = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        self._squared_errors, self._mean, self._squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)

    def add(self, original: np.ndarray, error: np.ndarray) -> None:
        """A frame and its errors as of ``_errors``."""
        compared, finite = ~np.isnan(error), np.isfinite(error)
        self._compared += compared
        self._squared_errors += np.where(compared, error, 0.0) ** 2
        self._finite += finite
        values = np.where(finite, original, self._mean)
        change = values - self._mean
        self._mean += change / np.maximum(self._finite, 1)
        self._squares += change * (values - self._mean)

    def fidelity(self) -> tuple[CurveFidelity, CurveFidelity | None]:
        """Of all curves, and of the dynamic ones."""
        has_curve = self._compared > 0
        error = np.sqrt(self._squared_errors[has_curve] / self._compared[has_curve])
        spread = np.sqrt(self._squares[has_curve] / np.maximum(self._finite[has_curve], 1))
        if not error.size:
            return CurveFidelity(0.0, 0.0, None, None, 0), None
        dynamic = (spread >= np.percentile(spread, DYNAMIC_PERCENTILE)) & (spread > 0)
        chosen = _curve_fidelity(error[dynamic], spread[dynamic]) if dynamic.any() else None
        return _curve_fidelity(error, spread), chosen


def _curve_fidelity(error: np.ndarray, spread: np.ndarray) -> CurveFidelity:
    varies = spread > 0
    relative = error[varies] / spread[varies]
    return CurveFidelity(
        float(error.mean()),
        _percentile_95(error),
        float(relative.mean()) if relative.size else None,
        _percentile_95(relative) if relative.size else None,
        int(error.size),
    )


def _percentile_95(values: np.ndarray) -> float:
    # Not interpolated: there is nothing between a number and infinity.
    return float(np.percentile(values, 95, method="higher"))


def _sentence(curves: CurveFidelity) -> str:
    told = f"RMS error {curves.mean:.4g} in the mean, {curves.percentile_95:.4g} at the 95th percentile"
    if curves.relative_mean is None or curves.relative_percentile_95 is None:
        return f"{told} ({curves.voxels:,} voxels, none varies)"
    return (
        f"{told}; {100 * curves.relative_mean:.2f} % and {100 * curves.relative_percentile_95:.2f} % of the curve's "
        f"own standard deviation ({curves.voxels:,} voxels)"
    )
