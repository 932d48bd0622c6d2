"""JPEG 2000, irreversible (ITU-T T.800, ISO/IEC 15444-1; Taubman 2000, EBCOT)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np

from ..tiling import TileShape
from .base import Knob, LossyCodec, stack, unstack
from .native import decoding_errors, encoding_errors
from .stream_headers import check_size, jpeg2000_size

PEAK = 65535
SUSPECT_BYTES = 1024
MISS = 1.12
"""How many times the error asked for is still taken: one decibel."""
EXTRA = (0, 3, 6, 12, 24, 48)
EVERYTHING = 0


@dataclass(frozen=True)
class Jpeg2000Lossy(LossyCodec):
    """OpenJPEG through imagecodecs: the 9/7 wavelet and rate-distortion optimal truncation, raw codestream.

    Fractions of a decibel count. The error comes out within about half a decibel of the setting,
    up to some 100 dB, where the quantization of the wavelet itself ends. Of nearly constant pictures,
    which take a few hundred bytes, OpenJPEG keeps too little, sometimes nothing: those are decoded and,
    where they miss the setting, coded again with a higher one, or whole.
    """

    id: ClassVar[str] = "jpeg2000-lossy"
    title: ClassVar[str] = "JPEG 2000 lossy"
    family: ClassVar[str] = "2D wavelet"
    license: ClassVar[str] = "BSD-2-Clause (OpenJPEG)"
    feature: ClassVar[str] = "JPEG2K"
    sample_types: ClassVar[frozenset[str]] = frozenset({"uint16"})
    knob: ClassVar[Knob] = Knob(
        "psnr", 10, 110, "peak signal to noise ratio of each tile; the peak is 65535", "dB", whole=False
    )
    psnr: float = 60.0

    @property
    def tile(self) -> TileShape:
        """A whole CT slice: wavelets lose at borders, and it is the slowest to decode, so no stack of slices."""
        return TileShape(1, 512, 512)

    def with_step(self, step: float) -> tuple[Jpeg2000Lossy, float]:
        psnr = 20 * math.log10(PEAK * math.sqrt(12) / step)
        return Jpeg2000Lossy(min(max(psnr, self.knob.minimum), self.knob.maximum)), 1.0

    def encode(self, block: np.ndarray) -> bytes:
        codec, tall = self._library(), stack(block)
        largest = max(MISS * PEAK / 10 ** (self.psnr / 20), 1.0)
        with encoding_errors(self.title):
            for more in EXTRA if tall.min() < tall.max() else ():
                payload = _encoded(codec, tall, self.psnr + more)
                if len(payload) > SUSPECT_BYTES + tall.size // 1024:
                    return payload
                error = codec.jpeg2k_decode(payload, numthreads=1) - tall.astype(np.float32)
                if np.sqrt(np.mean(np.square(error))) <= largest:
                    return payload
            return _encoded(codec, tall, EVERYTHING)

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        check_size(jpeg2000_size(payload), shape)
        codec = self._library()
        with decoding_errors(self.title):
            return unstack(codec.jpeg2k_decode(payload, numthreads=1), shape, dtype)


def _encoded(codec: ModuleType, tall: np.ndarray, psnr: float) -> bytes:
    return bytes(codec.jpeg2k_encode(tall, level=psnr, reversible=False, codecformat="j2k", numthreads=1))
