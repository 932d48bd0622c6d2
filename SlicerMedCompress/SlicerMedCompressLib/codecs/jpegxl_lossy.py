"""JPEG XL, VarDCT mode, lossy (ISO/IEC 18181; Alakuijala et al. 2019)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..tiling import TileShape
from .base import Knob, LossyCodec, stack, unstack
from .native import decoding_errors, encoding_errors
from .stream_headers import check_size, jpegxl_size

PEAK = 65535
EFFORT = 5
DISTANCES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 8.0, 18.0)
STEPS = (18.0, 52.0, 170.0, 450.0, 1050.0, 2000.0, 3500.0, 6600.0)
"""Steps of as much error as these distances make, mean of two MR and three CT volumes; a line between logarithms."""
BIAS = 0.0037930732552754493
"""What JPEG XL adds to linear light before it takes the cube root (ISO/IEC 18181-1, opsin absorbance bias)."""


@dataclass(frozen=True)
class JpegXlLossy(LossyCodec):
    """libjxl through imagecodecs: cosine transforms of many sizes, quantized for the eye.

    imagecodecs tells libjxl that 16 bit samples are linear light, whose cube root is coded: coarse where
    they are high, needlessly fine where they are low. So samples are put where their cube root is linear,
    and back; at the same error that saves up to a seventh of a CT and a quarter of an MR. Tables of 16
    bits do it, which near 0 are 8 samples off at most: never finer than some 80 dB.

    Effort 4 is up to a tenth smaller for MR but up to a third larger for CT; 7 takes twice the time
    for 3 % at most.
    """

    id: ClassVar[str] = "jpegxl-lossy"
    title: ClassVar[str] = "JPEG XL lossy"
    family: ClassVar[str] = "2D transform"
    license: ClassVar[str] = "BSD-3-Clause (libjxl)"
    feature: ClassVar[str] = "JPEGXL"
    sample_types: ClassVar[frozenset[str]] = frozenset({"uint16"})
    knob: ClassVar[Knob] = Knob("distance", 0.01, 25, "Butteraugli distance; 1 is just visible", whole=False)
    distance: float = 0.3

    @property
    def tile(self) -> TileShape:
        """Four whole CT slices: some 5 % smaller than one each, and fast to decode."""
        return TileShape(4, 512, 512)

    def with_step(self, step: float) -> tuple[JpegXlLossy, float]:
        distance = np.exp(np.interp(np.log(step), np.log(STEPS), np.log(DISTANCES)))
        return JpegXlLossy(float(np.clip(distance, DISTANCES[0], DISTANCES[-1]))), 1.0

    def encode(self, block: np.ndarray) -> bytes:
        codec, light = self._library(), _tables()[0][stack(block)]
        with encoding_errors(self.title):
            return bytes(
                codec.jpegxl_encode(light, lossless=False, distance=self.distance, effort=EFFORT, numthreads=1)
            )

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        check_size(jpegxl_size(payload), shape)
        codec = self._library()
        with decoding_errors(self.title):
            light = unstack(codec.jpegxl_decode(payload, numthreads=1), shape, dtype)
        block: np.ndarray = _tables()[1][light]
        return block


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Samples to linear light and back."""
    values = np.arange(PEAK + 1) / PEAK
    black, white = np.cbrt(BIAS), np.cbrt(1 + BIAS)
    to_light = (black + values * (white - black)) ** 3 - BIAS
    from_light = (np.cbrt(values + BIAS) - black) / (white - black)
    return np.rint(to_light * PEAK).astype(np.uint16), np.rint(from_light * PEAK).astype(np.uint16)
