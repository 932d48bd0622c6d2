"""Linear predictions: fair to constants and ramps, exact on any machine, finite whatever they are fitted to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_samples import HOOD, smooth_volume

from SlicerMedCompressLib.learned.fitting import facts, fit_sets
from SlicerMedCompressLib.learned.linear import (
    CLASSES,
    COEFFICIENT_BITS,
    LARGEST_COEFFICIENT,
    SUBVOXEL_BITS,
    LinearSet,
    fit,
    local_sum_and_activity,
    predictions,
    used_neighbours,
)
from SlicerMedCompressLib.learned.neighbourhood import ACTIVE, NEAREST
from SlicerMedCompressLib.learned.scales import INPUT_LIMIT
from SlicerMedCompressLib.learned.tile_values import TileValues

ONE = 1 << COEFFICIENT_BITS
KINDS = (len(HOOD.own), len(HOOD.previous), len(HOOD.before), len(HOOD.reference))
COLUMNS = sum(KINDS)
COUNTS = [KINDS, (*KINDS[:3], 0), (KINDS[0], 0, 0, 0), (8, 3, 1, 0), (1, 0, 0, 0), (2, 1, 1, 1)]


def check_sound(fitted: LinearSet, counts: tuple[int, ...]) -> None:
    """Coefficients are finite, add up to one in every class, and are none where no neighbour is used."""
    assert fitted.coefficients.shape == (COLUMNS, CLASSES)
    assert fitted.coefficients.dtype.kind == "i"
    assert np.all(fitted.coefficients.sum(axis=0) == ONE)
    unused = ~used_neighbours(HOOD, counts, COLUMNS)
    assert not fitted.coefficients[unused].any()
    assert np.abs(fitted.coefficients[1:]).max() <= LARGEST_COEFFICIENT
    assert fitted.thresholds.shape == (CLASSES - 1,)
    assert np.all(np.diff(fitted.thresholds) >= 0)
    assert np.all(np.isfinite(fitted.thresholds))
    assert np.array_equal(fitted.thresholds, np.rint(fitted.thresholds))


def fitted_to(neighbours: np.ndarray, values: np.ndarray, counts: tuple[int, ...] = KINDS) -> LinearSet:
    found = fit(neighbours.astype(np.float32), values.astype(np.float32), HOOD, counts)
    check_sound(found, counts)
    return found


@pytest.mark.parametrize("counts", COUNTS, ids=str)
@pytest.mark.parametrize("samples", [1, 2, 3, 50])
@pytest.mark.parametrize("content", ["constant", "zero", "two values", "noise", "one spike"])
def test_a_fit_to_next_to_nothing_is_sound(counts: tuple[int, ...], samples: int, content: str) -> None:
    rng = np.random.default_rng(samples)
    neighbours = {
        "constant": np.full((samples, COLUMNS), 65535.0),
        "zero": np.zeros((samples, COLUMNS)),
        "two values": 65535.0 * rng.integers(0, 2, (samples, COLUMNS)),
        "noise": rng.integers(0, 65536, (samples, COLUMNS)).astype(float),
        "one spike": np.where(np.arange(samples * COLUMNS) == 5, 65535.0, 0.0).reshape(samples, COLUMNS),
    }[content]
    values = neighbours[:, 3] if content != "noise" else rng.integers(0, 65536, samples)
    fitted_to(neighbours, values, counts)


@pytest.mark.parametrize("content", ["constant", "two values", "noise", "mostly zero", "alternating columns"])
def test_a_fit_to_many_strange_samples_is_sound(content: str) -> None:
    rng = np.random.default_rng(1)
    samples = 7000
    neighbours = {
        "constant": np.full((samples, COLUMNS), 300.0),
        "two values": 65535.0 * rng.integers(0, 2, (samples, COLUMNS)),
        "noise": rng.integers(0, 65536, (samples, COLUMNS)).astype(float),
        "mostly zero": np.where(rng.random((samples, COLUMNS)) < 0.001, 65535.0, 0.0),
        "alternating columns": np.tile(65535.0 * (np.arange(COLUMNS) % 2), (samples, 1)),
    }[content]
    fitted_to(neighbours, rng.permutation(neighbours[:, 0]))


def test_classes_are_fitted_where_there_is_enough_of_each() -> None:
    rng = np.random.default_rng(2)
    level = rng.integers(1000, 3000, 9000)[:, np.newaxis]
    spread = np.repeat([2, 60, 900], 3000)[:, np.newaxis]
    neighbours = level + np.rint(spread * rng.normal(size=(9000, COLUMNS)))
    # Of quiet surroundings the mean predicts, of lively ones the first neighbour.
    values = np.where(spread[:, 0] < 900, neighbours.mean(axis=1), neighbours[:, 0])
    fitted = fitted_to(np.clip(neighbours, 0, 65535), np.clip(values, 0, 65535))
    assert np.all(np.diff(fitted.thresholds) > 0)
    assert fitted.coefficients[0, 0] < ONE // 4
    assert fitted.coefficients[0, CLASSES - 1] > ONE // 2


@settings(max_examples=30)
@given(st.integers(0, 1 << 30), st.sampled_from(COUNTS), st.integers(0, 65535))
def test_a_constant_neighbourhood_predicts_the_constant(seed: int, counts: tuple[int, ...], constant: int) -> None:
    rng = np.random.default_rng(seed)
    fitted = fitted_to(rng.integers(0, 65536, (80, COLUMNS)), rng.integers(0, 65536, 80), counts)
    classes, centre = predictions(np.full((1, COLUMNS), constant, np.float32), np.zeros(1, np.float32), fitted, 65535)
    assert np.all(classes == constant << SUBVOXEL_BITS)
    assert centre.tolist() == [constant << SUBVOXEL_BITS]


def random_set(rng: np.random.Generator) -> LinearSet:
    """Coefficients as large as any fit gives, those of every class adding up to one."""
    coefficients = rng.integers(-LARGEST_COEFFICIENT, LARGEST_COEFFICIENT + 1, (COLUMNS, CLASSES), dtype=np.int32)
    coefficients[0] += ONE - coefficients.sum(axis=0, dtype=np.int32)
    return LinearSet(np.sort(rng.integers(1, 1 << 20, CLASSES - 1)).astype(np.float64), coefficients, KINDS)


@settings(max_examples=40)
@given(st.integers(0, 1 << 30), st.sampled_from([0, 1, 255, 4095, 65535]), st.booleans())
def test_predictions_agree_with_whole_numbers(seed: int, largest: int, extreme: bool) -> None:
    rng = np.random.default_rng(seed)
    fitted = random_set(rng)
    if extreme:
        neighbours = 65535 * rng.integers(0, 2, (40, COLUMNS))
    else:
        neighbours = rng.integers(0, 65536, (40, COLUMNS))
    if seed % 2:
        # Of the largest coefficients nearly all predictions are beyond what is allowed; these stay within it.
        fitted.coefficients[1:] //= 256
        fitted.coefficients[0] += ONE - fitted.coefficients.sum(axis=0, dtype=np.int32)
    activity = local_sum_and_activity(neighbours.astype(np.float32))[1]
    classes, centre = predictions(neighbours.astype(np.float32), activity, fitted, largest)
    sums = neighbours.astype(np.int64) @ fitted.coefficients.astype(np.int64)
    shift = COEFFICIENT_BITS - SUBVOXEL_BITS
    wanted = np.clip((sums + (1 << (shift - 1))) >> shift, 0, largest << SUBVOXEL_BITS)
    assert np.array_equal(classes.astype(np.int64), wanted)
    number = (activity[:, np.newaxis] >= fitted.thresholds).sum(axis=1)
    assert np.array_equal(centre.astype(np.int64), wanted[np.arange(40), number])


def test_an_activity_at_a_threshold_belongs_to_the_class_above() -> None:
    coefficients = np.zeros((COLUMNS, CLASSES), np.int32)
    coefficients[np.arange(CLASSES), np.arange(CLASSES)] = ONE
    fitted = LinearSet(np.array([100.0, 200.0]), coefficients, KINDS)
    neighbours = np.tile(np.arange(COLUMNS, dtype=np.float32), (5, 1))
    _, centre = predictions(neighbours, np.array([0, 99, 100, 199, 200], np.float32), fitted, 65535)
    assert (centre / 32).tolist() == [0, 0, 1, 1, 2]


@settings(max_examples=40)
@given(st.integers(0, 1 << 30), st.booleans())
def test_sum_and_activity_agree_with_whole_numbers(seed: int, extreme: bool) -> None:
    rng = np.random.default_rng(seed)
    neighbours = 65535 * rng.integers(0, 2, (40, 63)) if extreme else rng.integers(0, 65536, (40, 63))
    total, activity = local_sum_and_activity(neighbours.astype(np.float32))
    wanted = neighbours[:, :NEAREST].sum(axis=1)
    assert np.array_equal(total.astype(np.int64), wanted)
    apart = np.abs(NEAREST * neighbours[:, :ACTIVE] - wanted[:, np.newaxis]).sum(axis=1)
    assert np.array_equal(activity.astype(np.int64), apart)


def errors_of(block: np.ndarray, rng: np.random.Generator, image_voxels: int = 1_000_000) -> tuple[np.ndarray, ...]:
    """Absolute errors in voxel units of sets fitted to a block, of its voxels with 0, 1 and 2 slices before them."""
    tile = TileValues.of(block, HOOD, 65535)
    sets = fit_sets([tile], rng, image_voxels)
    found = []
    for before, fitted in enumerate(sets):
        which = np.flatnonzero(tile.geometry.slices == before)
        neighbours = tile.neighbours(which)
        centre = predictions(neighbours, local_sum_and_activity(neighbours)[1], fitted, 65535)[1]
        found.append(np.abs(centre / 32 - tile.values[tile.geometry.order[which]]))
    return tuple(found)


@pytest.mark.parametrize("slopes", [(0, 0, 3), (0, 5, 0), (40, 0, 0), (-10, 7, -3), (30, 60, 90)], ids=str)
def test_a_ramp_is_predicted_all_but_exactly(slopes: tuple[int, int, int]) -> None:
    block = 20000 + sum(slope * axis for slope, axis in zip(slopes, np.indices((6, 24, 24)), strict=True))
    # At the edges of the tile the padding bends the ramp; in the first slice nothing tells of its third direction.
    for before, errors in enumerate(errors_of(block.astype(np.uint16), np.random.default_rng(3))):
        assert np.median(errors) <= 0.05 * max(map(abs, slopes)) + 1 / 32, before


def test_fits_predict_smooth_volumes_better_than_the_voxel_before_does() -> None:
    rng = np.random.default_rng(4)
    block = smooth_volume(rng, (6, 40, 40), noise=4.0)
    plain = np.abs(np.diff(block.astype(int), axis=2)).mean()
    errors = [found.mean() for found in errors_of(block, rng)]
    assert max(errors) < 0.8 * plain
    assert errors[2] <= errors[1] < errors[0]


@pytest.mark.parametrize("image_voxels", [1, 100, 20_000, 10**9])
def test_small_images_use_fewer_neighbours(image_voxels: int) -> None:
    rng = np.random.default_rng(5)
    block = smooth_volume(rng, (4, 20, 20))
    tile = TileValues.of(block, HOOD, 4095, reference=block)
    sets = fit_sets([tile], rng, image_voxels)
    for before, fitted in enumerate(sets):
        check_sound(fitted, fitted.counts)
        own, previous, earlier, reference = fitted.counts
        assert own >= 1
        assert reference >= 1
        assert (previous > 0, earlier > 0) == (before > 0, before > 1)
        if image_voxels == 10**9:
            assert fitted.counts == (KINDS[0], KINDS[1] * (before > 0), KINDS[2] * (before > 1), KINDS[3])


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 1, 9), (2, 1, 1), (3, 1, 1), (1, 9, 1), (2, 3, 3), (1, 40, 40)], ids=str
)
@pytest.mark.parametrize("content", ["constant", "noise"])
def test_sets_and_facts_of_tiny_tiles_are_sound(shape: tuple[int, int, int], content: str) -> None:
    rng = np.random.default_rng(6)
    block = np.full(shape, 9, np.uint16) if content == "constant" else rng.integers(0, 65536, shape).astype(np.uint16)
    tile = TileValues.of(block, HOOD, 65535)
    sets = fit_sets([tile], rng, block.size)
    assert len(sets) == 3
    for fitted in sets:
        assert np.all(fitted.coefficients.sum(axis=0) == ONE)
    told = facts([tile], sets, rng)
    assert told.shape == (4,)
    assert told.dtype.kind == "i"
    assert np.abs(told).max() <= INPUT_LIMIT


def test_facts_tell_that_slices_help_and_which_neighbour_counts() -> None:
    rng = np.random.default_rng(7)
    slab = rng.integers(0, 4096, (1, 40, 40)).astype(np.uint16)
    same = np.repeat(slab, 5, axis=0)
    apart = rng.integers(0, 4096, same.shape).astype(np.uint16)
    found = []
    for block in (same, apart):
        tile = TileValues.of(block, HOOD, 4095)
        found.append(facts([tile], fit_sets([tile], rng, 10**6), rng))
    assert found[0][0] == INPUT_LIMIT // 3
    # The slice before and the one before that predict equally well and share the coefficient of one.
    assert found[0][3] >= 12
    assert abs(found[1][0]) < 20
    assert abs(found[1][3]) < 8


def test_tiles_of_differing_depth_are_fitted_together() -> None:
    rng = np.random.default_rng(8)
    tiles = [TileValues.of(smooth_volume(rng, shape), HOOD, 4095) for shape in [(1, 9, 9), (5, 9, 9), (2, 20, 3)]]
    sets = fit_sets(tiles, rng, 10**6)
    for fitted in sets:
        assert np.all(fitted.coefficients.sum(axis=0) == ONE)
    assert facts(tiles, sets, rng).shape == (4,)
