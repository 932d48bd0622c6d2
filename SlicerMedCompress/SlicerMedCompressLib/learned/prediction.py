"""From the known voxels to a distribution for each: the numpy way, many voxels at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import scales
from .contexts import Linear, linear_look, network_inputs
from .distributions import UNIT_WIDTH_LEVEL, WIDTH_LEVELS
from .linear import SUBVOXEL_BITS, LinearSet
from .network import SUM_BITS, Network
from .tile_values import Groups, TileValues

CHUNK = 1 << 12
"""Voxels looked at together where all are known: their inputs stay in a processor's cache."""
CENTRE_SHIFT = 2.0 ** -(SUM_BITS + scales.CENTRE_BITS - SUBVOXEL_BITS)
LEVEL_SHIFT = 2.0 ** -(SUM_BITS - 2)
FIRST_LEVEL = UNIT_WIDTH_LEVEL + 2 * scales.LOWEST - 4


@dataclass(frozen=True, eq=False)
class Prediction:
    """Distributions of some voxels: centre in 1/32 units and width level, int32."""

    centre: np.ndarray
    level: np.ndarray


def predict(
    tile: TileValues,
    neighbours: np.ndarray,
    errors: np.ndarray,
    look: Linear,
    which: slice | np.ndarray,
    groups: Groups,
    network: Network,
) -> Prediction:
    """Distributions of voxels whose linear prediction is known.

    Args:
        errors: float32, padded volume of linear errors, those of the neighbours filled in.
    """
    inputs = network_inputs(neighbours, tile.residuals(errors, which), look, groups, tile.neighbourhood)
    before = groups[0][0] if len(groups) == 1 else tile.geometry.slices[which]
    shift, width = network(inputs, before).astype(np.float64).T
    centre = look.centre + np.floor(shift * scales.CENTRE_FACTORS[look.scale] * CENTRE_SHIFT + 0.5)
    np.clip(centre, 0, tile.largest << SUBVOXEL_BITS, out=centre)
    level = 2 * look.scale + (FIRST_LEVEL + np.floor(width * LEVEL_SHIFT + 0.5)).astype(np.int64)
    return Prediction(centre.astype(np.int32), np.clip(level, 0, WIDTH_LEVELS - 1).astype(np.int32))


def linear_errors(tile: TileValues, sets: tuple[LinearSet, ...]) -> np.ndarray:
    """Errors of the linear predictions of all voxels of a known tile, float32, padded volume, 1/32 units."""
    errors = np.zeros(tile.values.shape, np.float32)
    order = tile.geometry.order
    for start in range(0, len(order), CHUNK):
        which = slice(start, start + CHUNK)
        look = linear_look(tile.neighbours(which), tile.groups(which), sets, tile.largest)
        errors[order[which]] = errors_of(tile.values[order[which]], look)
    return errors


def errors_of(values: np.ndarray, look: Linear) -> np.ndarray:
    """Linear errors of decoded voxels, 1/32 units, within what the energy is made for."""
    errors = (1 << SUBVOXEL_BITS) * values - look.centre
    return np.asarray(np.clip(errors, -scales.ENERGY_LIMIT, scales.ENERGY_LIMIT))
