"""High-throughput JPEG 2000, irreversible (ITU-T T.814, ISO/IEC 15444-15; Taubman, Naman and Mathew 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import TileShape
from .base import Knob, LossyCodec, stack, unstack
from .native import decoding_errors, encoding_errors
from .stream_headers import check_htj2k_header, check_size, jpeg2000_size

SAMPLE_BITS = 16
HEADROOM_BITS = 4
DEPTH_AT = 42
"""Where a codestream of one component says its bits, less one (ISO/IEC 15444-1 A.5.1, Ssiz)."""
STEP_OF_WAVELET = 1 / 1.15
"""Quantization step per step of samples: the error of the 9/7 wavelet's samples is about a seventh above its own."""


@dataclass(frozen=True)
class HighThroughputJpeg2000Lossy(LossyCodec):
    """OpenJPH through imagecodecs: the 9/7 wavelet, one quantization step, the fast block coder.

    A sample that OpenJPH reconstructs as 65536 becomes 0 in imagecodecs, which does not clip. So it decodes
    as if samples had more bits, which scales them, and they are rounded and clipped here; the stored
    stream has the 16 bits of its samples.
    """

    id: ClassVar[str] = "htj2k-lossy"
    title: ClassVar[str] = "HTJ2K lossy"
    family: ClassVar[str] = "2D wavelet"
    license: ClassVar[str] = "BSD-2-Clause (OpenJPH)"
    feature: ClassVar[str] = "HTJ2K"
    sample_types: ClassVar[frozenset[str]] = frozenset({"uint16"})
    knob: ClassVar[Knob] = Knob("step", 1, 1 << SAMPLE_BITS, "quantization step of the wavelet", "samples", whole=False)
    step: float = 64.0

    @property
    def tile(self) -> TileShape:
        """Whole CT slices, for wavelets lose at borders; a stack of four, because it decodes fast."""
        return TileShape(4, 512, 512)

    def with_step(self, step: float) -> tuple[HighThroughputJpeg2000Lossy, float]:
        own = min(max(step * STEP_OF_WAVELET, self.knob.minimum), self.knob.maximum)
        return HighThroughputJpeg2000Lossy(float(own)), 1.0

    def encode(self, block: np.ndarray) -> bytes:
        codec = self._library()
        with encoding_errors(self.title):
            return bytes(codec.htj2k_encode(stack(block), level=self.step / (1 << SAMPLE_BITS), reversible=False))

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        check_size(jpeg2000_size(payload), shape)
        check_htj2k_header(payload)
        if payload[DEPTH_AT] != SAMPLE_BITS - 1 or dtype != np.uint16:
            raise CorruptStreamError(f"A tile of {self.title} does not hold samples of {SAMPLE_BITS} bits.")
        deeper = payload[:DEPTH_AT] + bytes([SAMPLE_BITS + HEADROOM_BITS - 1]) + payload[DEPTH_AT + 1 :]
        codec = self._library()
        with decoding_errors(self.title):
            fine = unstack(codec.htj2k_decode(deeper), shape, np.dtype(np.uint32))
        rounded = (fine + np.uint32(1 << (HEADROOM_BITS - 1))) >> np.uint32(HEADROOM_BITS)
        block: np.ndarray = np.minimum(rounded, np.uint32((1 << SAMPLE_BITS) - 1)).astype(dtype)
        return block
