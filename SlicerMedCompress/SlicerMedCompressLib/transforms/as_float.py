"""Voxels as floating point samples, for codecs that work on real numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import Region
from .base import Transform, in_parts


@dataclass(frozen=True)
class AsFloat(Transform):
    """``value / step`` as float32 where that holds the type's values, else float64.

    Back, integers are rounded and kept inside their type. NaN and infinities become 0; what must be
    right about them is for corrections.

    Attributes:
        dtype: name of the type of the voxels.
        step: scale in stored units; a codec whose setting is a power of two is tuned by it.
    """

    id: ClassVar[str] = "as-float"
    dtype: str
    step: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.step) and self.step > 0):
            raise ValueError("The scale of float samples must be finite and positive.")

    @property
    def packed(self) -> np.dtype:
        """float32, or float64 for types that float32 would round."""
        exact = np.dtype(self.dtype).itemsize <= 2 or self.dtype == "float32"
        return np.dtype(np.float32 if exact else np.float64)

    def output(self, dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
        if dtype != np.dtype(self.dtype):
            raise CorruptStreamError(f"The float step is for {self.dtype} voxels, not {dtype.name}.")
        return self.packed, components

    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        return in_parts(self._samples_of, tile, self.packed)

    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        return in_parts(self._values_of, tile, np.dtype(self.dtype))

    def _samples_of(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", under="ignore"):
            samples = (values / np.float64(self.step)).astype(self.packed)
        return np.asarray(np.nan_to_num(samples, copy=False, nan=0.0, posinf=0.0, neginf=0.0))

    def _values_of(self, samples: np.ndarray) -> np.ndarray:
        dtype = np.dtype(self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            values = samples.astype(np.float64) * self.step
            if dtype.kind == "f":
                return values.astype(dtype)
        limits = np.iinfo(dtype)
        return np.asarray(np.clip(np.nan_to_num(np.rint(values), nan=0.0), limits.min, limits.max))

    def to_json(self) -> dict[str, Any]:
        return {"type": self.dtype, "step": self.step}

    @classmethod
    def from_json(cls, parameters: dict[str, Any]) -> AsFloat:
        if type(parameters["step"]) not in (int, float):
            raise ValueError("The scale of float samples must be a number.")
        return cls(np.dtype(parameters["type"]).name, float(parameters["step"]))
