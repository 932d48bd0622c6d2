"""Floating point voxels as integers, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import Region
from .base import Transform


@dataclass(frozen=True)
class OrderedBits(Transform):
    """The bits of a float as an unsigned integer in the order of the numbers.

    Positive numbers get the sign bit set, negative ones are complemented (the mapping that radix
    sorts of floats use), so close numbers get close integers. NaN payloads, infinities and
    signed zeros survive, because nothing but bits is touched.
    """

    id: ClassVar[str] = "ordered-bits"
    dtype: str

    def output(self, dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
        if dtype != np.dtype(self.dtype):
            raise CorruptStreamError(f"The float step is for {self.dtype}, not {dtype.name}.")
        return np.dtype(f"u{dtype.itemsize}"), components

    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        return self.of(tile)

    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        return self.back(tile)

    def of(self, values: np.ndarray) -> np.ndarray:
        """``forward`` for floats of any shape; it does not depend on where they are."""
        bits = np.ascontiguousarray(values).view(self._unsigned)
        return np.where(bits & self._sign, ~bits, bits | self._sign)

    def back(self, bits: np.ndarray) -> np.ndarray:
        """The floats from what ``of`` made of them."""
        bits = np.ascontiguousarray(bits)
        return np.where(bits & self._sign, bits ^ self._sign, ~bits).view(self.dtype)

    @property
    def _unsigned(self) -> np.dtype:
        return np.dtype(f"u{np.dtype(self.dtype).itemsize}")

    @property
    def _sign(self) -> np.unsignedinteger:
        bits = self._unsigned.itemsize * 8
        return np.uint32(1 << 31) if bits == 32 else np.uint64(1 << 63)

    def to_json(self) -> dict[str, Any]:
        return {"type": self.dtype}

    @classmethod
    def from_json(cls, parameters: dict[str, Any]) -> OrderedBits:
        if parameters["type"] not in ("float32", "float64"):
            raise ValueError("Ordered bits are of float32 or float64.")
        return cls(parameters["type"])


@dataclass(frozen=True)
class NarrowFloat(Transform):
    """float64 voxels that are float32 numbers, as many tools write them, kept as float32."""

    id: ClassVar[str] = "narrow-float"

    def output(self, dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
        if dtype != np.dtype(np.float64):
            raise CorruptStreamError("Only float64 narrows to float32.")
        return np.dtype(np.float32), components

    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        return tile.astype(np.float32)

    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        return tile.astype(np.float64)

    def to_json(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_json(cls, parameters: dict[str, Any]) -> NarrowFloat:
        return cls()
