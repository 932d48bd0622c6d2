"""Values that occur, numbered in order: closes the gaps in a sparse histogram."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import Region
from .base import Transform

MAXIMUM_RANGE = 1 << 16


@dataclass(frozen=True, eq=False)
class Palette(Transform):
    """Each value of at most 16 bits becomes its rank among the values that occur.

    Rescaled 8 bit CT, and CT padded with -3024 outside the field of view, use few of the
    values in their range; predictors and wavelets do better without the gaps.

    Attributes:
        values: occurring values, ascending, uint8 or uint16.
    """

    id: ClassVar[str] = "palette"
    values: np.ndarray
    _ranks: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.values.size == 0 or self.values.ndim != 1 or np.any(np.diff(self.values.astype(np.int64)) <= 0):
            raise ValueError("A palette needs ascending values.")
        ranks = np.zeros(int(self.values[-1]) + 1, np.uint16)
        ranks[self.values] = np.arange(len(self.values), dtype=np.uint16)
        object.__setattr__(self, "_ranks", ranks.astype(self.packed))

    @property
    def packed(self) -> np.dtype:
        """The narrowest unsigned type that holds every rank."""
        return np.dtype(np.min_scalar_type(len(self.values) - 1))

    def output(self, dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
        if dtype != self.values.dtype:
            raise CorruptStreamError(f"The palette is of {self.values.dtype.name} values, not {dtype.name}.")
        return self.packed, components

    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        return np.asarray(self._ranks.take(tile))

    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        try:
            return np.asarray(self.values.take(tile))
        except IndexError as error:
            raise CorruptStreamError("A decoded voxel is not in the recorded palette.") from error

    def to_json(self) -> dict[str, Any]:
        occurs = np.zeros(int(self.values[-1]) + 1, np.uint8)
        occurs[self.values] = 1
        packed = zlib.compress(np.packbits(occurs).tobytes(), 9)
        return {"type": self.values.dtype.name, "occurs": base64.b64encode(packed).decode("ascii")}

    @classmethod
    def from_json(cls, parameters: dict[str, Any]) -> Palette:
        dtype = np.dtype(parameters["type"])
        if dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
            raise ValueError("A palette is of uint8 or uint16 values.")
        inflater = zlib.decompressobj()
        try:
            bits = inflater.decompress(base64.b64decode(parameters["occurs"], validate=True), MAXIMUM_RANGE // 8)
        except zlib.error as error:
            raise ValueError(f"The palette does not inflate: {error}.") from error
        values = np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8)))
        if values.size and values[-1] > np.iinfo(dtype).max:
            raise ValueError("The palette holds values above its type.")
        return cls(values.astype(dtype))
