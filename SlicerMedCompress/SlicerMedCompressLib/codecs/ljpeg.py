"""Lossless JPEG, process 14 (ITU-T T.81 annex H): what most compressed DICOM of the last decades uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .base import Codec, Knob, significant_bits, stack, unstack
from .native import decoding_errors, encoding_errors
from .stream_headers import check_jpeg_end, check_size, jpeg_size


@dataclass(frozen=True)
class LosslessJpeg(Codec):
    """libjpeg-turbo 3 through imagecodecs: one of seven predictors and Huffman codes."""

    id: ClassVar[str] = "ljpeg"
    title: ClassVar[str] = "Lossless JPEG"
    family: ClassVar[str] = "2D prediction"
    license: ClassVar[str] = "IJG and BSD-3-Clause (libjpeg-turbo)"
    feature: ClassVar[str] = "JPEG8"
    knob: ClassVar[Knob] = Knob("predictor", 1, 7, "selection value of ITU-T T.81 table H.1")
    predictor: int = 5

    def encode(self, block: np.ndarray) -> bytes:
        codec = self._library()
        with encoding_errors(self.title):
            return bytes(
                codec.jpeg8_encode(
                    stack(block),
                    lossless=True,
                    predictor=self.predictor,
                    bitspersample=max(significant_bits(block), 9 if block.dtype == np.uint16 else 2),
                )
            )

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        check_size(jpeg_size(payload), shape)
        check_jpeg_end(payload)
        codec = self._library()
        with decoding_errors(self.title):
            return unstack(codec.jpeg8_decode(payload), shape, dtype)
