"""JPEG 2000, reversible (ITU-T T.800, ISO/IEC 15444-1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .base import Codec, stack, unstack
from .native import decoding_errors, encoding_errors
from .stream_headers import check_size, jpeg2000_size


@dataclass(frozen=True)
class Jpeg2000(Codec):
    """OpenJPEG through imagecodecs: the reversible 5/3 wavelet, raw codestream."""

    id: ClassVar[str] = "jpeg2000"
    title: ClassVar[str] = "JPEG 2000"
    family: ClassVar[str] = "2D wavelet"
    license: ClassVar[str] = "BSD-2-Clause (OpenJPEG)"
    feature: ClassVar[str] = "JPEG2K"

    def encode(self, block: np.ndarray) -> bytes:
        codec = self._library()
        with encoding_errors(self.title):
            return bytes(codec.jpeg2k_encode(stack(block), level=0, reversible=True, codecformat="j2k", numthreads=1))

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        check_size(jpeg2000_size(payload), shape)
        codec = self._library()
        with decoding_errors(self.title):
            return unstack(codec.jpeg2k_decode(payload, numthreads=1), shape, dtype)
