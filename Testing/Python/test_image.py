"""An image says what is wrong with it; a grid covers every voxel once."""

from __future__ import annotations

import numpy as np
import pytest
from generated_images import OBLIQUE, head, scalar
from hypothesis import given
from hypothesis import strategies as st

from SlicerMedCompressLib.errors import UnsupportedImageError
from SlicerMedCompressLib.image import FrameAxis, Geometry, Image, Kind, same_voxels
from SlicerMedCompressLib.tiling import Grid, Region, TileShape, grid_for


@pytest.mark.parametrize(
    ("voxels", "fields", "told"),
    [
        (np.zeros((1, 2, 2, 2, 1), np.int64), {}, "int64"),
        (np.zeros((1, 2, 2, 2, 1), np.float16), {}, "float16"),
        (np.zeros((1, 2, 2, 2, 1), bool), {}, "bool"),
        (np.zeros((2, 2, 2), np.uint8), {}, "five axes"),
        (np.zeros((1, 0, 2, 2, 1), np.uint8), {}, "no voxels"),
        (np.zeros((1, 2, 2, 2, 1), ">i2"), {}, "byte order"),
        (np.zeros((2, 2, 2, 2, 1), np.uint8), {}, "frame axis"),
        (np.zeros((2, 2, 2, 2, 1), np.uint8), {"frame_axis": FrameAxis(("0",))}, "index values"),
        (np.zeros((1, 2, 2, 2, 1), np.float32), {"kind": Kind.LABEL}, "integers"),
        (np.zeros((1, 2, 2, 2, 1), np.uint8), {"kind": Kind.SEGMENTATION}, "segments"),
        (np.zeros((1, 2, 2, 2, 3), np.uint8), {}, "one component"),
        (np.zeros((2, 2, 2, 2, 1), np.uint8), {"frame_axis": FrameAxis(("0", "0"))}, "same index value"),
        (np.zeros((1, 2, 2, 2, 1), np.uint8), {"dimension": 7}, "dimensions"),
    ],
)
def test_what_cannot_be_an_image_is_told(voxels: np.ndarray, fields: dict, told: str) -> None:
    with pytest.raises(UnsupportedImageError, match=told):
        Image(voxels, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": (np.nan, 0, 0)},
        {"spacing": (0.0, 1.0, 1.0)},
        {"spacing": (1.0, np.inf, 1.0)},
        {"directions": ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0))},
    ],
)
def test_a_geometry_that_is_none_is_told(fields: dict) -> None:
    with pytest.raises(UnsupportedImageError):
        Geometry(**fields)


def test_the_matrix_maps_indices_to_positions() -> None:
    position = OBLIQUE.ijk_to_ras @ [1, 0, 0, 1]
    step = np.array([row[0] for row in OBLIQUE.directions]) * OBLIQUE.spacing[0]
    assert np.allclose(position[:3], np.array(OBLIQUE.origin) + step, rtol=0, atol=1e-12)


def test_voxels_are_compared_bit_by_bit() -> None:
    assert same_voxels(np.array([np.nan, 0.0]), np.array([np.nan, 0.0]))
    assert not same_voxels(np.array([0.0]), np.array([-0.0]))
    assert not same_voxels(np.array([1], np.int16), np.array([1], np.uint16))


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 400), st.integers(1, 400)),
    st.tuples(*(st.integers(1, 130),) * 3),
)
def test_tiles_cover_every_voxel_once(shape: tuple[int, int, int, int], tile: tuple[int, int, int]) -> None:
    grid = grid_for(shape, TileShape(*tile))
    covered = np.zeros(shape, np.uint8)
    for slab in range(grid.slab_count):
        for region in grid.tiles_of_slab(slab):
            assert min(region.shape) >= 1
            region.of(covered)[...] += 1
    assert covered.min() == covered.max() == 1


def test_a_grid_finds_the_slabs_that_a_region_touches() -> None:
    grid = Grid((2, 20, 30, 30), 3, 2, 2)
    region = Region(1, (6, 13), (0, 1), (0, 1))
    touched = list(grid.slabs_touching(region))
    assert touched == [slab for slab in range(6) if any(tile.intersection(region) for tile in grid.tiles_of_slab(slab))]


def test_the_voxel_count_includes_components() -> None:
    assert scalar(head((2, 3, 4))).voxel_count == 24
