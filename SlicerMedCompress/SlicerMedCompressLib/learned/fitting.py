"""What is found out about an image before it is coded: its linear predictions and a few facts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from . import linear
from .backends import Backend
from .correction import corrected, uncorrected
from .linear import LinearSet
from .model import Model
from .prediction import CHUNK, Prediction
from .scales import INPUT_LIMIT
from .shipped import default_weights
from .tile_geometry import SLICES_BEFORE
from .tile_values import TileValues

SAMPLES = 200_000
FEWER_SAMPLES = 60_000
"""For voxels at the first slices of a tile, which are few."""
VOXELS_TO_CORRECT = 400_000
VOXELS_FOR_ALL = 50_000
"""From so many voxels on a set uses all neighbours."""


def fit_model(alone: Sequence[TileValues], following: Sequence[TileValues], samples: int, backend: Backend) -> Model:
    """The model of an image with the shipped weights.

    Args:
        alone, following: tiles without (at least one) and with a frame before.
        samples: how many voxels the image has.
    """
    rng, tiles = np.random.default_rng(0), [*alone, *following]
    covered = sum(math.prod(tile.shape) for tile in tiles)
    serving = [samples * sum(math.prod(tile.shape) for tile in part) / covered for part in (alone, following)]
    if not alone:
        raise ValueError("A model needs tiles without a frame before: every sequence begins with one.")
    sets = fit_sets(alone, rng, serving[0])
    reference_sets = fit_sets(following, rng, serving[1]) if following else ()
    weights, largest = default_weights(), tiles[0].largest
    fitted = facts(alone, sets, rng)
    plain = Model(weights, weights, fitted, sets, reference_sets, uncorrected(), largest)
    return with_corrections(plain, tiles, backend)


def with_corrections(model: Model, tiles: Sequence[TileValues], backend: Backend) -> Model:
    """The model with distributions corrected to what occurs in the tiles."""
    rng = np.random.default_rng(1)
    tiles = some_tiles(tiles, VOXELS_TO_CORRECT, rng)
    predictions = [backend.predict(tile, model) for tile in tiles]
    values = np.concatenate([tile.values[tile.geometry.order] for tile in tiles]).astype(np.int64)
    joined = Prediction(
        np.concatenate([found.centre for found in predictions]), np.concatenate([found.level for found in predictions])
    )
    return replace(model, choices=corrected(joined, values, model.largest, model.value_bits, rng))


def some_tiles(tiles: Sequence[TileValues], voxels: int, rng: np.random.Generator) -> list[TileValues]:
    """Tiles of about so many voxels together, at least one."""
    found: list[TileValues] = []
    for number in map(int, rng.permutation(len(tiles))):
        if sum(len(tile.geometry.order) for tile in found) >= voxels:
            break
        found.append(tiles[number])
    return found


def fit_sets(tiles: Sequence[TileValues], rng: np.random.Generator, image_voxels: float) -> tuple[LinearSet, ...]:
    """Linear predictions for voxels with 0, 1 and 2 slices before them, from samples of the tiles.

    Args:
        tiles: all with a reference, or all without.
        image_voxels: how many voxels the sets will serve.
    """
    sets: list[LinearSet] = []
    for before in range(SLICES_BEFORE + 1):
        count = SAMPLES if before == _most_before(tiles) else FEWER_SAMPLES
        sampled = _samples(tiles, before, count, rng)
        if sampled is None:
            sets.append(sets[-1])
            continue
        sets.append(linear.fit(*sampled, tiles[0].neighbourhood, _counts(tiles, before, image_voxels)))
    return tuple(sets)


def _counts(tiles: Sequence[TileValues], before: int, image_voxels: float) -> tuple[int, ...]:
    """How many neighbours of each kind: fewer where coefficients would cost more than they save."""
    hood = tiles[0].neighbourhood
    voxels = sum(math.prod(tile.shape) for tile in tiles)
    using = sum(int(np.count_nonzero(tile.geometry.slices == before)) for tile in tiles) / voxels * image_voxels
    share = min(1.0, using / VOXELS_FOR_ALL)
    kinds = [hood.own, hood.previous if before > 0 else (), hood.before if before > 1 else ()]
    kinds.append(hood.reference if tiles[0].reference is not None else ())
    return tuple(math.ceil(share * len(kind)) for kind in kinds)


def facts(tiles: Sequence[TileValues], sets: Sequence[LinearSet], rng: np.random.Generator) -> np.ndarray:
    """Four integers that tell the network what kind of image it is: side inputs.

    How much the slices before help (in 1/64 of a bit), and the coefficients of the voxel to the left, the
    one above and the one in the slice before, in 1/32.
    """
    main, hood = _most_before(tiles), tiles[0].neighbourhood
    gained = 0.0
    sampled = _samples(tiles, main, FEWER_SAMPLES // 3, rng)
    if sampled is not None and main > 0:
        neighbours, values = sampled
        _, activity = linear.local_sum_and_activity(neighbours)
        errors = [
            np.abs(32 * values - linear.predictions(neighbours, activity, sets[before], tiles[0].largest)[1])
            for before in (0, main)
        ]
        gained = float(np.mean(np.log2(errors[0] + 16) - np.log2(errors[1] + 16)))
    middle = sets[main].coefficients[:, linear.CLASSES // 2]
    places = [hood.own.index((0, 0, -1)), hood.own.index((0, -1, 0)), len(hood.own)]
    found = np.rint([64 * gained, *(middle[place] / 32 for place in places)])
    return np.asarray(np.clip(found, -INPUT_LIMIT // 3, INPUT_LIMIT // 3), np.int32)


def _most_before(tiles: Sequence[TileValues]) -> int:
    return min(SLICES_BEFORE, max(tile.shape[0] for tile in tiles) - 1)


def _samples(
    tiles: Sequence[TileValues], before: int, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    """Neighbours and values of voxels with at least so many slices before them, or None if there are none."""
    suited = [np.flatnonzero(tile.geometry.slices >= before) for tile in tiles]
    share = count / max(1, sum(map(len, suited)))
    chosen = [
        np.sort(rng.choice(places, min(len(places), round(len(places) * share) + 1), replace=False))
        for places in suited
        if len(places)
    ]
    if not chosen:
        return None
    looked = [tile for tile, places in zip(tiles, suited, strict=True) if len(places)]
    columns = looked[0].neighbours(slice(0, 1)).shape[1]
    neighbours = np.empty((sum(map(len, chosen)), columns), np.float32)
    values, row = np.empty(len(neighbours), np.float32), 0
    for tile, places in zip(looked, chosen, strict=True):
        # A part at a time: addresses take several times the memory of what lies there.
        for start in range(0, len(places), CHUNK):
            part = places[start : start + CHUNK]
            neighbours[row : row + len(part)] = tile.neighbours(part)
            values[row : row + len(part)] = tile.values[tile.geometry.order[part]]
            row += len(part)
    return neighbours, values
