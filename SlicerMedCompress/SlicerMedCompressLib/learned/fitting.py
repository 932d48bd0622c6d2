"""What is found out about an image before it is coded: its linear predictions and a few facts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import linear
from .linear import LinearSet
from .scales import INPUT_LIMIT
from .tile_geometry import SLICES_BEFORE
from .tile_values import TileValues

SAMPLES = 200_000
FEWER_SAMPLES = 60_000
"""For voxels at the first slices of a tile, which are few."""


def fit_sets(tiles: Sequence[TileValues], rng: np.random.Generator) -> tuple[LinearSet, ...]:
    """Linear predictions for voxels with 0, 1 and 2 slices before them, from samples of the tiles.

    All tiles have a reference, or none has.
    """
    sets: list[LinearSet] = []
    for before in range(SLICES_BEFORE + 1):
        count = SAMPLES if before == _most_before(tiles) else FEWER_SAMPLES
        sampled = _samples(tiles, before, count, rng)
        if sampled is None:
            sets.append(sets[-1])
            continue
        usable = linear.usable_neighbours(tiles[0].neighbourhood, before, tiles[0].reference is not None)
        sets.append(linear.fit(*sampled, usable))
    return tuple(sets)


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
    found = []
    share = count / max(1, sum(int(np.count_nonzero(tile.geometry.slices >= before)) for tile in tiles))
    for tile in tiles:
        suited = np.flatnonzero(tile.geometry.slices >= before)
        if len(suited):
            chosen = np.sort(rng.choice(suited, min(len(suited), round(len(suited) * share) + 1), replace=False))
            found.append((tile.neighbours(chosen), tile.values[tile.geometry.order[chosen]]))
    if not found:
        return None
    neighbours, values = zip(*found, strict=True)
    return np.concatenate(neighbours), np.concatenate(values)
