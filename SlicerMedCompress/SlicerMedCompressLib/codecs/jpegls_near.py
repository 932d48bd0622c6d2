"""JPEG-LS, near-lossless (ITU-T T.87, ISO/IEC 14495-1; Weinberger, Seroussi and Sapiro 2000, LOCO-I)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .base import Knob, LossyCodec, stack, unstack
from .native import decoding_errors, encoding_errors
from .stream_headers import check_jpeg_end, check_size, jpeg_size

LARGEST_NEAR = 255


@dataclass(frozen=True)
class JpegLsNear(LossyCodec):
    """CharLS through imagecodecs: prediction errors rounded to multiples of 2 near + 1, before they are coded.

    The standard allows near up to half of the largest sample, which imagecodecs takes to be that of
    the type: 127 for 8 bits. CharLS writes streams beyond that without a word, and cannot read them, so
    samples of 8 bits are widened for it.
    """

    id: ClassVar[str] = "jpegls-near"
    title: ClassVar[str] = "JPEG-LS NEAR"
    family: ClassVar[str] = "2D prediction"
    guarantee: ClassVar[str] = "bounded"
    full_scale: ClassVar[bool] = False
    license: ClassVar[str] = "BSD-3-Clause (CharLS)"
    feature: ClassVar[str] = "JPEGLS"
    knob: ClassVar[Knob] = Knob("near", 0, LARGEST_NEAR, "largest error of any sample", "stored units")
    near: int = 1

    def with_step(self, step: float) -> tuple[JpegLsNear, float]:
        near = min(max(math.floor((step - 1) / 2), 0), LARGEST_NEAR)
        return JpegLsNear(near), step / (2 * near + 1)

    @property
    def bound(self) -> float:
        return self.near

    def with_bound(self, bound: float) -> JpegLsNear | None:
        return JpegLsNear(math.floor(bound)) if 0 <= bound < LARGEST_NEAR + 1 else None

    def encode(self, block: np.ndarray) -> bytes:
        codec, tall = self._library(), stack(block).astype(self._coded(block.dtype), copy=False)
        with encoding_errors(self.title):
            # Noise grows; the library's own buffer is the size of the input and not a byte more.
            return bytes(codec.jpegls_encode(tall, level=self.near, out=2 * tall.nbytes + 1024))

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        check_size(jpeg_size(payload), shape)
        # CharLS 2.4 runs forever on most streams that end early.
        check_jpeg_end(payload)
        codec = self._library()
        with decoding_errors(self.title):
            block = unstack(codec.jpegls_decode(payload), shape, self._coded(dtype))
        return np.asarray(np.minimum(block, np.iinfo(dtype).max).astype(dtype, copy=False))

    def _coded(self, dtype: np.dtype) -> np.dtype:
        return np.dtype(np.uint16) if self.near > np.iinfo(dtype).max // 2 else dtype
