"""How an image will be coded, decided before the first byte is written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..codecs import Codec
from ..tiling import Grid
from ..tolerance import Tolerance
from ..transforms import Pipeline
from .frame_order import FrameOrder
from .tile_coding import TileCoder


@dataclass(frozen=True)
class Plan:
    """Everything that decides the bytes of a file but the voxels.

    Attributes:
        tolerance: what must be kept; None for lossless.
        corrections: the lossless codec that mends what the codec loses beyond the tolerance, or None
            where the codec keeps it by itself.
        data_range: largest minus smallest finite voxel, for the record of a lossy file.
        over_time: whether time is in the place of slices; then grid and pipeline are for that.
        group: frames that are coded after one another, see ``FrameOrder``; 1 for each on its own.
    """

    codec: Codec
    pipeline: Pipeline
    grid: Grid
    tolerance: Tolerance | None = None
    corrections: Codec | None = None
    data_range: float = 0.0
    group: int = 1
    over_time: bool = False

    @property
    def is_lossless(self) -> bool:
        """Whether what it codes decodes to the original, whatever its tolerance would allow."""
        return self.codec.guarantee == "lossless" and self.pipeline.is_exact and self.corrections is None

    def coder(self, voxels: np.ndarray) -> TileCoder:
        """What codes the tiles of an image (frame, slice, row, column, component), seen along the plan's axes."""
        order = FrameOrder.of(self.codec, len(voxels), self.group)
        return TileCoder(self.codec, self.pipeline, voxels.dtype, voxels.shape[-1], order, self.corrections)
