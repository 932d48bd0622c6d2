"""Red and blue as differences from green: what the three have in common is coded once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import Region
from .base import Transform


@dataclass(frozen=True)
class SubtractGreen(Transform):
    """(R, G, B, ...) of 8 bits to (R - G, G, B - G, ...), modulo 256.

    The reversible colour transform that JPEG-LS calls HP1 (ITU-T T.870, annex on colour
    transforms) and WebP "subtract green"; modulo keeps 8 bits and stays exact.
    """

    id: ClassVar[str] = "subtract-green"

    def output(self, dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
        if dtype != np.dtype(np.uint8) or components not in (3, 4):
            raise CorruptStreamError("Subtracting green is for RGB or RGBA of 8 bits.")
        return dtype, components

    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        result = tile.copy()
        # Centred on 128, small differences of either sign are neighbours.
        result[..., 0] += np.uint8(128) - tile[..., 1]
        result[..., 2] += np.uint8(128) - tile[..., 1]
        return result

    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        result = tile.copy()
        result[..., 0] += tile[..., 1] - np.uint8(128)
        result[..., 2] += tile[..., 1] - np.uint8(128)
        return result

    def to_json(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_json(cls, parameters: dict[str, Any]) -> SubtractGreen:
        return cls()
