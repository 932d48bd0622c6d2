"""Local scales and what the network is told: integers whose products are exact, whoever computes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_samples import HOOD, INPUTS, Shape, fitted_model, smooth_volume

from SlicerMedCompressLib.learned import scales
from SlicerMedCompressLib.learned.contexts import linear_look, network_inputs
from SlicerMedCompressLib.learned.linear import CLASSES, SUBVOXEL_BITS, local_sum_and_activity
from SlicerMedCompressLib.learned.neighbourhood import ACTIVE, NEAREST
from SlicerMedCompressLib.learned.network import EXACT
from SlicerMedCompressLib.learned.prediction import linear_errors
from SlicerMedCompressLib.learned.tile_values import TileValues

FACTORS = [(scales.DIFFERENCE_FACTORS, scales.DIFFERENCE_LIMITS), (scales.SUBVOXEL_FACTORS, scales.SUBVOXEL_LIMITS)]


@pytest.mark.parametrize(("factors", "limits"), FACTORS, ids=["differences", "subvoxels"])
def test_what_is_multiplied_is_limited_to_the_last_that_is_exact(factors: np.ndarray, limits: np.ndarray) -> None:
    most = scales.INPUT_LIMIT << scales.RECIPROCAL_BITS
    assert most + (1 << (scales.RECIPROCAL_BITS - 1)) < EXACT
    products = factors.astype(np.int64) * limits.astype(np.int64)
    assert np.all(products <= most)
    assert np.all(products + factors.astype(np.int64) > most)
    assert np.all(factors >= 1)
    assert np.array_equal(factors, np.rint(factors))
    assert len(factors) == len(limits) == scales.LEVELS


@pytest.mark.parametrize(("factors", "unit"), [(scales.DIFFERENCE_FACTORS, NEAREST), (scales.SUBVOXEL_FACTORS, 32)])
def test_reciprocals_are_those_of_the_scales(factors: np.ndarray, unit: int) -> None:
    one = 1 << (scales.RECIPROCAL_BITS + scales.INPUT_BITS)
    for index, factor in enumerate(factors):
        assert abs(factor - max(1.0, one / (unit * scales.scale(index)))) <= 0.5


@pytest.mark.parametrize("thresholds", [scales.ACTIVITY_THRESHOLDS, scales.ENERGY_THRESHOLDS])
def test_thresholds_ascend_and_are_whole(thresholds: np.ndarray) -> None:
    assert np.all(np.diff(thresholds) > 0)
    assert np.array_equal(thresholds, np.rint(thresholds))
    assert thresholds[0] >= 1
    assert thresholds[-1] < EXACT


def test_every_activity_has_the_scale_that_is_next_below_it() -> None:
    unit = ACTIVE * NEAREST
    activity = np.unique(np.concatenate([np.arange(5000), np.geomspace(1, 65535 * unit, 3000).astype(int)]))
    index = np.searchsorted(scales.ACTIVITY_THRESHOLDS, activity.astype(np.float32), side="right")
    assert index.max() < scales.LEVELS
    sizes = np.array([scales.scale(number) for number in range(scales.LEVELS + 1)])
    inner = (index > 0) & (index < scales.LEVELS - 1)
    assert np.all(sizes[index[inner]] <= activity[inner] / unit + 1e-9)
    assert np.all(activity[inner] / unit < sizes[index[inner] + 1])


def test_sums_stay_below_what_float32_holds() -> None:
    assert 65535 * NEAREST * ACTIVE + scales.ACTIVITY_OFFSET < EXACT
    weights = scales.energy_weights(HOOD.residuals)
    own = scales.energy_weights(HOOD.residuals_own)
    assert set(weights.tolist()) == {1.0, 2.0, 3.0}
    assert int(weights.sum()) == scales.ENERGY_WEIGHT
    assert scales.ENERGY_LIMIT * int(weights.sum()) < EXACT
    # Without a slice before, the own slice's count twice.
    assert 2 * scales.ENERGY_LIMIT * int(own.sum()) < EXACT
    # Linear predictions against one another and against the mean, before they are limited.
    assert 2 * (65535 << SUBVOXEL_BITS) < EXACT


def test_the_centre_is_exact_in_float64() -> None:
    factors = scales.CENTRE_FACTORS
    assert np.array_equal(factors, np.rint(factors))
    assert EXACT * int(factors.max()) < 1 << 53
    for index, factor in enumerate(factors):
        assert abs(factor / 256 - scales.scale(index)) <= 1 / 512


def scaled(value: int, factors: np.ndarray, limits: np.ndarray, scale: int) -> int:
    """One input in whole numbers."""
    limit = int(limits[scale])
    bits = scales.RECIPROCAL_BITS
    return (min(limit, max(-limit, value)) * int(factors[scale]) + (1 << (bits - 1))) >> bits


def told(neighbours: list[int], errors: list[int], classes: list[int], centre: int, before: int) -> list[int]:
    """All inputs of one voxel in whole numbers, from the definitions."""
    total = sum(neighbours[:NEAREST])
    activity = sum(abs(NEAREST * value - total) for value in neighbours[:ACTIVE])
    scale = int(np.sum(activity + scales.ACTIVITY_OFFSET >= scales.ACTIVITY_THRESHOLDS))
    counts = [len(HOOD.own), len(HOOD.previous), len(HOOD.before)]
    known = sum(counts[: before + 1])
    differences = [scaled(NEAREST * value - total, *FACTORS[0], scale) for value in neighbours[: sum(counts)]]
    own = len(errors) if before else len(HOOD.residuals_own)
    weights = scales.energy_weights(HOOD.residuals).astype(int).tolist()
    energy = sum(weight * abs(error) for weight, error in zip(weights[:own], errors[:own], strict=True))
    energy *= 1 if before else 2
    mean = (2 * 32 * total + NEAREST) // (2 * NEAREST)
    return [
        *(value if number < known else 0 for number, value in enumerate(differences)),
        *(scaled(error, *FACTORS[1], scale) if number < own else 0 for number, error in enumerate(errors)),
        scaled(centre - mean, *FACTORS[1], scale),
        *(scaled(other - centre, *FACTORS[1], scale) for other in classes),
        2 * scale - 16,
        int(np.sum(energy >= scales.ENERGY_THRESHOLDS)) - 16,
    ]


@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 7)),
    st.sampled_from(["noise", "smooth", "quiet", "two values", "constant"]),
    st.integers(0, 1 << 30),
)
def test_inputs_agree_with_whole_numbers_and_keep_their_limits(shape: Shape, content: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    block = {
        "noise": lambda: rng.integers(0, 65536, shape),
        "smooth": lambda: smooth_volume(rng, shape),
        "quiet": lambda: rng.integers(1000, 1004, shape),
        "two values": lambda: 65535 * rng.integers(0, 2, shape),
        "constant": lambda: np.full(shape, 65535),
    }[content]().astype(np.uint16)
    model = fitted_model(block, rng, largest=65535)
    tile = TileValues.of(block, HOOD, 65535)
    everything = slice(0, block.size)
    neighbours, groups = tile.neighbours(everything), tile.groups(everything)
    residuals = tile.residuals(linear_errors(tile, model.sets), everything)
    look = linear_look(neighbours, groups, model.sets, 65535)
    inputs = network_inputs(neighbours, residuals, look, groups, HOOD)
    assert inputs.shape == (block.size, INPUTS)
    assert np.abs(inputs).max() <= scales.INPUT_LIMIT
    wanted = [
        told(
            *(part[voxel].astype(int).tolist() for part in (neighbours, residuals, look.classes)),
            int(look.centre[voxel]),
            before,
        )
        for voxel, before in enumerate(tile.geometry.slices.tolist())
    ]
    assert np.array_equal(inputs.astype(int), wanted)


def test_the_energy_of_the_largest_errors_keeps_its_limit() -> None:
    neighbours = np.full((3, len(HOOD.voxels)), 65535, np.float32)
    residuals = np.full((3, len(HOOD.residuals)), -scales.ENERGY_LIMIT, np.float32)
    model = fitted_model(np.full((3, 2, 2), 65535, np.uint16), np.random.default_rng(1))
    groups = [(before, np.array([before])) for before in range(3)]
    look = linear_look(neighbours, groups, model.sets, 65535)
    inputs = network_inputs(neighbours, residuals, look, groups, HOOD)
    assert np.abs(inputs).max() <= scales.INPUT_LIMIT
    assert inputs[:, -1].tolist() == [len(scales.ENERGY_THRESHOLDS) - 16] * 3
    assert look.classes.shape == (3, CLASSES)
    assert np.all(local_sum_and_activity(neighbours)[1] == 0)
