"""SPERR (Li, Lindstrom and Clyne 2023, Lossy Scientific Data Compression with SPERR, IPDPS)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..tiling import TileShape
from .base import Knob
from .float_codec import FloatCodec, below

SMALLEST, LARGEST = 1e-300, 1e300
RMS_OF_TOLERANCE = 0.407
"""Measured: root mean square error over tolerance."""
_LARGEST_CODED = 2.0**40
"""Larger tolerances bring libSPERR 0.8 down; blocks that need them are coded with this one, or kept as they are."""


@dataclass(frozen=True)
class Sperr(FloatCodec):
    """libSPERR through imagecodecs: the CDF 9/7 wavelet in 3D, set partitioning, and outliers corrected.

    Its mode for a PSNR saves 1 to 6 percent at equal error, but leaps as its setting moves, by up to a
    fifth, so that what lies between two leaps cannot be had; the mode for a largest error is smooth.

    Attributes:
        tolerance: the largest error.
    """

    id: ClassVar[str] = "sperr"
    title: ClassVar[str] = "SPERR"
    family: ClassVar[str] = "3D wavelet"
    sees_slices: ClassVar[bool] = True
    license: ClassVar[str] = "BSD-3-Clause (SPERR)"
    feature: ClassVar[str] = "SPERR"
    knob: ClassVar[Knob] = Knob("tolerance", SMALLEST, LARGEST, "fidelity for size", "samples", whole=False)
    tolerance: float = 1.0

    @property
    def tile(self) -> TileShape:
        """Deep enough for the wavelets of the third axis."""
        return TileShape(32, 128, 128)

    def _encode(self, block: np.ndarray) -> bytes:
        flat_or_deep = block if block.ndim > 1 else block[np.newaxis]
        level = below(self._coded_bound, block)
        return bytes(self._library().sperr_encode(flat_or_deep, level, "pwe", numthreads=1))

    def with_step(self, step: float) -> tuple[Sperr, float]:
        return Sperr(min(max(step / math.sqrt(12) / RMS_OF_TOLERANCE, SMALLEST), LARGEST)), 1.0

    @property
    def bound(self) -> float:
        return self.tolerance

    @property
    def _coded_bound(self) -> float:
        return min(self.tolerance, _LARGEST_CODED)

    def with_bound(self, bound: float) -> Sperr | None:
        return Sperr(min(bound, LARGEST)) if bound >= SMALLEST else None
