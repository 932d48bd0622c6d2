"""Integers as unsigned distances from the smallest value, in the narrowest type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import Region
from .base import Transform


@dataclass(frozen=True)
class Offset(Transform):
    """``value - minimum`` as 8, 16, 32 or 64 bit unsigned.

    Attributes:
        dtype: name of the integer type of the voxels.
        minimum, maximum: smallest and largest value in the image, stored units.
    """

    id: ClassVar[str] = "offset"
    dtype: str
    minimum: int
    maximum: int

    def __post_init__(self) -> None:
        limits = np.iinfo(np.dtype(self.dtype))
        if not limits.min <= self.minimum <= self.maximum <= limits.max:
            raise ValueError(f"{self.minimum} to {self.maximum} is not a range of {self.dtype}.")

    @property
    def packed(self) -> np.dtype:
        """The narrowest unsigned type that holds every distance."""
        return np.dtype(np.min_scalar_type(self.maximum - self.minimum))

    def output(self, dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
        if dtype != np.dtype(self.dtype):
            raise CorruptStreamError(f"The offset step is for {self.dtype} voxels, not {dtype.name}.")
        return self.packed, components

    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        return self.packed_values(tile)

    def packed_values(self, tile: np.ndarray) -> np.ndarray:
        """``forward`` for integers of any shape; it does not depend on where they are."""
        # Arithmetic modulo the type's size is exact here and costs no wider copy.
        unsigned = np.dtype(f"u{tile.dtype.itemsize}")
        shift = unsigned.type(self.minimum % (1 << (8 * unsigned.itemsize)))
        return np.asarray(np.subtract(tile.view(unsigned), shift).astype(self.packed, copy=False))

    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        dtype = np.dtype(self.dtype)
        unsigned = np.dtype(f"u{dtype.itemsize}")
        shift = unsigned.type(self.minimum % (1 << (8 * unsigned.itemsize)))
        return np.asarray(np.add(tile.astype(unsigned, copy=False), shift).view(dtype))

    def to_json(self) -> dict[str, Any]:
        return {"type": self.dtype, "minimum": self.minimum, "maximum": self.maximum}

    @classmethod
    def from_json(cls, parameters: dict[str, Any]) -> Offset:
        if not np.issubdtype(np.dtype(parameters["type"]), np.integer):
            raise ValueError("The offset step is for integers.")
        return cls(np.dtype(parameters["type"]).name, int(parameters["minimum"]), int(parameters["maximum"]))
