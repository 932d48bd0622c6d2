"""AV1 of gray video, slices as frames (Han et al. 2021, A Technical Overview of AV1)."""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import TileShape
from .base import Knob, LossyCodec
from .native import decoding_errors, encoding_errors
from .video import VideoFormat, decode_video, encode_video

_FACTORS = (1, 2, 4, 8, 12, 16, 20, 26, 32, 40, 50, 63)
_STEPS = (3.1, 4.3, 6.8, 11.3, 15.3, 19.1, 22.2, 27.3, 33.6, 43.6, 57.0, 99.0)
"""Rate factor to the step whose rounding loses as much, of 1024 levels: measured, middle of a CT and an MR."""
_FRAMES_A_PACKET = 16
"""More than any packet of SVT-AV1 holds: one frame that is shown and those hidden ones it needs."""


@dataclass(frozen=True)
class Av1(LossyCodec):
    """SVT-AV1 to encode, dav1d to decode, through PyAV; 10 bits, with the color planes constant.

    Preset 6 of SVT-AV1: preset 4 is 3 percent smaller in twice the time, preset 8 loses at high fidelity.

    Attributes:
        crf: constant rate factor, the quantizer index of the best frames.
    """

    id: ClassVar[str] = "av1"
    title: ClassVar[str] = "AV1"
    family: ClassVar[str] = "3D video"
    sees_slices: ClassVar[bool] = True
    license: ClassVar[str] = "BSD-3-Clause-Clear (SVT-AV1), BSD-2-Clause (dav1d), LGPL-2.1 (FFmpeg)"
    package: ClassVar[str] = "av"
    module: ClassVar[str] = "av"
    sample_types: ClassVar[frozenset[str]] = frozenset({"uint16"})
    levels: ClassVar[int] = 1 << 10
    knob: ClassVar[Knob] = Knob("crf", 1, 63, "fidelity for size")
    crf: int = 20

    @property
    def tile(self) -> TileShape:
        """Enough slices for one key frame to weigh little; whole slices of a CT would save 1 to 3 percent more."""
        return TileShape(32, 256, 256)

    @property
    def _form(self) -> VideoFormat:
        return VideoFormat("libsvtav1", "libdav1d", "yuv420p10le", 10, smallest=64, check_packet=_check_packet)

    def encode(self, block: np.ndarray) -> bytes:
        # SVT-AV1 tells its settings on standard error unless told not to.
        os.environ.setdefault("SVT_LOG", "1")
        options = {"preset": "6", "crf": str(self.crf), "svtav1-params": "lp=1:keyint=-1"}
        with encoding_errors(self.title):
            return encode_video(self._library(), block, self._form, options)

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        library = self._library()
        with decoding_errors(self.title):
            return decode_video(library, payload, self._form, shape, dtype)

    def with_step(self, step: float) -> tuple[Av1, float]:
        lowest, highest = int(self.knob.minimum), int(self.knob.maximum)
        steps = np.exp(np.interp(range(lowest, highest + 1), _FACTORS, np.log(_STEPS)))
        place = max(bisect_right(steps.tolist(), step * (1 + 1e-9)) - 1, 0)
        return Av1(lowest + place), step / float(steps[place])


def _check_packet(packet: bytes) -> None:
    """Refuse packets of more frames than SVT-AV1 writes (AV1 specification 5.3): each may cost memory."""
    position = frames = 0
    while position < len(packet):
        header = packet[position]
        position += 2 if header & 4 else 1
        # Frame header, frame and redundant frame header.
        frames += (header >> 3) & 15 in (3, 6, 7)
        if not header & 2:
            break
        length = shift = 0
        more = True
        while more:
            if position >= len(packet) or shift > 56:
                raise CorruptStreamError("A packet of a tile ends in the middle of a unit.")
            length |= (packet[position] & 127) << shift
            more, shift, position = packet[position] > 127, shift + 7, position + 1
        position += length
    if frames > _FRAMES_A_PACKET:
        raise CorruptStreamError("A packet of a tile holds more frames than AV1 needs for a slice.")
