"""High-throughput JPEG 2000, reversible (ITU-T T.814, ISO/IEC 15444-15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..tiling import TileShape
from .base import Codec, stack, unstack
from .native import decoding_errors, encoding_errors
from .stream_headers import check_htj2k_header, check_size, jpeg2000_size


@dataclass(frozen=True)
class HighThroughputJpeg2000(Codec):
    """OpenJPH through imagecodecs: the reversible 5/3 wavelet with the fast block coder."""

    id: ClassVar[str] = "htj2k"
    title: ClassVar[str] = "HTJ2K"
    family: ClassVar[str] = "2D wavelet"
    license: ClassVar[str] = "BSD-2-Clause (OpenJPH)"
    feature: ClassVar[str] = "HTJ2K"

    @property
    def tile(self) -> TileShape:
        """Wider than others': wavelets lose more at borders, and decoding is fast."""
        return TileShape(8, 128, 256)

    def encode(self, block: np.ndarray) -> bytes:
        codec = self._library()
        with encoding_errors(self.title):
            return bytes(codec.htj2k_encode(stack(block), reversible=True))

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        check_size(jpeg2000_size(payload), shape)
        check_htj2k_header(payload)
        codec = self._library()
        with decoding_errors(self.title):
            return unstack(codec.htj2k_decode(payload), shape, dtype)
