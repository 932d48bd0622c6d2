"""The network gives the same integers however its sums are ordered, and refuses weights that would not."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_samples import INPUTS, random_weights, silent_weights

from SlicerMedCompressLib.errors import CorruptStreamError
from SlicerMedCompressLib.learned.network import (
    ACTIVATION_LIMIT,
    EXACT,
    LARGEST_WEIGHT,
    OUTPUTS,
    SIDE,
    WEIGHT_BITS,
    Network,
    NetworkWeights,
    weights_from_floats,
)
from SlicerMedCompressLib.learned.scales import INPUT_LIMIT

HALF = 1 << (WEIGHT_BITS - 1)
MOST = EXACT - HALF - 1
"""The largest that a sum of products may become."""
FACTS = np.array([INPUT_LIMIT, -INPUT_LIMIT, 3, 0])


def in_integers(weights: NetworkWeights, facts: np.ndarray, inputs: np.ndarray, before: np.ndarray) -> np.ndarray:
    """What the network has to answer, in 64 bits, nothing of it known beforehand."""
    wide = [np.asarray(array, np.int64) for array in weights.arrays()]
    first, first_bias, second, second_bias, head, head_bias, skip = wide
    flags = 16 * np.stack([before == 0, before == 1], axis=1)
    told = np.concatenate([inputs.astype(np.int64), np.tile(facts, (len(inputs), 1)), flags], axis=1)

    def activated(sums: np.ndarray) -> np.ndarray:
        return np.clip((sums + HALF) >> WEIGHT_BITS, 0, ACTIVATION_LIMIT)

    hidden = activated(told @ first + first_bias)
    both = hidden + activated(hidden @ second + second_bias)
    return both @ head + told @ skip + head_bias


def check_agrees(weights: NetworkWeights, facts: np.ndarray, inputs: np.ndarray, before: np.ndarray) -> None:
    found = Network(weights, facts)(inputs.astype(np.float32), before)
    assert found.dtype == np.float32
    assert np.array_equal(found.astype(np.int64), in_integers(weights, facts, inputs, before))


def largest_weights(rng: np.random.Generator, hidden: int = 16) -> NetworkWeights:
    """Random signs, and of every unit the sum of its products as large as is allowed."""

    def columns(rows: int, count: int, reach: int) -> np.ndarray:
        sizes = rng.dirichlet(np.full(rows, 2.0), count).T * reach
        return np.floor(sizes).astype(np.int32) * rng.choice(np.array([-1, 1], np.int32), (rows, count))

    def bias(used: np.ndarray) -> np.ndarray:
        return ((MOST - used) * rng.choice([-1, 1], len(used))).astype(np.int32)

    inputs = INPUTS + SIDE
    first = columns(inputs, hidden, MOST // INPUT_LIMIT)
    second = columns(hidden, hidden, MOST // ACTIVATION_LIMIT)
    head = columns(hidden, OUTPUTS, MOST // (4 * ACTIVATION_LIMIT))
    skip = columns(inputs, OUTPUTS, MOST // (2 * INPUT_LIMIT))
    return NetworkWeights(
        first,
        bias(INPUT_LIMIT * np.abs(first).sum(axis=0)),
        second,
        bias(ACTIVATION_LIMIT * np.abs(second).sum(axis=0)),
        head,
        bias(2 * ACTIVATION_LIMIT * np.abs(head).sum(axis=0) + INPUT_LIMIT * np.abs(skip).sum(axis=0)),
        skip,
    )


def worst_inputs(weights: NetworkWeights, rng: np.random.Generator) -> np.ndarray:
    """Inputs at their limits, with the signs of each unit's weights and against them, and at random."""
    columns = np.concatenate([weights.first[: weights.inputs], weights.skip[: weights.inputs]], axis=1).T
    signs = np.where(columns < 0, -1, 1)
    return INPUT_LIMIT * np.concatenate([signs, -signs, rng.choice([-1, 1], (200, weights.inputs))])


@pytest.mark.parametrize("seed", range(4))
def test_sums_at_the_limit_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = largest_weights(rng, hidden=[1, 5, 16, 64][seed])
    inputs = worst_inputs(weights, rng)
    before = rng.integers(0, 3, len(inputs))
    for unit in range(2):
        # Facts with the signs of a unit's weights reach the limit of that unit together with the inputs.
        facts = INPUT_LIMIT * np.where(weights.first[weights.inputs : -2, unit % weights.hidden] < 0, -1, 1)
        check_agrees(weights, facts, inputs, before)
        check_agrees(weights, -facts, inputs, before)


@settings(max_examples=40)
@given(st.integers(0, 1 << 30), st.integers(1, 24), st.sampled_from([0, 1, 40, 300]))
def test_any_network_agrees_with_whole_numbers(seed: int, hidden: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    weights = random_weights(rng, hidden, largest)
    inputs = rng.integers(-INPUT_LIMIT, INPUT_LIMIT + 1, (50, INPUTS))
    check_agrees(weights, rng.integers(-64, 65, 4), inputs, rng.integers(0, 3, 50))


def test_the_answer_does_not_depend_on_the_batch() -> None:
    rng = np.random.default_rng(11)
    weights = largest_weights(rng, hidden=64)
    network = Network(weights, FACTS)
    inputs = rng.integers(-INPUT_LIMIT, INPUT_LIMIT + 1, (3000, INPUTS)).astype(np.float32)
    before = rng.integers(0, 3, len(inputs))
    whole = network(inputs, before)
    for size in (1, 2, 7, 64, 1000):
        count = min(len(inputs), 40 * size)
        parts = [network(inputs[at : at + size], before[at : at + size]) for at in range(0, count, size)]
        assert np.array_equal(np.concatenate(parts)[:count], whole[:count])
    backwards = network(np.asfortranarray(inputs[::-1]), before[::-1])
    assert np.array_equal(backwards[::-1], whole)


def test_threads_side_by_side_give_the_same_answer() -> None:
    rng = np.random.default_rng(12)
    network = Network(largest_weights(rng, hidden=64), FACTS)
    inputs = rng.integers(-INPUT_LIMIT, INPUT_LIMIT + 1, (4000, INPUTS)).astype(np.float32)
    whole = network(inputs, 2)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda at: network(inputs[at : at + 333], 2), range(0, len(inputs), 333)))
    assert np.array_equal(np.concatenate(parts), whole)


def test_one_number_of_slices_before_serves_all_voxels() -> None:
    rng = np.random.default_rng(13)
    network = Network(random_weights(rng), FACTS)
    inputs = rng.integers(-INPUT_LIMIT, INPUT_LIMIT + 1, (20, INPUTS)).astype(np.float32)
    for before in range(3):
        assert np.array_equal(network(inputs, before), network(inputs, np.full(20, before)))
    assert not np.array_equal(network(inputs, 0), network(inputs, 2))


def test_a_network_leaves_its_inputs_as_they_are() -> None:
    rng = np.random.default_rng(14)
    inputs = rng.integers(-INPUT_LIMIT, INPUT_LIMIT + 1, (20, INPUTS)).astype(np.float32)
    kept = inputs.copy()
    Network(random_weights(rng), FACTS)(inputs, 1)
    assert np.array_equal(inputs, kept)


def with_sum(layer: str, total: int, sign: int) -> NetworkWeights:
    """Weights of which one unit's products reach exactly this sum, with the help of its bias."""
    arrays = {field.name: getattr(silent_weights(), field.name).copy() for field in dataclasses.fields(NetworkWeights)}
    scale = {"first": INPUT_LIMIT, "second": ACTIVATION_LIMIT, "head": 2 * ACTIVATION_LIMIT, "skip": INPUT_LIMIT}[layer]
    weights = arrays[layer]
    each = total // scale // len(weights)
    weights[:, -1] = each * np.where(np.arange(len(weights)) % 2, -sign, sign)
    bias = arrays[{"skip": "head_bias"}.get(layer, f"{layer}_bias")]
    bias[-1] = sign * (total - scale * each * len(weights))
    return NetworkWeights(**arrays)


@pytest.mark.parametrize("layer", ["first", "second", "head", "skip"])
@pytest.mark.parametrize("sign", [1, -1])
def test_weights_are_refused_from_exactly_the_sum_on_that_is_not_exact(layer: str, sign: int) -> None:
    with_sum(layer, MOST, sign).check()
    for total in (MOST + 1, EXACT, 3 * EXACT):
        with pytest.raises(CorruptStreamError, match="too large to be exact"):
            with_sum(layer, total, sign).check()


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(NetworkWeights)])
@pytest.mark.parametrize("value", [-(1 << 31), (1 << 31) - 1, -(1 << 24), 1 << 24])
def test_a_single_enormous_weight_is_refused(field: str, value: int) -> None:
    weights = silent_weights()
    array = getattr(weights, field).copy()
    array.flat[-1] = value
    with pytest.raises(CorruptStreamError):
        dataclasses.replace(weights, **{field: array}).check()


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(NetworkWeights)])
def test_weights_that_do_not_fit_one_another_are_refused(field: str) -> None:
    weights = silent_weights()
    array = getattr(weights, field)
    for wrong in (array[:-1], np.concatenate([array, array[:1]]), array[..., np.newaxis]):
        with pytest.raises(CorruptStreamError, match="do not fit"):
            dataclasses.replace(weights, **{field: wrong}).check()


def test_a_network_checks_the_weights_it_is_given() -> None:
    with pytest.raises(CorruptStreamError):
        Network(with_sum("second", EXACT, 1), FACTS)


def test_floats_are_rounded_to_weights_and_limited() -> None:
    rng = np.random.default_rng(15)
    shapes = {name: array.shape for name, array in vars(silent_weights()).items()}
    floats = {name: rng.normal(0, 0.05, shape) for name, shape in shapes.items()}
    floats["second"][0, 0] = 1e9
    floats["second"][0, 1] = -1e9
    weights = weights_from_floats(floats)
    assert (weights.second[0, 0], weights.second[0, 1]) == (LARGEST_WEIGHT, -LARGEST_WEIGHT)
    assert np.abs(weights.first / 256 - floats["first"]).max() <= 1 / 512
    assert np.abs(weights.first_bias / 4096 - floats["first_bias"]).max() <= 1 / 8192
    assert all(array.dtype == np.int32 for array in weights.arrays())
    weights.check()
