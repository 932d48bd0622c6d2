"""How far a sequence is from its original: frame by frame, and along each voxel's time curve.

Of dynamic images the curves are what is read: of a contrast agent, of a beating heart, of the brain's answer. A voxel
counts as dynamic where the standard deviation of its original curve is above that of nine in ten voxels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import UnsupportedImageError
from ..image import finite_extremes

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
    """Figures of every frame, of all curves, and of the dynamic ones (None where none is)."""

    frames: tuple[FrameFidelity, ...]
    curves: CurveFidelity
    dynamic: CurveFidelity | None

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values; infinite ones are None."""
        found = asdict(self)
        for figures in (*found["frames"], found["curves"], *filter(None, [found["dynamic"]])):
            figures.update({key: None for key, value in figures.items() if value is not None and math.isinf(value)})
        return found

    def __str__(self) -> str:
        lines = [
            f"frame {number}: maximum {frame.maximum:.6g}, mean {frame.mean:.4g}, RMS {frame.root_mean_square:.4g}, "
            f"PSNR {frame.psnr:.2f} dB"
            for number, frame in enumerate(self.frames)
        ]
        lines.append(f"time curves: {_sentence(self.curves)}")
        if self.dynamic is not None:
            lines.append(f"dynamic time curves: {_sentence(self.dynamic)}")
        return "\n".join(lines)


def temporal_fidelity(original: np.ndarray, reconstructed: np.ndarray) -> TemporalFidelity:
    """Compare two sequences (frame, slice, row, column, component), a slice of a frame at a time.

    Samples that are not finite in both are left out; one that is finite in one only makes its errors infinite.

    Raises UnsupportedImageError where they are of different shapes.
    """
    if original.shape != reconstructed.shape or original.ndim != 5:
        raise UnsupportedImageError(
            f"Only sequences of one shape can be compared; these are {original.shape} and {reconstructed.shape}."
        )
    lowest, highest = finite_extremes(original)
    squares = np.zeros(original.shape[1:])
    frames: list[FrameFidelity] = []
    for number in range(len(original)):
        error = np.stack(list(_errors(original[number], reconstructed[number])))
        np.add(squares, error**2, out=squares)
        frames.append(_frame_fidelity(error, highest - lowest))
    error_of_curve = np.sqrt(squares / len(original)).ravel()
    spread = _spread_over_time(original).ravel()
    dynamic = spread > max(float(np.percentile(spread, DYNAMIC_PERCENTILE)), 0.0)
    return TemporalFidelity(
        tuple(frames),
        _curve_fidelity(error_of_curve, spread),
        _curve_fidelity(error_of_curve[dynamic], spread[dynamic]) if dynamic.any() else None,
    )


def _errors(original: np.ndarray, reconstructed: np.ndarray) -> Iterator[np.ndarray]:
    for before, after in zip(original, reconstructed, strict=True):
        one, other = before.astype(np.float64), after.astype(np.float64)
        finite = np.isfinite(one), np.isfinite(other)
        with np.errstate(invalid="ignore"):
            error = np.where(finite[0] & finite[1], other - one, 0.0)
        error[finite[0] != finite[1]] = np.inf
        yield error


def _frame_fidelity(error: np.ndarray, value_range: float) -> FrameFidelity:
    root_mean_square = math.sqrt(float(np.mean(error**2)))
    psnr = math.inf if root_mean_square == 0 else -math.inf
    if 0 < root_mean_square < math.inf and value_range > 0:
        psnr = 20 * math.log10(value_range / root_mean_square)
    return FrameFidelity(float(np.abs(error).max()), float(error.mean()), root_mean_square, psnr)


def _spread_over_time(original: np.ndarray) -> np.ndarray:
    """Standard deviation over time of each voxel, by Welford's recurrence (Technometrics 1962)."""
    mean, squares = np.zeros(original.shape[1:]), np.zeros(original.shape[1:])
    for number, frame in enumerate(original, 1):
        values = np.nan_to_num(frame.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        change = values - mean
        mean += change / number
        squares += change * (values - mean)
    return np.asarray(np.sqrt(squares / len(original)))


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
