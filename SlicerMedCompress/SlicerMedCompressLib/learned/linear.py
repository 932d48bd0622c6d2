"""Linear predictions fitted to the image in hand: cheap, of wide reach, and the ground the network stands on.

A set holds one prediction for each class of local activity: what predicts noise in smooth tissue is not
what predicts edges. Sets differ by how many slices lie before the voxel, and by whether a frame does.

Source of the fit: iteratively reweighted least squares for the sum of absolute errors relative to the local
activity (Schlossmacher, JASA 1973), because code length grows with the logarithm of errors, not their squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .neighbourhood import ACTIVE, NEAREST, Neighbourhood

COEFFICIENT_BITS = 10
LARGEST_COEFFICIENT = 8 << COEFFICIENT_BITS
SUBVOXEL_BITS = 5
"""Predictions are in 1/32 of a voxel's unit."""
CLASSES = 3
_ITERATIONS = 4
_PART = 1 << 14
_FEWEST = 2000
"""Samples below which a class is not fitted on its own."""


@dataclass(frozen=True, eq=False)
class LinearSet:
    """Predictions of one kind of voxels.

    Attributes:
        thresholds: (CLASSES - 1) ascending activities where the next class begins.
        coefficients: int (neighbour, class), in 2^-COEFFICIENT_BITS, each class adding up to 1.
        counts: how many of the nearest neighbours of each kind (own, previous, before, reference) it uses;
            the coefficients of the others are 0.
    """

    thresholds: np.ndarray
    coefficients: np.ndarray
    counts: tuple[int, ...]


def local_sum_and_activity(neighbours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the nearest neighbours, and how much the near ones vary about their mean.

    Args:
        neighbours: float32 (voxel, neighbour), integers up to 65535; the own slice's come first.

    Returns:
        sum of NEAREST voxels, and ACTIVE x NEAREST times the mean absolute difference; exact integers.
    """
    total = neighbours[:, :NEAREST].sum(axis=1)
    apart = np.abs(NEAREST * neighbours[:, :ACTIVE] - total[:, np.newaxis])
    return total, apart.sum(axis=1)


def predictions(
    neighbours: np.ndarray, activity: np.ndarray, fitted: LinearSet, largest: int
) -> tuple[np.ndarray, np.ndarray]:
    """What every class predicts (voxel, class), and what the voxel's own class does, in 1/32 units.

    Args:
        neighbours: (voxel, neighbour) of the length of the set's coefficients.
        largest: greatest voxel value; predictions are kept within 0 and it.
    """
    # Exact in float64: 16 bit voxels, coefficients of a few thousand, about a hundred terms.
    found = neighbours.astype(np.float64) @ fitted.coefficients.astype(np.float64)
    found *= 2.0 ** (SUBVOXEL_BITS - COEFFICIENT_BITS)
    found += 0.5
    np.floor(found, out=found)
    np.clip(found, 0, largest << SUBVOXEL_BITS, out=found)
    classes = np.searchsorted(fitted.thresholds, activity, side="right")
    return found, found[np.arange(len(found)), classes]


def fit(neighbours: np.ndarray, values: np.ndarray, neighbourhood: Neighbourhood, counts: tuple[int, ...]) -> LinearSet:
    """The set that predicts ``values`` best.

    Args:
        neighbours: float (voxel, neighbour). values: (voxel,).
        counts: neighbours of each kind to use, at least one of the own slice.
    """
    usable = used_neighbours(neighbourhood, counts, neighbours.shape[1])
    _, activity = local_sum_and_activity(neighbours.astype(np.float32))
    varied = activity[activity > ACTIVE * NEAREST / 2]
    thresholds = np.arange(1, CLASSES) * np.float64(1 << 30)
    if len(varied) >= CLASSES * _FEWEST:
        thresholds = np.ceil(np.quantile(varied, np.arange(1, CLASSES) / CLASSES))
    classes = np.searchsorted(thresholds, activity, side="right")
    coefficients = np.zeros((neighbours.shape[1], CLASSES), np.int32)
    for number in range(CLASSES):
        own = np.flatnonzero(classes == number)
        if number and not len(own):
            coefficients[:, number] = coefficients[:, number - 1]
            continue
        rows = own if len(own) >= _FEWEST else np.arange(len(classes))
        near = neighbours[rows] if usable.all() else neighbours[rows[:, np.newaxis], np.flatnonzero(usable)]
        found = _Samples(near, values[rows], activity[rows]).solve()
        coefficients[usable, number] = _as_integers(found)
    return LinearSet(thresholds, coefficients, counts)


@dataclass(frozen=True, eq=False)
class _Samples:
    """What one prediction is fitted to: (voxel, neighbour), and of each voxel its value and activity."""

    neighbours: np.ndarray
    values: np.ndarray
    activity: np.ndarray

    def solve(self) -> np.ndarray:
        """Coefficients that add up to 1."""
        count = self.neighbours.shape[1]
        near = min(NEAREST, count)
        scale = self.activity / (ACTIVE * NEAREST) + 0.4
        weight: np.ndarray = 1 / scale**2
        found: np.ndarray = np.zeros(count)
        for _ in range(_ITERATIONS):
            normal, wanted = np.zeros((count, count)), np.zeros(count)
            for part in self._parts():
                apart, aim = self._about_the_mean(part, near)
                weighted = apart * weight[part, np.newaxis]
                normal += weighted.T @ apart
                wanted += weighted.T @ aim
            normal[np.diag_indices_from(normal)] += 1e-4 * np.trace(normal) / count + 1e-9
            found = np.linalg.solve(normal, wanted)
            for part in self._parts():
                apart, aim = self._about_the_mean(part, near)
                weight[part] = 1 / (scale[part] * (np.abs(aim - apart @ found) + 0.3 * scale[part]))
        found[:near] += (1 - found.sum()) / near
        return found

    def _parts(self) -> list[slice]:
        # So that copies in doubles stay small.
        return [slice(start, start + _PART) for start in range(0, len(self.values), _PART)]

    def _about_the_mean(self, part: slice, near: int) -> tuple[np.ndarray, np.ndarray]:
        """Neighbours and values minus the mean of the nearest neighbours, float64."""
        exact = self.neighbours[part].astype(np.float64)
        mean = exact[:, :near].mean(axis=1)
        exact -= mean[:, np.newaxis]
        return exact, self.values[part] - mean


def _as_integers(coefficients: np.ndarray) -> np.ndarray:
    one = 1 << COEFFICIENT_BITS
    kept = np.clip(np.rint(coefficients * one), -LARGEST_COEFFICIENT, LARGEST_COEFFICIENT)
    whole: np.ndarray = kept.astype(np.int32)
    # Of a constant neighbourhood the prediction must be the constant.
    whole[0] += one - whole.sum()
    return whole


def used_neighbours(neighbourhood: Neighbourhood, counts: tuple[int, ...], columns: int) -> np.ndarray:
    """Which columns are used, bool: of each kind the first so many."""
    kinds = (neighbourhood.own, neighbourhood.previous, neighbourhood.before, neighbourhood.reference)
    used = np.concatenate([np.arange(len(kind)) < count for kind, count in zip(kinds, counts, strict=True)])
    return np.asarray(used[:columns])
