"""How far a decoded voxel may be from its original, and how far voxels were found to be."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .tiling import Region, parts_of


@dataclass(frozen=True, eq=False)
class Tolerance:
    """What must be kept of every voxel; NaN and infinities are always kept bit for bit.

    Attributes:
        bound: largest error: in stored units, or as a share of the original's magnitude; infinite
            where nothing is promised.
        relative: whether it is such a share.
        exact: bool array (slice, row, column), true where voxels are kept bit for bit in every frame;
            None for nowhere.
    """

    bound: float
    relative: bool = False
    exact: np.ndarray | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether it promises anything of voxels that are not kept exactly."""
        return math.isfinite(self.bound)

    def exact_in(self, region: Region) -> np.ndarray | None:
        """Where the voxels of a tile must be identical: bool (slice, row, column, 1), or None for nowhere."""
        if self.exact is None:
            return None
        inside = self.exact[slice(*region.slices), slice(*region.rows), slice(*region.columns), np.newaxis]
        return inside if inside.any() else None

    def allowed(self, original: np.ndarray, region: Region) -> np.ndarray:
        """Largest error of each voxel of a tile (slice, row, column, component), as float64; may broadcast."""
        bound: np.ndarray = np.full((1, 1, 1, 1), self.bound)
        if self.relative:
            with np.errstate(invalid="ignore"):
                bound = np.nan_to_num(np.abs(original.astype(np.float64)) * self.bound, nan=0.0)
        inside = self.exact_in(region)
        return bound if inside is None else np.where(inside, 0.0, bound)


@dataclass(frozen=True)
class Deviation:
    """Errors (decoded minus original, stored units) over the voxels that need not be exact.

    Attributes:
        count: samples compared; those in an exact region or not finite are not among them.
        maximum: largest magnitude; share: largest in proportion to the original, where that is asked for.
        total, square: sums of errors and of their squares.
        broken: samples, exact ones included, that differ by more than they may.
        exact: samples in an exact region.
    """

    count: int = 0
    maximum: float = 0.0
    total: float = 0.0
    square: float = 0.0
    broken: int = 0
    exact: int = 0
    share: float = 0.0

    def __add__(self, other: Deviation) -> Deviation:
        return Deviation(
            self.count + other.count,
            max(self.maximum, other.maximum),
            self.total + other.total,
            self.square + other.square,
            self.broken + other.broken,
            self.exact + other.exact,
            max(self.share, other.share),
        )

    @property
    def root_mean_square(self) -> float:
        """Root mean square error, stored units."""
        return math.sqrt(self.square / self.count) if self.count else 0.0

    @property
    def mean(self) -> float:
        """Mean error, decoded minus original: the bias."""
        return self.total / self.count if self.count else 0.0

    def psnr(self, data_range: float) -> float:
        """Peak signal-to-noise ratio in dB over a range in stored units; infinite for no error."""
        return psnr(self.root_mean_square, data_range)


NO_DEVIATION = Deviation()


def psnr(root_mean_square: float, data_range: float) -> float:
    """Peak signal-to-noise ratio in dB of an error over a range of the same unit; infinite for no error."""
    if root_mean_square == 0:
        return math.inf
    return 20 * math.log10(data_range / root_mean_square) if data_range > 0 else -math.inf


def errors_of(original: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """Decoded minus original as float64 (exact for integers); NaN where either is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        errors = decoded.astype(np.float64) - original.astype(np.float64)
    if original.dtype.kind == "f":
        errors[~(np.isfinite(original) & np.isfinite(decoded))] = np.nan
    return errors


def differing_bits(original: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """Where two arrays of one type do not have the same bits."""
    bits = np.dtype(f"u{original.dtype.itemsize}")
    return np.asarray(np.ascontiguousarray(original).view(bits) != np.ascontiguousarray(decoded).view(bits))


def deviation_of(original: np.ndarray, decoded: np.ndarray, tolerance: Tolerance, region: Region) -> Deviation:
    """Compare every sample of a tile (slice, row, column, component) with its original."""
    found = NO_DEVIATION
    for part in parts_of(original):
        first = region.slices[0]
        within = replace(region, slices=(first + part.start, first + part.stop))
        found += _deviation_of_part(original[part], decoded[part], tolerance, within)
    return found


def _deviation_of_part(original: np.ndarray, decoded: np.ndarray, tolerance: Tolerance, region: Region) -> Deviation:
    errors = errors_of(original, decoded)
    magnitudes = np.abs(errors)
    inside = tolerance.exact_in(region)
    broken = magnitudes > tolerance.allowed(original, region)
    must_match = np.isnan(errors) if inside is None else np.isnan(errors) | inside
    if must_match.any():
        broken |= must_match & differing_bits(original, decoded)
    counted = ~np.isnan(errors) if inside is None else ~np.isnan(errors) & ~inside
    if not counted.all():
        errors, magnitudes = errors[counted], magnitudes[counted]
    with np.errstate(over="ignore"):
        return Deviation(
            count=errors.size,
            maximum=float(magnitudes.max(initial=0.0)),
            total=float(errors.sum()),
            # Not a BLAS product: its own threads would be in the way of those that code tiles.
            square=float(np.square(errors).sum()),
            broken=int(np.count_nonzero(broken)),
            exact=0 if inside is None else int(np.count_nonzero(inside)) * original.shape[-1],
            share=_largest_share(magnitudes, original[counted]) if tolerance.relative else 0.0,
        )


def _largest_share(magnitudes: np.ndarray, originals: np.ndarray) -> float:
    """Largest error as a share of its original, over originals that are not zero (zeros are identical)."""
    there = originals != 0
    sizes = np.abs(originals[there].astype(np.float64))
    return float((magnitudes.reshape(originals.shape)[there] / sizes).max(initial=0.0))
