"""JPEG-LS, lossless (ITU-T T.87, ISO/IEC 14495-1; Weinberger, Seroussi and Sapiro 2000, LOCO-I)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .base import Codec, stack, unstack
from .native import decoding_errors, encoding_errors
from .stream_headers import check_jpeg_end, check_size, jpeg_size


@dataclass(frozen=True)
class JpegLs(Codec):
    """CharLS through imagecodecs: median edge detection and adaptive Golomb codes."""

    id: ClassVar[str] = "jpegls"
    title: ClassVar[str] = "JPEG-LS"
    family: ClassVar[str] = "2D prediction"
    license: ClassVar[str] = "BSD-3-Clause (CharLS)"
    feature: ClassVar[str] = "JPEGLS"

    def encode(self, block: np.ndarray) -> bytes:
        codec, tall = self._library(), stack(block)
        # Noise grows; the library's own buffer is the size of the input and not a byte more.
        with encoding_errors(self.title):
            return bytes(codec.jpegls_encode(tall, out=2 * tall.nbytes + 1024))

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        check_size(jpeg_size(payload), shape)
        check_jpeg_end(payload)
        codec = self._library()
        with decoding_errors(self.title):
            return unstack(codec.jpegls_decode(payload), shape, dtype)
