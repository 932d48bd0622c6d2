"""Voxels to the nearest of evenly spaced values: the step that loses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import Region
from .base import Transform, in_parts

MAXIMUM_LEVELS = 1 << 64


@dataclass(frozen=True)
class Quantize(Transform):
    """``round((value - origin) / step)``, and back ``origin + index x step``, rounded to the type.

    Integers with a whole, odd step lose at most (step - 1) / 2, by construction: what JPEG-LS calls
    near-lossless (ITU-T T.87 A.4.4), before prediction instead of after it. The same step maps
    a range onto the levels that a codec of 8, 10 or 12 bits takes. Values that are not finite become
    index 0, those outside the levels the nearest; what must be right about them is for corrections.

    Attributes:
        dtype: name of the type of the voxels.
        origin, step: in stored units; both whole for exact integer arithmetic.
        levels: number of indices, from 0.
    """

    id: ClassVar[str] = "quantize"
    dtype: str
    origin: float
    step: float
    levels: int

    def __post_init__(self) -> None:
        if not (abs(self.origin) < math.inf and 0 < self.step < math.inf):
            raise ValueError("Quantization needs a finite origin and a positive step.")
        if not 1 <= self.levels <= MAXIMUM_LEVELS or self.packed.itemsize > max(2, np.dtype(self.dtype).itemsize):
            raise ValueError(f"Quantization of {self.dtype} to {self.levels} levels is not possible.")
        if self._whole and not abs(self.origin) < MAXIMUM_LEVELS > self.step:
            raise ValueError("The origin or step of a quantization is beyond 64 bits.")

    @property
    def packed(self) -> np.dtype:
        """The narrowest unsigned type that holds every index."""
        return np.dtype(np.min_scalar_type(self.levels - 1))

    @property
    def _whole(self) -> bool:
        return np.dtype(self.dtype).kind in "iu" and type(self.origin) is int and type(self.step) is int

    def output(self, dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
        if dtype != np.dtype(self.dtype):
            raise CorruptStreamError(f"The quantization is for {self.dtype} voxels, not {dtype.name}.")
        return self.packed, components

    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        return in_parts(self._indices_of_whole if self._whole else self._indices_of, tile, self.packed)

    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        return in_parts(self._whole_values_of if self._whole else self._values_of, tile, np.dtype(self.dtype))

    def _indices_of(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            indices = np.rint((values.astype(np.float64) - self.origin) / self.step)
        if values.dtype.kind == "f":
            indices[~np.isfinite(values)] = 0.0
        return np.asarray(np.clip(indices, 0.0, min(float(self.levels - 1), 2.0**63)))

    def _values_of(self, indices: np.ndarray) -> np.ndarray:
        dtype = np.dtype(self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            values = indices.astype(np.float64) * self.step + self.origin
            if dtype.kind == "f":
                return values.astype(dtype)
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max)

    def _indices_of_whole(self, values: np.ndarray) -> np.ndarray:
        # Distances from the origin modulo 2^64 are exact for every type.
        distance = values.astype(np.uint64) - np.uint64(int(self.origin) % MAXIMUM_LEVELS)
        step = np.uint64(self.step)
        indices = distance // step
        indices += (distance - indices * step) > np.uint64(int(self.step) // 2)
        return np.asarray(np.minimum(indices, np.uint64(self.levels - 1)))

    def _whole_values_of(self, indices: np.ndarray) -> np.ndarray:
        dtype = np.dtype(self.dtype)
        top, step = np.uint64(max(0, int(np.iinfo(dtype).max) - int(self.origin))), np.uint64(self.step)
        # The index above the last whole step stands for the largest value of the type; capped before
        # it is multiplied, because a hostile index must not wrap round.
        wide = indices.astype(np.uint64)
        distance = np.where(wide > top // step, top, np.minimum(wide, top // step) * step)
        return (distance + np.uint64(int(self.origin) % MAXIMUM_LEVELS)).astype(dtype)

    def to_json(self) -> dict[str, Any]:
        return {"type": self.dtype, "origin": self.origin, "step": self.step, "levels": self.levels}

    @classmethod
    def from_json(cls, parameters: dict[str, Any]) -> Quantize:
        origin, step, levels = (parameters[key] for key in ("origin", "step", "levels"))
        if type(origin) not in (int, float) or type(step) not in (int, float) or type(levels) is not int:
            raise ValueError("Quantization needs numbers for its origin, step and levels.")
        return cls(np.dtype(parameters["type"]).name, origin, step, levels)
