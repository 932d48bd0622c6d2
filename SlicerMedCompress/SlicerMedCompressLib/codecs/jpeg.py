"""JPEG, baseline of 8 bits and extended sequential of 12 (ITU-T T.81, ISO/IEC 10918-1; Wallace 1991)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..tiling import TileShape
from .base import Knob, LossyCodec, stack, unstack
from .native import decoding_errors, encoding_errors
from .stream_headers import check_jpeg_end, check_size, jpeg_size

# fmt: off
LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)
# fmt: on
"""Quantization table of ITU-T T.81 K.1, which libjpeg scales by the quality, for 12 bits as for 8."""
SATURATION = 95.0
"""Quantization step from which rounding loses notably less than it could, because much of a picture is below it."""


@dataclass(frozen=True)
class Jpeg(LossyCodec):
    """libjpeg-turbo 3 through imagecodecs: 8 x 8 cosine transform and Huffman codes made for each picture.

    8 bit samples give the JPEG that everything reads; 16 bit ones are coded with 12 bits, as DICOM allows.
    """

    id: ClassVar[str] = "jpeg"
    title: ClassVar[str] = "JPEG"
    family: ClassVar[str] = "2D transform"
    license: ClassVar[str] = "IJG and BSD-3-Clause (libjpeg-turbo)"
    feature: ClassVar[str] = "JPEG8"
    levels: ClassVar[int] = 1 << 12
    knob: ClassVar[Knob] = Knob("quality", 1, 100, "quality of libjpeg")
    quality: int = 90

    @property
    def tile(self) -> TileShape:
        """Four whole CT slices, which share their Huffman codes."""
        return TileShape(4, 512, 512)

    def with_step(self, step: float) -> tuple[Jpeg, float]:
        quality = next((quality for quality in range(1, 100) if _step(quality) <= step), 100)
        return Jpeg(quality), step / _step(quality)

    def encode(self, block: np.ndarray) -> bytes:
        codec, wide = self._library(), block.dtype == np.uint16
        with encoding_errors(self.title):
            if wide and block.max() >= self.levels:
                raise ValueError(f"samples must be below {self.levels}")
            return bytes(
                codec.jpeg8_encode(stack(block), level=self.quality, bitspersample=12 if wide else 8, optimize=True)
            )

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        check_size(jpeg_size(payload), shape)
        check_jpeg_end(payload)
        codec = self._library()
        with decoding_errors(self.title):
            return unstack(codec.jpeg8_decode(payload), shape, dtype)


@functools.cache
def _step(quality: int) -> float:
    """The step whose rounding makes about as much error as a quality makes on pictures of 12 bits."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    table = np.clip((np.array(LUMINANCE) * percent + 50) // 100, 1, 255)
    mean = float(np.sqrt(np.mean(table.astype(float) ** 2)))
    return mean / (1 + mean / SATURATION)
