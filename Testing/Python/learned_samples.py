"""Small volumes, networks and models made up for the tests of the learned codec."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from SlicerMedCompressLib.learned.contexts import input_count
from SlicerMedCompressLib.learned.distributions import SHAPES, WIDTH_LEVELS
from SlicerMedCompressLib.learned.fitting import facts, fit_sets
from SlicerMedCompressLib.learned.linear import CLASSES, COEFFICIENT_BITS, LinearSet
from SlicerMedCompressLib.learned.model import Model
from SlicerMedCompressLib.learned.neighbourhood import standard_neighbourhood
from SlicerMedCompressLib.learned.network import OUTPUTS, SIDE, NetworkWeights
from SlicerMedCompressLib.learned.tile_values import TileValues

Shape = tuple[int, int, int]
HOOD = standard_neighbourhood()
KINDS = (HOOD.own, HOOD.previous, HOOD.before, HOOD.reference)
INPUTS = input_count(HOOD)


def random_weights(
    rng: np.random.Generator, hidden: int = 8, largest: int = 40, inputs: int = INPUTS
) -> NetworkWeights:
    """A network that says something else of every voxel, far from the limits of what is exact."""

    def whole(limit: int, *shape: int) -> np.ndarray:
        return rng.integers(-limit, limit + 1, shape, dtype=np.int32)

    return NetworkWeights(
        whole(largest, inputs + SIDE, hidden),
        whole(4096, hidden),
        whole(largest, hidden, hidden),
        whole(4096, hidden),
        whole(largest, hidden, OUTPUTS),
        whole(4096, OUTPUTS),
        whole(1 + largest // 10, inputs + SIDE, OUTPUTS),
    )


def silent_weights(hidden: int = 4, inputs: int = INPUTS) -> NetworkWeights:
    """A network that leaves the linear predictions as they are."""
    return NetworkWeights(
        *(np.zeros_like(array) for array in random_weights(np.random.default_rng(0), hidden, 0, inputs).arrays())
    )


def sensible_weights(inputs: int = INPUTS) -> NetworkWeights:
    """A network that expects errors as large as the linear errors around the voxel; it makes files small."""
    weights = silent_weights(4, inputs)
    # The last inputs are the scale, which widths start from, and the energy, both in quarters of an octave.
    weights.skip[inputs - 2 : inputs, 1] = [-1024, 1024]
    weights.head_bias[1] = -8 * 1024
    return weights


def smooth_volume(rng: np.random.Generator, shape: Shape, largest: int = 4095, noise: float = 3.0) -> np.ndarray:
    """Broad hills with a little noise, uint16 from 0 to ``largest``."""
    hills = ndimage.gaussian_filter(rng.normal(size=shape), [min(3.0, length / 4) for length in shape], mode="nearest")
    hills = (hills - hills.min()) / max(float(np.ptp(hills)), 1e-9)
    return np.clip(np.rint(hills * largest + rng.normal(0, noise, shape)), 0, largest).astype(np.uint16)


def identity_choices() -> np.ndarray:
    """Every width level stands for itself, in the plainest shape."""
    return np.stack([np.arange(WIDTH_LEVELS), np.zeros(WIDTH_LEVELS, np.int64)], axis=1)


def random_choices(rng: np.random.Generator) -> np.ndarray:
    """Any width and any shape for every width level."""
    return np.stack([rng.integers(0, WIDTH_LEVELS, WIDTH_LEVELS), rng.integers(0, len(SHAPES), WIDTH_LEVELS)], axis=1)


def fitted_model(
    block: np.ndarray,
    rng: np.random.Generator,
    *,
    weights: NetworkWeights | None = None,
    choices: np.ndarray | None = None,
    largest: int | None = None,
    reference: np.ndarray | None = None,
    slopes: np.ndarray | None = None,
    image_voxels: int = 1_000_000,
) -> Model:
    """A model whose linear predictions and facts are those of the block, as if it were part of a large image."""
    top = max(1, int(block.max())) if largest is None else largest
    chosen = random_weights(rng) if weights is None else weights
    tile = TileValues.of(block, HOOD, top, slopes=slopes)
    sets = fit_sets([tile], rng, image_voxels)
    reference_sets: tuple[LinearSet, ...] = ()
    if reference is not None:
        reference_sets = fit_sets([TileValues.of(block, HOOD, top, reference, slopes)], rng, image_voxels)
    return Model(
        weights=chosen,
        base=chosen,
        facts=facts([tile], sets, rng),
        sets=sets,
        reference_sets=reference_sets,
        choices=identity_choices() if choices is None else choices,
        largest=top,
    )


def unchanging_model(largest: int) -> Model:
    """A model of numbers that are the same on any machine with any version of NumPy: for golden checksums."""
    random = np.random.RandomState(1)

    def whole(limit: int, *shape: int) -> np.ndarray:
        return random.randint(-limit, limit + 1, shape).astype(np.int32)

    def linear_set(columns: int) -> LinearSet:
        coefficients = whole(60, columns, CLASSES)
        coefficients[0] += (1 << COEFFICIENT_BITS) - coefficients.sum(axis=0, dtype=np.int32)
        return LinearSet(np.array([700.0, 9000.0]), coefficients, tuple(map(len, KINDS)))

    weights = NetworkWeights(*(whole(40, *array.shape) for array in silent_weights(8).arrays()))
    sets = [linear_set(len(HOOD.voxels)) for _ in range(3)]
    reference_sets = [linear_set(len(HOOD.voxels) + len(HOOD.reference)) for _ in range(3)]
    levels = np.clip(np.arange(WIDTH_LEVELS) + whole(3, WIDTH_LEVELS), 0, WIDTH_LEVELS - 1)
    choices = np.stack([levels, np.arange(WIDTH_LEVELS) % len(SHAPES)], axis=1)
    facts = np.array([20, 31, -7, 12], np.int32)
    return Model(weights, weights, facts, tuple(sets), tuple(reference_sets), choices, largest)
