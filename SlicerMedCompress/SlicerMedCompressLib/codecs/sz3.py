"""SZ3 (Liang et al. 2023, SZ3, IEEE Transactions on Big Data; Zhao et al. 2021, ICDE)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np

from ..errors import MissingLibraryError
from ..tiling import TileShape
from .base import Knob
from .float_codec import FloatCodec

SMALLEST, LARGEST = 1e-300, 1e300
OLDEST = (3, 3)
"""Version of SZ3; 3.1 corrupts memory as it encodes small blocks."""


@dataclass(frozen=True)
class Sz3(FloatCodec):
    """SZ3 through imagecodecs: spline interpolation from coarse to fine, errors quantized, Huffman and Zstandard.

    Attributes:
        tolerance: the largest error.
    """

    id: ClassVar[str] = "sz3"
    title: ClassVar[str] = "SZ3"
    family: ClassVar[str] = "3D prediction"
    sees_slices: ClassVar[bool] = True
    license: ClassVar[str] = "BSD of UChicago Argonne, with acknowledgment (SZ3)"
    feature: ClassVar[str] = "SZ3"
    knob: ClassVar[Knob] = Knob("tolerance", SMALLEST, LARGEST, "fidelity for size", "samples", whole=False)
    tolerance: float = 1.0

    @property
    def tile(self) -> TileShape:
        """Large, because every tile brings its Huffman table."""
        return TileShape(32, 128, 128)

    @classmethod
    def _library(cls) -> ModuleType:
        """imagecodecs, if its SZ3 is one that does not write beyond its memory."""
        found = super()._library()
        version = tuple(int(part) for part in re.findall(r"\d+", str(found.sz3_version())[3:])[:2])
        if version < OLDEST:
            raise MissingLibraryError(
                f"The codec {cls.title} of imagecodecs {found.__version__} is an old one that can end the program "
                'on small blocks: update it with "pip install --upgrade imagecodecs". Other codecs still work.'
            )
        return found

    def _encode(self, block: np.ndarray) -> bytes:
        # A hair less: the library compares in the block's own precision.
        return bytes(self._library().sz3_encode(block, "abs", abs=self.tolerance * (1 - 2.0**-20)))

    def with_step(self, step: float) -> tuple[Sz3, float]:
        # It rounds what is left of its prediction to multiples of twice the tolerance.
        return Sz3(min(max(step / 2, SMALLEST), LARGEST)), 1.0

    @property
    def bound(self) -> float:
        return self.tolerance

    def with_bound(self, bound: float) -> Sz3 | None:
        return Sz3(min(bound, LARGEST)) if bound >= SMALLEST else None
