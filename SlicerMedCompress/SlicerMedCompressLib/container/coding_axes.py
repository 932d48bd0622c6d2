"""The axes that voxels are coded along: as they are, or with time in the place of slices."""

from __future__ import annotations

import numpy as np

FRAMES_IN_TILE = 8
"""Most frames of a tile over time: so many are decoded to see one."""


def coding_view(voxels: np.ndarray, over_time: bool) -> np.ndarray:
    """The voxels as they are coded, and as they are from that: the same memory, the first two axes exchanged over time.

    Args:
        voxels: (frame, slice, row, column, component), or what was coded (slice, frame, row, column, component).
    """
    return voxels.swapaxes(0, 1) if over_time else voxels
