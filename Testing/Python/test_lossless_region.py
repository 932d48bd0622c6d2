"""The region that is kept lossless is where the segments are, on whatever grid they were drawn."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from conftest import SHARED_DATA
from generated_images import OBLIQUE, head, scalar, segmentation, sequence
from hypothesis import given, settings
from hypothesis import strategies as st

from SlicerMedCompressLib import lossless_region
from SlicerMedCompressLib.errors import UnsupportedImageError
from SlicerMedCompressLib.files import read_image
from SlicerMedCompressLib.image import FrameAxis, Geometry, Image, Kind
from SlicerMedCompressLib.lossless_region import region_mask
from SlicerMedCompressLib.segments import Segmentation

SPACING = (0.7, 0.9, 2.5)


def volume(shape: Sequence[int] = (12, 14, 16), geometry: Geometry = OBLIQUE) -> Image:
    return scalar(np.zeros(tuple(shape), np.int16), geometry=geometry)


def labels(values: np.ndarray, geometry: Geometry = OBLIQUE) -> Image:
    return scalar(values, geometry=geometry, kind=Kind.LABEL, name="regions")


def ball(shape: tuple[int, int, int] = (12, 14, 16), radius: float = 5.0) -> np.ndarray:
    middle = (np.array(shape)[:, np.newaxis, np.newaxis, np.newaxis] - 1) / 2
    return (((np.indices(shape) - middle) ** 2).sum(axis=0) <= radius**2).astype(np.uint8)


def rotated(degrees: float, origin: tuple[float, float, float], spacing: tuple[float, float, float]) -> Geometry:
    """A grid turned about two axes."""
    angle = math.radians(degrees)
    turn, tilt = np.eye(3), np.eye(3)
    turn[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    tilt[1:, 1:] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    return Geometry(origin, spacing, tuple(map(tuple, (turn @ tilt).tolist())))  # type: ignore[arg-type]


def centres(shape: Sequence[int], geometry: Geometry) -> np.ndarray:
    """RAS positions in mm of all voxel centres, shape (count, 3), the column running fastest."""
    slices, rows, columns = np.indices(tuple(shape)).reshape(3, -1)
    homogeneous = np.stack([columns, rows, slices, np.ones_like(rows)])
    return np.asarray((geometry.ijk_to_ras @ homogeneous)[:3].T)


def by_definition(source: np.ndarray, source_geometry: Geometry, target: Image) -> tuple[np.ndarray, np.ndarray]:
    """The mask a voxel at a time, and where rounding could decide either way: bool (slice, row, column)."""
    shape = target.voxels.shape[1:4]
    mask, doubtful = np.zeros(shape, bool), np.zeros(shape, bool)
    back = np.linalg.inv(source_geometry.ijk_to_ras)
    for index, centre in zip(np.ndindex(*shape), centres(shape, target.geometry), strict=True):
        at = (back @ [*centre, 1])[2::-1]
        doubtful[index] |= np.abs(at - np.floor(at) - 0.5).min() < 1e-6
        nearest = np.rint(at).astype(int)
        if all(0 <= place < length for place, length in zip(nearest, source.shape, strict=True)):
            mask[index] |= bool(source[tuple(nearest)])
    forth = np.linalg.inv(target.geometry.ijk_to_ras)
    for centre in centres(source.shape, source_geometry)[source.ravel() != 0]:
        at = (forth @ [*centre, 1])[2::-1]
        for holder in itertools.product(*({math.floor(a + 0.5 - 1e-6), math.floor(a + 0.5 + 1e-6)} for a in at)):
            if all(0 <= place < length for place, length in zip(holder, shape, strict=True)):
                mask[holder] = True
                doubtful[holder] |= bool(np.abs(at - np.floor(at) - 0.5).min() < 1e-6)
    return mask, doubtful


def within(mask: np.ndarray, spacing: tuple[float, float, float], margin: float) -> np.ndarray:
    """All voxels within a margin of a mask, by all pairs of voxels; spacing of (column, row, slice)."""
    points = np.indices(mask.shape).reshape(3, -1).T * np.array(spacing[::-1])
    inside = points[mask.ravel()]
    distances = np.sqrt(((points[:, np.newaxis] - inside) ** 2).sum(axis=2)).min(axis=1)
    return np.asarray((distances <= margin + 1e-9).reshape(mask.shape))


def test_without_names_every_label_but_0_is_inside() -> None:
    drawn = segmentation()
    mask = region_mask(drawn, volume())
    assert mask.dtype == bool
    assert np.array_equal(mask, (drawn.voxels[0] != 0).any(axis=-1))


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["liver"], [(0, 1)]),
        (["S2"], [(0, 2)]),
        (["vessel"], [(1, 1)]),
        (["overlap", "liver"], [(1, 1), (0, 1)]),
        (["tumor ü", "liver", "S1"], [(0, 2), (0, 1)]),
    ],
)
def test_segments_are_found_by_name_or_identifier_on_their_own_layer(
    names: list[str], chosen: list[tuple[int, int]]
) -> None:
    drawn = segmentation()
    expected = np.any([drawn.voxels[0, ..., layer] == label for layer, label in chosen], axis=0)
    assert np.array_equal(region_mask(drawn, volume(), names), expected)


def test_all_segments_of_one_name_are_meant() -> None:
    drawn = segmentation()
    assert drawn.segmentation is not None
    segments = tuple(dataclasses.replace(segment, name="same") for segment in drawn.segmentation.segments)
    renamed = dataclasses.replace(drawn, segmentation=Segmentation(segments))
    assert np.array_equal(region_mask(renamed, volume(), ["same"]), region_mask(drawn, volume()))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint32"])
def test_labels_are_chosen_by_their_value(dtype: str) -> None:
    values = ball().astype(dtype)
    values[0] = 100
    drawn = labels(values)
    assert np.array_equal(region_mask(drawn, volume()), values != 0)
    assert np.array_equal(region_mask(drawn, volume(), ["100"]), values == 100)
    assert np.array_equal(region_mask(drawn, volume(), ["1", "100"]), values != 0)


def test_one_name_need_not_be_in_a_list() -> None:
    values = ball() * np.uint8(12)
    values[0, 0, :2] = 1, 2
    assert np.array_equal(region_mask(labels(values), volume(), "12"), values == 12)


def test_negative_labels_are_labels() -> None:
    values = -ball().astype(np.int16)
    assert np.array_equal(region_mask(labels(values), volume(), ["-1"]), values == -1)


def test_a_label_in_any_frame_counts_for_all_frames() -> None:
    frames = np.zeros((2, 6, 20, 22, 1), np.uint8)
    frames[0, 1:3, 4:9, 5:8], frames[1, 2:5, 4:9, 5:8] = 1, 2
    drawn = Image(frames, kind=Kind.LABEL, frame_axis=FrameAxis(("0", "1")), dimension=4)
    expected = (frames != 0).any(axis=(0, 4))
    assert np.array_equal(region_mask(drawn, sequence()), expected)
    assert np.array_equal(region_mask(drawn, sequence(), ["2"]), frames[1, ..., 0] == 2)


def test_geometry_that_differs_by_rounding_only_is_the_same() -> None:
    near = dataclasses.replace(OBLIQUE, origin=tuple(value + 5e-5 for value in OBLIQUE.origin))
    assert np.array_equal(region_mask(labels(ball()), volume(geometry=near)), ball() != 0)


def test_a_stored_box_is_placed_in_the_volume_it_was_cut_from() -> None:
    whole = ball((12, 14, 16), 3.0)
    corner = OBLIQUE.ijk_to_ras @ [5, 4, 3, 1]
    box = labels(whole[3:9, 4:11, 5:12], dataclasses.replace(OBLIQUE, origin=tuple(corner[:3].tolist())))
    assert np.array_equal(region_mask(box, volume()), whole != 0)


@given(
    shift=st.tuples(*[st.integers(-8, 8)] * 3),
    fraction=st.tuples(*[st.floats(-0.45, 0.45)] * 3),
    lower=st.tuples(*[st.integers(0, 3)] * 3),
    size=st.tuples(*[st.integers(1, 4)] * 3),
)
def test_a_shifted_box_lands_where_resampling_puts_it(
    shift: tuple[int, ...], fraction: tuple[float, ...], lower: tuple[int, ...], size: tuple[int, ...]
) -> None:
    values = np.zeros((7, 7, 7), np.uint8)
    values[tuple(slice(begin, begin + length) for begin, length in zip(lower, size, strict=True))] = 1
    expected = np.zeros((9, 10, 11), bool)
    for place in np.argwhere(values):
        moved = place + shift
        if (moved >= 0).all() and (moved < expected.shape).all():
            expected[tuple(moved)] = True
    start = [a + b for a, b in zip(shift[::-1], fraction[::-1], strict=True)]
    origin = tuple((OBLIQUE.ijk_to_ras @ [*start, 1])[:3].tolist())
    drawn, target = labels(values, dataclasses.replace(OBLIQUE, origin=origin)), volume((9, 10, 11))
    box = lossless_region._bounding_box(values != 0)
    assert box is not None
    to_image = lossless_region._index_map(drawn, target)
    assert lossless_region._whole_shift(box, to_image) == shift
    resampled = np.zeros_like(expected)
    lossless_region._mark_centres_in_part(resampled, values[box] != 0, box, to_image)
    assert np.array_equal(resampled, expected)
    if expected.any():
        assert np.array_equal(region_mask(drawn, target), expected)


GRIDS = {
    "nearly half a voxel away": Geometry((-3.16, 0.43, 2.21), SPACING),
    "coarser": Geometry((-3.3, 1.1, 0.4), (1.9, 2.3, 4.1)),
    "finer": Geometry((-3.2123, 0.4123, 1.1123), (0.31, 0.4, 0.9)),
    "finer along one axis": Geometry((-3.2123, 0.4123, 1.1123), (0.7, 0.9, 0.6)),
    "turned": rotated(31, (-1.1, -2.3, 3.7), SPACING),
    "turned and coarser": rotated(-17, (-1.1, 1.3, 3.7), (1.3, 2.1, 2.9)),
    "turned and finer": rotated(67, (3.1, 1.3, 3.7), (0.3, 0.5, 0.6)),
    "left-handed": Geometry((7.1, 0.31, 1.3), SPACING, ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))),
    "other axes first": Geometry(
        (-3.1123, 0.2123, 1.2123), (2.1, 0.6, 0.8), ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    ),
    "sheared": Geometry((-3.1123, 0.2123, 1.2123), SPACING, ((1.0, 0.0, 0.0), (0.0, 1.0, 0.3), (0.0, 0.0, 0.954))),
}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("sparse", [False, True], ids=["ball", "single voxels"])
def test_segments_on_another_grid_cover_the_same_place(grid: str, sparse: bool) -> None:
    values = ball((9, 11, 13), 4.5)
    if sparse:
        values = (np.random.default_rng(5).random(values.shape) < 0.02).astype(np.uint8)
    target = volume((8, 12, 14), Geometry((-3.5, 0.0, 1.0), SPACING))
    mask = region_mask(labels(values, GRIDS[grid]), target)
    expected, doubtful = by_definition(values, GRIDS[grid], target)
    assert expected.any()
    assert doubtful.mean() < 0.01
    assert np.array_equal(mask[~doubtful], expected[~doubtful])


def test_a_structure_finer_than_the_volume_is_not_lost() -> None:
    fine = np.zeros((40, 40, 40), np.uint8)
    fine[13, 17, 22] = 1
    mask = region_mask(labels(fine, Geometry(spacing=(0.1, 0.1, 0.1))), volume((4, 4, 4), Geometry()))
    assert np.argwhere(mask).tolist() == [[1, 2, 2]]


@settings(max_examples=25)
@given(
    degrees=st.floats(-180, 180),
    origin=st.tuples(*[st.floats(-6, 6)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 3)] * 3),
    seed=st.integers(0, 1000),
)
def test_any_two_grids_agree_with_the_definition(
    degrees: float, origin: tuple[float, float, float], spacing: tuple[float, float, float], seed: int
) -> None:
    values = (np.random.default_rng(seed).random((4, 5, 6)) < 0.3).astype(np.uint8)
    geometry = rotated(degrees, origin, spacing)
    target = volume((5, 6, 7), Geometry((-3.0, -3.0, -3.0), (1.0, 1.1, 1.2)))
    expected, doubtful = by_definition(values, geometry, target)
    try:
        mask = region_mask(labels(values, geometry), target)
    except UnsupportedImageError:
        mask = np.zeros_like(expected)
    assert np.array_equal(mask[~doubtful], expected[~doubtful])


@pytest.mark.parametrize("margin", [0.0, 0.5, 0.7, 0.9, 1.4, 2.5, 2.7, 6.0, 1e300])
@pytest.mark.parametrize("directions", [Geometry().directions, OBLIQUE.directions], ids=["straight", "oblique"])
def test_a_margin_is_a_distance_in_mm(margin: float, directions: tuple) -> None:
    values = np.zeros((6, 11, 12), np.uint8)
    values[2:4, 3:6, 0:2] = 1
    values[5, 10, 11] = 1
    geometry = Geometry((3.0, 2.0, 1.0), SPACING, directions)
    mask = region_mask(labels(values, geometry), volume(values.shape, geometry), margin=margin)
    assert np.array_equal(mask, within(values != 0, SPACING, margin))


@given(
    places=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 7)), min_size=1, max_size=6),
    spacing=st.tuples(*[st.floats(0.3, 4)] * 3),
    margin=st.floats(0, 8),
)
def test_any_margin_is_that_of_all_pairs_of_voxels(
    places: list[tuple[int, int, int]], spacing: tuple[float, float, float], margin: float
) -> None:
    values = np.zeros((6, 7, 8), np.uint8)
    for place in places:
        values[place] = 1
    geometry = Geometry(spacing=spacing)
    mask = region_mask(labels(values, geometry), volume(values.shape, geometry), margin=margin)
    slightly = 2e-5 * (1 + margin)
    assert not (within(values != 0, spacing, margin - slightly) & ~mask).any() or margin < slightly
    assert not (mask & ~within(values != 0, spacing, margin + slightly)).any()
    assert mask[values != 0].all()


def test_a_single_slice_has_a_margin_too() -> None:
    values = ball((1, 20, 30), 4.0)
    geometry = Geometry(spacing=(0.5, 0.5, 1.0))
    mask = region_mask(labels(values, geometry), volume(values.shape, geometry), margin=1.5)
    assert np.array_equal(mask, within(values != 0, geometry.spacing, 1.5))


def test_a_full_region_with_a_margin_stays_full() -> None:
    assert region_mask(labels(np.ones((3, 4, 5), np.uint8)), volume((3, 4, 5)), margin=3).all()


@pytest.mark.parametrize("margin", [-1.0, math.nan, math.inf, -math.inf])
def test_a_margin_that_is_no_length_is_told(margin: float) -> None:
    with pytest.raises(UnsupportedImageError, match="margin"):
        region_mask(labels(ball()), volume(), margin=margin)


def test_a_margin_needs_axes_at_right_angles() -> None:
    with pytest.raises(UnsupportedImageError, match="right angles"):
        region_mask(labels(ball(), GRIDS["sheared"]), volume(geometry=GRIDS["sheared"]), margin=1)


def test_axes_in_one_plane_are_told() -> None:
    flat = Geometry(directions=((1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0)))
    with pytest.raises(UnsupportedImageError, match="one plane"):
        region_mask(labels(ball(), flat), volume())
    with pytest.raises(UnsupportedImageError, match="one plane"):
        region_mask(labels(ball()), volume(geometry=flat))


@pytest.mark.parametrize("name", ["kidney", "", "1", "LIVER"])
def test_an_unknown_segment_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(
        UnsupportedImageError, match=f'"organs" has no segment "{name}"; choose from "liver", "tumor ü"'
    ):
        region_mask(segmentation(), volume(), ["liver", name])


@pytest.mark.parametrize("name", ["2", "0", "liver", "", "1.0", "-1", "99999999999999999999"])
def test_an_unknown_label_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(UnsupportedImageError, match=r'choose from "1"\.'):
        region_mask(labels(ball()), volume(), [name])


def test_a_long_list_of_labels_is_cut() -> None:
    values = np.arange(12 * 14 * 16, dtype=np.int32).reshape(12, 14, 16)
    with pytest.raises(UnsupportedImageError, match='"20", and more'):
        region_mask(labels(values), volume(), ["99999"])


def test_labels_without_any_are_told() -> None:
    empty = labels(np.zeros((12, 14, 16), np.uint8))
    with pytest.raises(UnsupportedImageError, match="none at all"):
        region_mask(empty, volume(), ["1"])
    with pytest.raises(UnsupportedImageError, match="no voxel inside the volume; nothing would be kept lossless"):
        region_mask(empty, volume())


def test_a_segment_without_a_voxel_is_told() -> None:
    drawn = segmentation()
    emptied = dataclasses.replace(drawn, voxels=np.where(drawn.voxels == 2, 0, drawn.voxels).astype(np.uint8))
    with pytest.raises(UnsupportedImageError, match='"tumor ü" of "organs" has no voxel inside the volume'):
        region_mask(emptied, volume(), ["tumor ü"])


@pytest.mark.parametrize("turned", [False, True])
def test_a_segmentation_of_another_place_is_told(turned: bool) -> None:
    away = rotated(20, (500.0, 0.0, 0.0), SPACING) if turned else dataclasses.replace(OBLIQUE, origin=(500.0, 0.0, 0.0))
    with pytest.raises(UnsupportedImageError, match="no voxel inside the volume"):
        region_mask(labels(ball(), away), volume(), margin=1000.0)


def test_what_has_no_labels_is_told() -> None:
    with pytest.raises(UnsupportedImageError, match="label volume"):
        region_mask(scalar(head(), name="CT"), volume())


def test_the_segmentation_is_left_as_it_is() -> None:
    values = ball()
    values.flags.writeable = False
    mask = region_mask(labels(values), volume(), margin=2.0)
    assert not np.shares_memory(mask, values)


@pytest.mark.skipif(not (SHARED_DATA / "CT").is_dir(), reason="the real images are not here; set MEDCOMPRESS_DATA")
def test_a_real_tumour_and_its_margin_are_where_they_are() -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is not installed")
    image, drawn = (read_image(SHARED_DATA / "CT" / name) for name in ("ct_sts005.nrrd", "ct_sts005_label.nrrd"))
    inside = drawn.voxels[0, ..., 0] != 0
    assert np.array_equal(region_mask(drawn, image), inside)
    distances = ndimage.distance_transform_edt(~inside, sampling=image.geometry.spacing[::-1])
    assert np.array_equal(region_mask(drawn, image, ["1"], margin=5.0), distances <= 5.0)
    box = lossless_region._bounding_box(inside)
    assert box is not None
    corner = image.geometry.ijk_to_ras @ [*(axis.start for axis in reversed(box)), 1]
    cut = scalar(
        drawn.voxels[0, ..., 0][box],
        kind=Kind.LABEL,
        geometry=dataclasses.replace(image.geometry, origin=tuple(corner[:3].tolist())),
    )
    assert np.array_equal(region_mask(cut, image), inside)
