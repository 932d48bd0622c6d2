"""Tiles of frames that others are coded after: each decoded once, and after a failure tried again."""

from __future__ import annotations

import numpy as np
import pytest

from SlicerMedCompressLib.container.frame_planes import FramePlanes


def test_a_tile_is_decoded_once_while_it_is_kept() -> None:
    asked: list[tuple[int, int]] = []

    def decode(slab: int, number: int) -> np.ndarray:
        asked.append((slab, number))
        return np.full(1, slab)

    frames = FramePlanes(decode, 2)
    for slab in (0, 1, 0, 2, 0):
        assert frames.planes(slab, 0) == slab
    # The third one made the first one go.
    assert asked == [(0, 0), (1, 0), (2, 0), (0, 0)]


def test_a_failure_is_told_and_not_remembered() -> None:
    failures = [OSError("the disk was away")]

    def decode(slab: int, number: int) -> np.ndarray:
        if failures:
            raise failures.pop()
        return np.full(1, slab)

    frames = FramePlanes(decode, 2)
    with pytest.raises(OSError, match="was away"):
        frames.planes(3, 0)
    assert frames.planes(3, 0) == 3
