"""Wide integers as planes of 16 bits, for codecs that take no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import Region
from .base import Transform


@dataclass(frozen=True)
class SplitPlanes(Transform):
    """Each 32 or 64 bit unsigned component becomes 2 or 4 of 16 bits, least significant first."""

    id: ClassVar[str] = "planes"
    dtype: str

    @property
    def parts(self) -> int:
        """Planes a component."""
        return np.dtype(self.dtype).itemsize // 2

    def output(self, dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
        if dtype != np.dtype(self.dtype):
            raise CorruptStreamError(f"The plane step is for {self.dtype}, not {dtype.name}.")
        return np.dtype(np.uint16), components * self.parts

    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        little = np.ascontiguousarray(tile.astype(np.dtype(self.dtype).newbyteorder("<"), copy=False))
        planes = little.view("<u2").reshape(*tile.shape[:3], tile.shape[3] * self.parts)
        return planes.astype(np.uint16, copy=False)

    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        little = np.ascontiguousarray(tile.astype("<u2", copy=False))
        wide = little.view(np.dtype(self.dtype).newbyteorder("<"))
        return wide.reshape(*tile.shape[:3], tile.shape[3] // self.parts).astype(self.dtype, copy=False)

    def to_json(self) -> dict[str, Any]:
        return {"type": self.dtype}

    @classmethod
    def from_json(cls, parameters: dict[str, Any]) -> SplitPlanes:
        if parameters["type"] not in ("uint32", "uint64"):
            raise ValueError("Planes are cut from uint32 or uint64.")
        return cls(parameters["type"])
