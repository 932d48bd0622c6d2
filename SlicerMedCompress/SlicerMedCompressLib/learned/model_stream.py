"""A model as bytes: what an image's file keeps beside its tiles, a few hundred bytes to a few thousand.

    version uint8 | weights 8 bytes, the shipped ones' name | largest uint16 | facts 4 x int8 | flags uint8
    | counts: 4 x uint8 a set | thresholds: CLASSES - 1 x uint32 a set | lists of integers: see integer_lists

Flags: 1 there are sets for voxels with a frame before, 2 the weights differ from the shipped ones.
Counts: how many neighbours of the four kinds a set uses; all 0: it is the set before, and nothing more follows of it.
Lists: for every set its coefficients, class after class, without the first, which follows from their sum; the choices
of distributions, as changes of the level and as shapes; the weights' differences in ADAPTATION_STEPS.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from ..errors import CorruptStreamError
from .distributions import SHAPES, WIDTH_LEVELS
from .integer_lists import decode_lists, encode_lists
from .linear import CLASSES, COEFFICIENT_BITS, LARGEST_COEFFICIENT, LinearSet, used_neighbours
from .model import Model
from .neighbourhood import Neighbourhood, standard_neighbourhood
from .network import NetworkWeights
from .shipped import weights_name, weights_named
from .tile_geometry import SLICES_BEFORE

VERSION = 1
_HEADER = struct.Struct("<B8sH4bB")
_REFERENCE, _ADAPTED = 1, 2
ADAPTATION_STEPS = {
    "first": 4,
    "first_bias": 64,
    "second": 4,
    "second_bias": 64,
    "head": 1,
    "head_bias": 16,
    "skip": 1,
}
"""Adapted weights differ from the shipped ones by multiples of these: coarse where there are many."""


def model_to_bytes(model: Model) -> bytes:
    """The bytes of a model."""
    sets = (*model.sets, *model.reference_sets)
    shipped, name = model.base, weights_name(model.base)
    differences = [np.asarray(a) - np.asarray(b) for a, b in zip(model.weights.arrays(), shipped.arrays(), strict=True)]
    adapted = any(np.any(difference) for difference in differences)
    flags = (_REFERENCE if model.reference_sets else 0) | (_ADAPTED if adapted else 0)
    head = _HEADER.pack(VERSION, name, model.largest, *map(int, model.facts), flags)
    counts, thresholds = b"", b""
    lists: list[np.ndarray] = []
    for number, fitted in enumerate(sets):
        if number and fitted is sets[number - 1]:
            counts += bytes(4)
            continue
        counts += bytes(fitted.counts)
        thresholds += np.asarray(fitted.thresholds).astype("<u4").tobytes()
        used = used_neighbours(model.neighbourhood, fitted.counts, len(fitted.coefficients))
        lists.extend(fitted.coefficients[used, kind][1:] for kind in range(CLASSES))
    lists.append(model.choices[:, 0] - np.arange(WIDTH_LEVELS))
    lists.append(model.choices[:, 1])
    if adapted:
        lists.extend(part // step for part, step in zip(differences, ADAPTATION_STEPS.values(), strict=True))
    return head + counts + thresholds + encode_lists(lists)


def model_from_bytes(data: bytes) -> Model:
    """The model in a file; CorruptStreamError if it is damaged, or its weights are not known here."""
    try:
        version, name, largest, *facts, flags = _HEADER.unpack_from(data)
    except struct.error as error:
        raise CorruptStreamError("The model in the file is cut off.") from error
    if version != VERSION or flags & ~(_REFERENCE | _ADAPTED):
        raise CorruptStreamError(f"The model in the file has version {version}; update MedCompress.")
    base = weights_named(name)
    number = (SLICES_BEFORE + 1) * (2 if flags & _REFERENCE else 1)
    counts, thresholds, rest = _counts_and_thresholds(data[_HEADER.size :], number)
    hood = standard_neighbourhood()
    sizes = [sum(count) - 1 for count in counts if any(count) for _ in range(CLASSES)] + [WIDTH_LEVELS] * 2
    if flags & _ADAPTED:
        sizes += [array.size for array in base.arrays()]
    lists = decode_lists(rest, sizes)
    sets = _sets(hood, counts, thresholds, lists)
    tail = lists[sum(CLASSES for count in counts if any(count)) :]
    choices = np.stack([tail[0] + np.arange(WIDTH_LEVELS), tail[1]], axis=1)
    if choices.min() < 0 or choices[:, 0].max() >= WIDTH_LEVELS or choices[:, 1].max() >= len(SHAPES):
        raise CorruptStreamError("The model in the file chooses a distribution that does not exist.")
    weights = _adapted(base, tail[2:]) if flags & _ADAPTED else base
    weights.check()
    before = SLICES_BEFORE + 1
    return Model(weights, base, np.array(facts, np.int32), sets[:before], sets[before:], choices, largest)


def _counts_and_thresholds(data: bytes, number: int) -> tuple[list[tuple[int, ...]], np.ndarray, bytes]:
    """Counts of each set, thresholds of each set that is its own, and what follows."""
    counts = [tuple(data[4 * index : 4 * index + 4]) for index in range(number)]
    own = sum(1 for count in counts if any(count))
    end = 4 * number + 4 * (CLASSES - 1) * own
    if len(data) < end or not any(counts[0]):
        raise CorruptStreamError("The model in the file is cut off.")
    thresholds = np.frombuffer(data, "<u4", (CLASSES - 1) * own, 4 * number).reshape(own, CLASSES - 1)
    if np.any(thresholds[:, 1:] < thresholds[:, :-1]):
        raise CorruptStreamError("The model in the file has thresholds that do not ascend.")
    return counts, thresholds.astype(np.float64), data[end:]


def _sets(
    hood: Neighbourhood, counts: Sequence[tuple[int, ...]], thresholds: np.ndarray, lists: Sequence[np.ndarray]
) -> tuple[LinearSet, ...]:
    kinds = (hood.own, hood.previous, hood.before, hood.reference)
    found: list[LinearSet] = []
    taken = 0
    for number, count in enumerate(counts):
        if not any(count):
            found.append(found[-1])
            continue
        before, reference = number % (SLICES_BEFORE + 1), number > SLICES_BEFORE
        allowed = [True, before > 0, before > 1, reference]
        fits = all(part <= (len(kind) if there else 0) for part, kind, there in zip(count, kinds, allowed, strict=True))
        if not fits or count[0] < 1:
            raise CorruptStreamError("The model in the file uses neighbours that do not exist.")
        columns = len(hood.voxels) + (len(hood.reference) if reference else 0)
        coefficients = np.zeros((columns, CLASSES), np.int32)
        used = used_neighbours(hood, count, columns)
        for kind in range(CLASSES):
            values = lists[taken * CLASSES + kind]
            if len(values) and np.abs(values).max() > LARGEST_COEFFICIENT:
                raise CorruptStreamError("The model in the file has impossible coefficients.")
            coefficients[used, kind] = np.concatenate([[(1 << COEFFICIENT_BITS) - values.sum()], values])
        found.append(LinearSet(thresholds[taken], coefficients, count))
        taken += 1
    return tuple(found)


def _adapted(base: NetworkWeights, differences: Sequence[np.ndarray]) -> NetworkWeights:
    arrays = []
    for array, difference, step in zip(base.arrays(), differences, ADAPTATION_STEPS.values(), strict=True):
        if len(difference) and np.abs(difference).max() > 1 << 20:
            raise CorruptStreamError("The model in the file has impossible weights.")
        arrays.append(array + step * difference.reshape(array.shape).astype(np.int32))
    return NetworkWeights(*arrays)
