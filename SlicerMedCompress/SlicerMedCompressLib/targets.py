"""What a user wants kept, or how small a file must be, instead of a codec's own setting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .errors import UnsupportedImageError
from .image import Image
from .tolerance import Tolerance


@dataclass(frozen=True)
class Target:
    """One number to reach. Subclasses say which; ``value`` is positive and finite."""

    title: ClassVar[str]
    unit: ClassVar[str] = ""
    value: float

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float, np.integer, np.floating)):
            raise UnsupportedImageError(f"{self.title} must be a number.")
        if not (math.isfinite(self.value) and self.value > 0):
            raise UnsupportedImageError(
                f"{self.title} must be a positive number, not {self.value:g}; without a target nothing is lost."
            )

    def tolerance(self, exact: np.ndarray | None) -> Tolerance:
        """What voxels outside of an exact region must keep."""
        return Tolerance(math.inf, exact=exact)

    def __str__(self) -> str:
        return f"{self.title} {self.value:g}{' ' + self.unit if self.unit else ''}"


@dataclass(frozen=True)
class MaxError(Target):
    """No voxel differs by more than ``value``, in stored units (HU for CT); checked on every voxel."""

    title: ClassVar[str] = "The largest error"
    unit: ClassVar[str] = "stored units"

    def tolerance(self, exact: np.ndarray | None) -> Tolerance:
        return Tolerance(float(self.value), exact=exact)


@dataclass(frozen=True)
class MaxRelativeError(Target):
    """No voxel differs by more than ``value`` times its own magnitude; zeros stay zeros."""

    title: ClassVar[str] = "The largest relative error"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value >= 1:
            raise UnsupportedImageError(f"{self.title} must be below 1, not {self.value:g}; 0.01 is one percent.")

    def tolerance(self, exact: np.ndarray | None) -> Tolerance:
        return Tolerance(float(self.value), relative=True, exact=exact)


class SearchedTarget(Target):
    """A target that a codec's setting is searched for: what a compression reached can be measured."""

    slack: ClassVar[float]
    """How far a reached number may be from the target, on its scale."""
    fall: ClassVar[float]
    """About what a doubled step takes from the number, on its scale: where a search starts from."""

    def reached(self, image: Image, size: int, psnr: float) -> float:
        """The target's number for a file of ``size`` bytes and this PSNR in dB."""
        raise NotImplementedError

    def accepts(self, reached: float) -> bool:
        """Whether that is close enough."""
        return abs(self.on_scale(reached) - self.on_scale(self.value)) <= self.slack

    def on_scale(self, number: float) -> float:
        """The number on a scale that falls about evenly as the codec's step doubles."""
        raise NotImplementedError


@dataclass(frozen=True)
class Psnr(SearchedTarget):
    """A peak signal-to-noise ratio in dB over the image's own range, largest minus smallest voxel."""

    title: ClassVar[str] = "PSNR"
    unit: ClassVar[str] = "dB"
    slack: ClassVar[float] = 0.25
    fall: ClassVar[float] = -6.02

    def reached(self, image: Image, size: int, psnr: float) -> float:
        return psnr

    def on_scale(self, number: float) -> float:
        # A result without any error is finitely far away, so that a search can go on from there.
        return min(max(number, -200.0), 200.0)


@dataclass(frozen=True)
class BitsPerVoxel(SearchedTarget):
    """Bits of the whole file a voxel, all its components together."""

    title: ClassVar[str] = "Bits per voxel"
    slack: ClassVar[float] = math.log2(1.025)
    fall: ClassVar[float] = -0.5

    def reached(self, image: Image, size: int, psnr: float) -> float:
        return 8 * size / image.voxel_count

    def on_scale(self, number: float) -> float:
        return math.log2(max(number, 1e-9))


@dataclass(frozen=True)
class Ratio(SearchedTarget):
    """Bytes of the voxels in memory a byte of the whole file."""

    title: ClassVar[str] = "The ratio"
    slack: ClassVar[float] = math.log2(1.025)
    fall: ClassVar[float] = -0.5

    def reached(self, image: Image, size: int, psnr: float) -> float:
        return image.voxels.nbytes / size

    def on_scale(self, number: float) -> float:
        return -math.log2(max(number, 1e-9))
