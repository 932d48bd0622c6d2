"""What a lossy decode lacks: added back, it makes errors keep their bound and regions exact.

The difference of original and decoded voxels is taken between integers in the order of the numbers
(the voxels themselves, or the ordered bits of floats), modulo their width, so that any voxel can be
reached from any other; small differences of either sign become small unsigned numbers.
"""

from __future__ import annotations

import numpy as np

from ..tiling import Region, parts_of
from ..tolerance import differing_bits, errors_of
from .floats import OrderedBits
from .planes import SplitPlanes

_ANYWHERE = Region(0, (0, 1), (0, 1), (0, 1))
"""For steps that do not ask where a tile is."""


def correction_planes(dtype: np.dtype, components: int) -> tuple[np.dtype, int]:
    """Type and number of the planes that corrections of voxels of a type are coded as."""
    unsigned = np.dtype(f"u{dtype.itemsize}")
    if unsigned.itemsize <= 2:
        return unsigned, components
    return SplitPlanes(unsigned.name).output(unsigned, components)


def corrections_of(original: np.ndarray, decoded: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Planes (slice, row, column, plane) of 8 or 16 bits, 0 where the decoded voxel is good enough.

    Integer voxels beyond what is allowed are moved onto the bound, for which the smallest numbers do;
    floats, whose arithmetic rounds, become the original itself, and so does what is not finite.

    Args:
        original, decoded: tiles (slice, row, column, component) of one type.
        allowed: largest error of each voxel, stored units; broadcasts to the tile.
    """
    numbers = np.empty(original.shape, f"u{original.dtype.itemsize}")
    for part in parts_of(original):
        some = allowed[part] if len(allowed) > 1 else allowed
        numbers[part] = _zigzag(_lacking(original[part], decoded[part], some).astype(numbers.dtype))
    return numbers if numbers.dtype.itemsize <= 2 else SplitPlanes(numbers.dtype.name).forward(numbers, _ANYWHERE)


def _lacking(original: np.ndarray, decoded: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    errors = -errors_of(original, decoded)
    if original.dtype.kind == "f":
        # Where nothing is allowed the bits count: a zero must keep its sign.
        wrong = (np.isnan(errors) | (allowed == 0)) & differing_bits(original, decoded)
        wrong |= np.abs(errors) > allowed
        return np.where(wrong, _ordered(original) - _ordered(decoded), 0)
    limit = np.floor(allowed)
    return np.asarray((errors - np.clip(errors, -limit, limit)).astype(np.int64))


def corrected(decoded: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """The decoded voxels (slice, row, column, component) with the planes of ``corrections_of`` applied."""
    unsigned = np.dtype(f"u{decoded.dtype.itemsize}")
    numbers = planes if unsigned.itemsize <= 2 else SplitPlanes(unsigned.name).inverse(planes, _ANYWHERE)
    difference = _unzigzag(numbers)
    if decoded.dtype.kind == "f":
        bits = _ordered(decoded) + difference
        return OrderedBits(decoded.dtype.name).back(bits)
    return np.asarray((decoded.view(difference.dtype) + difference).view(decoded.dtype))


def _ordered(voxels: np.ndarray) -> np.ndarray:
    return OrderedBits(voxels.dtype.name).of(voxels)


def _zigzag(difference: np.ndarray) -> np.ndarray:
    # 0, -1, 1, -2, 2 ... become 0, 1, 2, 3, 4 ...
    one = difference.dtype.type(1)
    negative = difference >> difference.dtype.type(8 * difference.dtype.itemsize - 1)
    return np.asarray((difference << one) ^ (difference.dtype.type(0) - negative))


def _unzigzag(numbers: np.ndarray) -> np.ndarray:
    one = numbers.dtype.type(1)
    return np.asarray((numbers >> one) ^ (numbers.dtype.type(0) - (numbers & one)))
