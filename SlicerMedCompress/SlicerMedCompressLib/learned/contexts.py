"""What the network is told about a voxel: its neighbourhood in its own units, all integers.

values of 63 neighbours ──┬─ minus their local mean, over the local scale ──────────┐
                          ├─ activity ── scale ─────────────────────────────────────┤
                          └─ linear predictions (by class of activity) ──┬──────────┤── 90 inputs
linear errors of 19 neighbours ── over the local scale, energy ──────────│──────────┘
                                                                         └─ centre of the distribution
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import scales
from .linear import CLASSES, LinearSet, local_sum_and_activity, predictions
from .neighbourhood import NEAREST, Neighbourhood

SIDE_INPUTS = 1 + CLASSES + 2
"""Linear prediction against the mean, each class against the own, scale, energy."""


def input_count(neighbourhood: Neighbourhood) -> int:
    """Inputs of the network that differ from voxel to voxel."""
    return len(neighbourhood.voxels) + len(neighbourhood.residuals) + SIDE_INPUTS


@dataclass(frozen=True, eq=False)
class Linear:
    """First look at some voxels: from the values of their neighbours alone.

    Attributes:
        total: sum of the nearest neighbours. scale: index of the local scale.
        classes: what each class predicts, 1/32 units. centre: what the own class predicts.
    """

    total: np.ndarray
    scale: np.ndarray
    classes: np.ndarray
    centre: np.ndarray


def linear_look(
    neighbours: np.ndarray, groups: Sequence[tuple[int, np.ndarray | slice]], sets: Sequence[LinearSet], largest: int
) -> Linear:
    """Scale and linear predictions.

    Args:
        neighbours: float32 (voxel, neighbour): own, previous, before and, if the sets have them, reference.
        groups: (slices before the voxel, at most 2; which voxels), together all of them.
        sets: the fitted predictions for 0, 1 and 2 slices before.
        largest: greatest voxel value.
    """
    total, activity = local_sum_and_activity(neighbours)
    if len(groups) == 1:
        classes, centre = predictions(neighbours, activity, sets[groups[0][0]], largest)
    else:
        classes, centre = np.empty((len(neighbours), CLASSES)), np.empty(len(neighbours))
        for before, rows in groups:
            classes[rows], centre[rows] = predictions(neighbours[rows], activity[rows], sets[before], largest)
    activity += scales.ACTIVITY_OFFSET
    scale = np.searchsorted(scales.ACTIVITY_THRESHOLDS, activity, side="right")
    return Linear(total, scale, classes, centre)


def network_inputs(
    neighbours: np.ndarray,
    residuals: np.ndarray,
    look: Linear,
    groups: Sequence[tuple[int, np.ndarray | slice]],
    neighbourhood: Neighbourhood,
) -> np.ndarray:
    """Inputs (voxel, input), float32 holding integers within INPUT_LIMIT, in 1/16.

    Args:
        neighbours: as for ``linear_look``; columns beyond the neighbourhood's voxels are not used.
        residuals: float32 (voxel, residual neighbour): linear errors in 1/32 units.
    """
    voxels, errors = len(neighbourhood.voxels), len(neighbourhood.residuals)
    own, previous = len(neighbourhood.own), len(neighbourhood.previous)
    own_errors = len(neighbourhood.residuals_own)
    inputs = np.empty((len(neighbours), voxels + errors + SIDE_INPUTS), np.float32)
    apart = inputs[:, :voxels]
    np.multiply(neighbours[:, :voxels], np.float32(NEAREST), out=apart)
    apart -= look.total[:, np.newaxis]
    _scaled(apart, look.scale, scales.DIFFERENCE_FACTORS, scales.DIFFERENCE_LIMITS)
    finer = inputs[:, voxels : voxels + errors + 1 + CLASSES]
    finer[:, :errors] = residuals
    mean = np.floor(look.total.astype(np.float64) * (32 / NEAREST) + 0.5)
    finer[:, errors] = look.centre - mean
    finer[:, errors + 1 :] = look.classes - look.centre[:, np.newaxis]
    _scaled(finer, look.scale, scales.SUBVOXEL_FACTORS, scales.SUBVOXEL_LIMITS)
    weights = scales.energy_weights(neighbourhood.residuals)
    sizes = np.abs(residuals)
    energy = sizes @ weights
    for before, rows in groups:
        if before == 0:
            energy[rows] = 2 * (sizes[rows, :own_errors] @ weights[:own_errors])
            inputs[rows, own:voxels] = 0
            inputs[rows, voxels + own_errors : voxels + errors] = 0
        elif before == 1:
            inputs[rows, own + previous : voxels] = 0
    inputs[:, -2] = 2 * look.scale - 16
    inputs[:, -1] = np.searchsorted(scales.ENERGY_THRESHOLDS, energy, side="right") - 16
    return inputs


def _scaled(values: np.ndarray, scale: np.ndarray, factors: np.ndarray, limits: np.ndarray) -> None:
    """Integers to inputs in place: limited, times a reciprocal, rounded half up."""
    limit = limits[scale][:, np.newaxis]
    np.minimum(values, limit, out=values)
    np.maximum(values, -limit, out=values)
    values *= (factors * np.float32(2.0**-scales.RECIPROCAL_BITS))[scale][:, np.newaxis]
    values += np.float32(0.5)
    np.floor(values, out=values)
