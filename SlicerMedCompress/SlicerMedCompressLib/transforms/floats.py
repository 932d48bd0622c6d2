"""Floating point voxels as integers, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import Region
from .base import Transform

_SIGNED = {4: np.int32, 8: np.int64}
_UNSIGNED = {4: np.uint32, 8: np.uint64}


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
        return np.dtype(_UNSIGNED[dtype.itemsize]), components

    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        size = np.dtype(self.dtype).itemsize
        bits = np.ascontiguousarray(tile).view(_SIGNED[size])
        sign = bits >> _SIGNED[size](8 * size - 1)
        return (bits ^ (sign | np.iinfo(_SIGNED[size]).min)).view(_UNSIGNED[size])

    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        size = np.dtype(self.dtype).itemsize
        bits = np.ascontiguousarray(tile).view(_SIGNED[size])
        sign = ~bits >> _SIGNED[size](8 * size - 1)
        return (bits ^ (sign | np.iinfo(_SIGNED[size]).min)).view(self.dtype)

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
