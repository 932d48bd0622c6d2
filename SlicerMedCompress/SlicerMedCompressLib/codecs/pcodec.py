"""pcodec: numerical sequences, floats above all (Loncaric, Jeppesen and Zinberg 2025, arXiv 2502.06112)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .base import ANY_TYPE, Codec, Knob, unstack
from .native import decoding_errors, encoding_errors


@dataclass(frozen=True)
class Pcodec(Codec):
    """pco through imagecodecs; 8 bit samples are widened, because it starts at 16."""

    id: ClassVar[str] = "pcodec"
    title: ClassVar[str] = "pcodec"
    family: ClassVar[str] = "general"
    license: ClassVar[str] = "Apache-2.0 (pcodec)"
    feature: ClassVar[str] = "PCODEC"
    sample_types: ClassVar[frozenset[str]] = ANY_TYPE
    knob: ClassVar[Knob] = Knob("level", 1, 12, "encoding time for size")
    level: int = 8

    def encode(self, block: np.ndarray) -> bytes:
        codec = self._library()
        wide = block.astype(np.uint16) if block.dtype == np.uint8 else np.ascontiguousarray(block)
        with encoding_errors(self.title):
            return bytes(codec.pcodec_encode(wide, level=self.level))

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        codec = self._library()
        wide = np.dtype(np.uint16) if dtype == np.uint8 else dtype
        with decoding_errors(self.title):
            block = np.asarray(codec.pcodec_decode(payload, shape=shape, dtype=wide))
        return unstack(block.reshape(-1, shape[2]), shape, wide, folded=False).astype(dtype, copy=False)
