"""What every reversible step before coding offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..tiling import Region, parts_of


def in_parts(convert: Callable[[np.ndarray], np.ndarray], tile: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """``convert`` applied to a tile (slice, row, column, component) a few slices at a time."""
    result = np.empty(tile.shape, dtype)
    for part in parts_of(tile):
        result[part] = convert(tile[part])
    return result


class Transform(ABC):
    """A reversible map of voxels, applied to one tile at a time.

    Tiles are arrays (slice, row, column, component). ``forward`` and ``inverse`` are exact
    opposites on every value the image holds, and need nothing but the tile and where it is.
    """

    id: ClassVar[str]

    @abstractmethod
    def output(self, dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
        """Type and number of components of what ``forward`` gives, from those of what it gets.

        Raises CorruptStreamError if this step cannot follow such an input.
        """

    @abstractmethod
    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        """The tile as it goes to the next step or the codec."""

    @abstractmethod
    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        """The tile as it was before ``forward``.

        Values that cannot come from ``forward`` give some tile or CorruptStreamError, never more
        memory; whether the voxels are right is for the checksums to say.
        """

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Everything ``from_json`` needs, as JSON values."""

    @classmethod
    @abstractmethod
    def from_json(cls, parameters: dict[str, Any]) -> Transform:
        """The transform from what ``to_json`` gave; ValueError, TypeError or KeyError if it is not that."""
