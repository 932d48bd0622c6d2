"""ZFP (Lindstrom 2014, Fixed-Rate Compressed Floating-Point Arrays, IEEE TVCG), fixed accuracy mode."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..tiling import TileShape
from .base import Knob
from .float_codec import FloatCodec

LOSS_OF_TOLERANCE = 0.15
"""Measured: the step whose rounding loses as much, over the tolerance, which the errors never come near."""


@dataclass(frozen=True)
class Zfp(FloatCodec):
    """libzfp through imagecodecs: blocks of 4 x 4 x 4 with a common exponent, a transform, bit planes.

    Attributes:
        exponent: of the largest error, 2^exponent; others than powers of two make no difference to it.
    """

    id: ClassVar[str] = "zfp"
    title: ClassVar[str] = "ZFP"
    family: ClassVar[str] = "3D block transform"
    sees_slices: ClassVar[bool] = True
    license: ClassVar[str] = "BSD-3-Clause (zfp)"
    feature: ClassVar[str] = "ZFP"
    knob: ClassVar[Knob] = Knob("exponent", -1000, 1000, "fidelity for size: errors up to 2^exponent")
    exponent: int = 5

    @property
    def tile(self) -> TileShape:
        """Any size does: blocks know nothing of one another."""
        return TileShape(16, 128, 128)

    def _encode(self, block: np.ndarray) -> bytes:
        return bytes(self._library().zfp_encode(block, level=2.0**self.exponent, mode="a", numthreads=1))

    def with_step(self, step: float) -> tuple[Zfp, float]:
        exponent = _power(step / LOSS_OF_TOLERANCE)
        exponent = min(max(exponent, int(self.knob.minimum)), int(self.knob.maximum))
        return Zfp(exponent), step / (LOSS_OF_TOLERANCE * 2.0**exponent)

    @property
    def bound(self) -> float:
        return 2.0**self.exponent

    def with_bound(self, bound: float) -> Zfp | None:
        if not bound >= 2.0**self.knob.minimum:
            return None
        return Zfp(min(_power(min(bound, 1e300)), int(self.knob.maximum)))


def _power(value: float) -> int:
    """The largest exponent of two that is not above a value."""
    return math.frexp(value)[1] - 1
