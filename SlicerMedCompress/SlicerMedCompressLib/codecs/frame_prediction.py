"""Predicting a block from the same block of other frames: what is left is small where little moves.

    prediction = clip((sum of weight * tap + 2048) >> 12, 0, greatest value of the type)

The taps of each reference frame are the voxel itself, the ones above, below, left and right of it, and the sum of the
four at the corners; edges are repeated. Weights are fitted to what a spatial predictor leaves: least absolute errors of
the image once the plane through its causal neighbours is taken off (Wiener interpolation of reference pictures as in
Wedi, PCS 2001; iteratively reweighted least squares).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WEIGHT_BITS = 12
LARGEST_WEIGHT = (1 << 15) - 1
TAPS = 6
_FITTED_SIDE = 96
_FITTED_VOXELS = 1 << 14
"""About how many voxels the weights are fitted to: in the middle of a few slices."""
_ITERATIONS = 3
_LEAST_GAIN = 0.01
"""Estimated bits a voxel below which the prediction is not worth trying."""


def fitted_weights(block: np.ndarray, references: Sequence[np.ndarray]) -> np.ndarray | None:
    """Weights (reference, tap) as int16; None where the prediction would hardly help.

    Args:
        block, references: (slice, row, column) of unsigned integers.
    """
    part = _fitted_part(block)
    wanted = _unpredicted(block[part].astype(np.float64))
    looked = [tap for reference in references for tap in _taps(reference[part].astype(np.float64))]
    features = np.stack([_unpredicted(tap) for tap in looked], axis=1)
    weight, found = np.ones(len(wanted)), np.zeros(len(looked))
    for _ in range(_ITERATIONS):
        weighted = features * weight[:, np.newaxis]
        normal = weighted.T @ features
        normal[np.diag_indices_from(normal)] += 1e-7 * np.trace(normal) / len(normal) + 1e-9
        found = np.linalg.solve(normal, weighted.T @ wanted)
        weight = 1 / (np.abs(wanted - features @ found) + 1)
    if _bits(wanted - features @ found) > _bits(wanted) - _LEAST_GAIN:
        return None
    scaled = np.clip(np.rint(found * (1 << WEIGHT_BITS)), -LARGEST_WEIGHT, LARGEST_WEIGHT)
    return scaled.astype(np.int16).reshape(len(references), TAPS)


def predicted(references: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """The prediction (slice, row, column), int64.

    Args:
        references: blocks of unsigned integers of at most 32 bits. weights: int16 (reference, tap).
    """
    greatest = int(np.iinfo(references[0].dtype).max)
    largest = max(int(reference.max(initial=0)) for reference in references)
    # The corners' tap is four voxels.
    bound = largest * 4 * int(np.abs(weights.astype(np.int64)).sum()) + (1 << WEIGHT_BITS)
    exact = np.int32 if bound < 1 << 31 else np.int64
    total = np.full(references[0].shape, 1 << (WEIGHT_BITS - 1), exact)
    for reference, own in zip(references, weights.astype(exact), strict=True):
        for tap, weight in zip(_taps(reference.astype(exact)), own, strict=True):
            if weight:
                total += weight * tap
    return np.asarray(np.clip(total >> WEIGHT_BITS, 0, greatest)).astype(np.int64)


def _taps(reference: np.ndarray) -> list[np.ndarray]:
    rows, columns = reference.shape[1:]
    padded = np.pad(reference, ((0, 0), (1, 1), (1, 1)), mode="edge")

    def moved(down: int, right: int) -> np.ndarray:
        return padded[:, 1 + down : 1 + down + rows, 1 + right : 1 + right + columns]

    corners = moved(-1, -1) + moved(-1, 1) + moved(1, -1) + moved(1, 1)
    return [reference, moved(-1, 0), moved(1, 0), moved(0, -1), moved(0, 1), corners]


def _fitted_part(block: np.ndarray) -> tuple[slice, slice, slice]:
    slices, *sides = block.shape
    rows, columns = (slice(max(0, (side - _FITTED_SIDE) // 2), (side + _FITTED_SIDE) // 2) for side in sides)
    wanted = max(1, min(slices, _FITTED_VOXELS // block[0, rows, columns].size))
    return slice(slices // (2 * wanted), None, max(1, slices // wanted)), rows, columns


def _unpredicted(values: np.ndarray) -> np.ndarray:
    """What the plane through the voxels to the left and above leaves, flat; edges only know one of them."""
    found = np.array(values)
    found[:, 1:, 1:] -= 0.75 * (values[:, :-1, 1:] + values[:, 1:, :-1]) - 0.5 * values[:, :-1, :-1]
    found[:, 0, 1:] -= values[:, 0, :-1]
    found[:, 1:, 0] -= values[:, :-1, 0]
    found[:, 0, 0] = 0
    return found.reshape(-1)


def _bits(errors: np.ndarray) -> float:
    """About the bits a voxel that errors take."""
    return float(np.mean(np.log2(1 + 2 * np.abs(errors))))
