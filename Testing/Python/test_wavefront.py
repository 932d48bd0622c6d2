"""The order of decoding: every voxel once, and nothing is looked at before it is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_samples import HOOD, Shape

from SlicerMedCompressLib.learned.neighbourhood import ACTIVE, NEAREST, Neighbourhood, Offset
from SlicerMedCompressLib.learned.tile_geometry import SLICES_BEFORE, TileGeometry, tile_geometry

POISON = -1.0
SHAPES: list[Shape] = [
    (1, 1, 1),
    (1, 1, 23),
    (1, 23, 1),
    (23, 1, 1),
    (2, 1, 9),
    (2, 9, 1),
    (9, 2, 2),
    (1, 7, 11),
    (2, 3, 5),
    (3, 13, 7),
    (5, 7, 29),
    (7, 29, 5),
]
shapes = st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(1, 12))


def disc(part: int, radius: float, causal: bool = False) -> tuple[Offset, ...]:
    around = range(-int(radius), int(radius) + 1)
    found = [
        (row * row + column * column, (part, row, column))
        for row in around
        for column in around
        if row * row + column * column <= radius**2 and (not causal or row < 0 or (row == 0 and column < 0))
    ]
    return tuple(offset for _, offset in sorted(found))


def round_neighbourhood(own: float, previous: float, before: float, errors: float) -> Neighbourhood:
    return Neighbourhood(
        own=disc(0, own, causal=True),
        previous=disc(-1, previous),
        before=disc(-2, before),
        reference=disc(0, previous),
        residuals_own=disc(0, errors, causal=True),
        residuals_previous=disc(-1, errors),
    )


OTHERS = {
    "smallest": round_neighbourhood(1, 0, 0, 1),
    "narrow": round_neighbourhood(1.5, 1, 1, 1),
    "wide in its slice": round_neighbourhood(6, 3, 2, 2),
    "wide in the slice before": round_neighbourhood(3, 5, 3, 2),
    "wide in all": round_neighbourhood(6, 6, 6, 6),
    "wide in errors": round_neighbourhood(2, 2, 1, 5),
}


def test_the_standard_neighbourhood_is_what_streams_of_version_1_use() -> None:
    kinds = (HOOD.own, HOOD.previous, HOOD.before, HOOD.reference, HOOD.residuals_own, HOOD.residuals_previous)
    assert [len(kind) for kind in kinds] == [29, 25, 9, 13, 10, 9]
    assert (HOOD.reach, HOOD.skew) == (4, (4, 11))
    assert len(HOOD.own) >= ACTIVE >= NEAREST
    for kind in kinds:
        assert len(set(kind)) == len(kind)
        distances = [row * row + column * column for _, row, column in kind]
        assert distances == sorted(distances)


@pytest.mark.parametrize("hood", [HOOD, *OTHERS.values()], ids=["standard", *OTHERS])
def test_the_skew_is_the_smallest_that_puts_neighbours_on_earlier_planes(hood: Neighbourhood) -> None:
    causal = hood.voxels + hood.residuals
    assert max(causal) < (0, 0, 0)

    def suffices(per_row: int, per_slice: int) -> bool:
        return all(column + per_row * row + per_slice * part < 0 for part, row, column in causal)

    per_row, per_slice = hood.skew
    assert suffices(per_row, per_slice)
    assert per_row == 1 or not suffices(per_row - 1, 10**6)
    assert per_slice == 1 or not suffices(per_row, per_slice - 1)


def neighbours_of(geometry: TileGeometry, which: np.ndarray, offsets: tuple[Offset, ...]) -> np.ndarray:
    """Addresses (voxel, neighbour) from coordinates, which must not leave the padded volume."""
    place = np.stack(np.unravel_index(geometry.order[which], geometry.padded_shape))[:, :, np.newaxis]
    moved = place + np.array(offsets).T[:, np.newaxis, :]
    assert np.all((moved >= 0) & (moved < np.array(geometry.padded_shape)[:, np.newaxis, np.newaxis]))
    addresses = np.ravel_multi_index(tuple(moved), geometry.padded_shape)
    assert np.array_equal(addresses, geometry.order[which][:, np.newaxis] + geometry.steps(offsets))
    return addresses


def decode_poisoned(shape: Shape, hood: Neighbourhood) -> None:
    """Decode plane by plane what starts as poison: no neighbour that exists may be poison when it is looked at."""
    geometry = tile_geometry(shape, hood)
    block = np.random.default_rng(3).integers(0, 100, shape)
    wanted = geometry.padded(block, 7)
    values = np.full(wanted.shape, POISON)
    values[geometry.constant] = 7
    inside = np.zeros(wanted.shape, bool)
    inside[geometry.order] = True
    parts = np.array([part for part, _, _ in hood.voxels])
    for plane in range(geometry.planes):
        which = np.arange(geometry.plane_starts[plane], geometry.plane_starts[plane + 1])
        if len(which):
            exists = geometry.slices[which][:, np.newaxis] + parts >= 0
            assert np.all(values[neighbours_of(geometry, which, hood.voxels)][exists] != POISON)
            errors = neighbours_of(geometry, which, hood.residuals)
            assert np.all(values[errors][inside[errors]] != POISON)
        values[geometry.order[which]] = wanted[geometry.order[which]]
        edge = slice(geometry.edge_starts[plane], geometry.edge_starts[plane + 1])
        values[geometry.edge[edge]] = values[geometry.edge_source[edge]]
    # Now all is filled but the slices before the first, and as `padded` has it at once.
    absent = SLICES_BEFORE * geometry.padded_shape[1] * geometry.padded_shape[2]
    assert np.array_equal(values[absent:], wanted[absent:])
    assert np.all(values[:absent] == POISON)
    assert np.all(wanted[:absent] == 0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_voxel_occurs_once_in_ascending_planes(shape: Shape) -> None:
    geometry = tile_geometry(shape, HOOD)
    part, row, column = np.unravel_index(geometry.order, geometry.padded_shape)
    places = np.stack([part - SLICES_BEFORE, row - HOOD.reach, column - HOOD.reach])
    assert np.array_equal(np.sort(np.ravel_multi_index(tuple(places), shape)), np.arange(np.prod(shape)))
    per_row, per_slice = HOOD.skew
    plane = places[2] + per_row * places[1] + per_slice * places[0]
    occurring = np.unique(plane)
    assert np.array_equal(plane, np.repeat(occurring, np.diff(geometry.plane_starts)))
    assert len(occurring) == geometry.planes
    # Within a plane in C order: streams depend on it.
    rank = np.ravel_multi_index(tuple(places), shape)
    assert np.array_equal(np.lexsort((rank, plane)), np.arange(len(plane)))
    assert np.array_equal(geometry.slices, np.minimum(places[0], SLICES_BEFORE))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_neighbour_is_looked_at_before_it_is_known(shape: Shape) -> None:
    decode_poisoned(shape, HOOD)


@settings(max_examples=25)
@given(shapes)
def test_no_neighbour_is_looked_at_before_it_is_known_whatever_the_shape(shape: Shape) -> None:
    decode_poisoned(shape, HOOD)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 23), (1, 23, 1), (23, 1, 1), (2, 9, 1), (4, 7, 11)], ids=str)
@pytest.mark.parametrize("hood", OTHERS.values(), ids=OTHERS)
def test_no_neighbour_of_other_neighbourhoods_is_looked_at_before_it_is_known(
    shape: Shape, hood: Neighbourhood
) -> None:
    decode_poisoned(shape, hood)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_padding_is_what_the_layout_says(shape: Shape) -> None:
    depth, rows, columns = shape
    reach = HOOD.reach
    block = np.arange(1, 1 + depth * rows * columns).reshape(shape)

    def standing(part: int, row: int, column: int) -> int:
        if part < 0:
            return -5
        if row < 0:
            return standing(part - 1, 0, min(max(column, 0), columns - 1))
        if column < 0 and row < rows:
            return standing(part, row - 1, 0)
        return int(block[part, min(row, rows - 1), min(max(column, 0), columns - 1)])

    wanted = [
        standing(part, row, column)
        for part in range(depth)
        for row in range(-reach, rows + reach)
        for column in range(-reach, columns + reach)
    ]
    geometry = tile_geometry(shape, HOOD)
    flat = geometry.padded(block, -5)
    assert flat[-len(wanted) :].tolist() == wanted
    assert not flat[: -len(wanted)].any()
    assert np.array_equal(geometry.unpadded(flat), block)
    assert np.array_equal(geometry.padded_shape, (depth + SLICES_BEFORE, rows + 2 * reach, columns + 2 * reach))
