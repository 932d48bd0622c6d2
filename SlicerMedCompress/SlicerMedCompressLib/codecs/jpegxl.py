"""JPEG XL, modular mode, lossless (ISO/IEC 18181): smallest of the standard codecs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..tiling import TileShape
from .base import Codec, Knob, significant_bits, stack, unstack
from .native import decoding_errors, encoding_errors
from .stream_headers import check_size, jpegxl_size


@dataclass(frozen=True)
class JpegXl(Codec):
    """libjxl through imagecodecs.

    Effort 1 is a path of its own: a fixed predictor with Huffman codes, many times faster.
    Its codes are learned from few rows, so folded slices mislead it; it gets plain ones.
    The exact bit depth is given, because libjxl's fixed contexts depend on it.
    """

    id: ClassVar[str] = "jpegxl"
    title: ClassVar[str] = "JPEG XL"
    family: ClassVar[str] = "2D prediction"
    license: ClassVar[str] = "BSD-3-Clause (libjxl)"
    feature: ClassVar[str] = "JPEGXL"
    knob: ClassVar[Knob] = Knob("effort", 1, 9, "encoding time for size; decoding slows too above 3")
    effort: int = 3

    @property
    def tile(self) -> TileShape:
        """Effort 1 is fast enough for large tiles; 2 to 4 take what decodes in time for a viewer.

        From 5 on size is what counts: 1 to 3 percent less than in small tiles. Taller pictures fall into
        more than one of libjxl's groups and lose that again.
        """
        if self.effort == 1:
            return TileShape(8, 128, 256)
        return TileShape(6, 64, 96) if self.effort < 5 else TileShape(6, 128, 192)

    @property
    def _folded(self) -> bool:
        return self.effort > 1

    def encode(self, block: np.ndarray) -> bytes:
        codec, tall = self._library(), stack(block, self._folded)
        with encoding_errors(self.title):
            return bytes(
                codec.jpegxl_encode(
                    tall,
                    lossless=True,
                    effort=self.effort,
                    numthreads=1,
                    bitspersample=max(significant_bits(block), 9 if block.dtype == np.uint16 else 1),
                )
            )

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        check_size(jpegxl_size(payload), shape)
        codec = self._library()
        with decoding_errors(self.title):
            return unstack(codec.jpegxl_decode(payload, numthreads=1), shape, dtype, self._folded)
