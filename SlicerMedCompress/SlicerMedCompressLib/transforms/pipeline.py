"""The steps an image goes through before coding, in order, as one reversible whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import Region
from .as_float import AsFloat
from .base import Transform
from .color import SubtractGreen
from .floats import NarrowFloat, OrderedBits
from .offset import Offset
from .palette import Palette
from .planes import SplitPlanes
from .quantize import Quantize
from .slopes import RescaleSlopes

TRANSFORMS: dict[str, type[Transform]] = {
    transform.id: transform
    for transform in (
        NarrowFloat,
        RescaleSlopes,
        AsFloat,
        OrderedBits,
        Offset,
        Quantize,
        Palette,
        SubtractGreen,
        SplitPlanes,
    )
}


@dataclass(frozen=True)
class Pipeline:
    """Transforms in the order they are applied."""

    steps: tuple[Transform, ...] = ()

    def output(self, dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
        """Type and number of planes that reach the codec; CorruptStreamError if the steps do not fit."""
        for step in self.steps:
            dtype, components = step.output(dtype, components)
        return dtype, components

    def forward(self, tile: np.ndarray, region: Region) -> np.ndarray:
        """Tile (slice, row, column, component) to planes (slice, row, column, plane)."""
        for step in self.steps:
            tile = step.forward(tile, region)
        return tile

    def inverse(self, tile: np.ndarray, region: Region) -> np.ndarray:
        """Planes back to the tile; CorruptStreamError where they cannot be one."""
        for step in reversed(self.steps):
            tile = step.inverse(tile, region)
        return tile

    def slopes_of(self, region: Region) -> np.ndarray | None:
        """Rescale slope of each slice of a region, or None where all are of one."""
        for step in self.steps:
            if isinstance(step, RescaleSlopes) and len(step.slopes) > 1:
                return step.of(region)
        return None

    @property
    def is_exact(self) -> bool:
        """Whether ``inverse`` gives back every voxel that ``forward`` was made for."""
        return not any(isinstance(step, (AsFloat, Quantize)) for step in self.steps)

    def to_json(self) -> list[dict[str, Any]]:
        """One object a step, with its ``id``."""
        return [{"id": step.id, **step.to_json()} for step in self.steps]

    @classmethod
    def from_json(cls, steps: Sequence[dict[str, Any]]) -> Pipeline:
        """The pipeline from ``to_json``; CorruptStreamError if a step is unknown or malformed."""
        if not isinstance(steps, list) or len(steps) > len(TRANSFORMS):
            raise CorruptStreamError("The list of transforms is not one that MedCompress writes.")
        try:
            return cls(tuple(TRANSFORMS[step["id"]].from_json(step) for step in steps))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptStreamError(
                f"A transform is unknown or malformed ({error}); a newer MedCompress may read it."
            ) from error
