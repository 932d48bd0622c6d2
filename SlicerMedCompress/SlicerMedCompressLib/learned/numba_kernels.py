"""Compiled loops of the numba backend: LANES voxels of one plane at a time, from their addresses to distributions.

What is known of a block of voxels lies as (number, LANES), so that every step is the same few vector operations.
Everything but the linear predictions is in float32 and exact there; see the numpy way in prediction and contexts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from . import scales
from .distributions import UNIT_WIDTH_LEVEL, WIDTH_LEVELS
from .linear import CLASSES, COEFFICIENT_BITS, SUBVOXEL_BITS
from .numba_lanes import LANES, absolute, at_least, clamp, floor, load, multiply_add, narrowed, store, widened
from .neighbourhood import ACTIVE, NEAREST
from .network import ACTIVATION_LIMIT, OUTPUTS, SUM_BITS, WEIGHT_BITS
from .tile_values import GAIN_BITS

SLICES_BEFORE = 2
ENERGY_LIMIT = scales.ENERGY_LIMIT
ACTIVITY_OFFSET = scales.ACTIVITY_OFFSET
CENTRE_SHIFT = 2.0 ** -(SUM_BITS + scales.CENTRE_BITS - SUBVOXEL_BITS)
LEVEL_SHIFT = 2.0 ** -(SUM_BITS - 2)
FIRST_LEVEL = UNIT_WIDTH_LEVEL + 2 * scales.LOWEST - 4
UNITS = 8
"""Units of the network computed together; numbers of units and of inputs are filled up to a multiple of it."""


def compiled(function: Callable) -> Any:
    """The function compiled when it is first called, kept on disk where there is a place to keep it."""
    try:
        return njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy")(function)


class Surroundings(NamedTuple):
    """What does not depend on the voxels of a tile.

    Attributes:
        order, slices: of the geometry. slice_size: voxels of a padded slice.
        voxels, reference, residuals: steps to the neighbours, int32.
        own, previous, own_residuals: how many of them are in the own slice and in the one before.
        gains: float64 (slice, 2), or (0, 2) where all slices have one slope.
        largest: greatest voxel value.
    """

    order: np.ndarray
    slices: np.ndarray
    slice_size: int
    voxels: np.ndarray
    reference: np.ndarray
    residuals: np.ndarray
    own: int
    previous: int
    own_residuals: int
    gains: np.ndarray
    largest: int


class Packed(NamedTuple):
    """Numbers of a model as the loops want them; leading index of three: slices before the voxel.

    Attributes:
        thresholds: float64 (3, CLASSES - 1). coefficients: float64 (3, neighbour, CLASSES).
        first, second: float32 (unit / UNITS, input, UNITS). first_bias: (3, unit). second_bias: (unit).
        head, skip: float32 (input, OUTPUTS). head_bias: (3, OUTPUTS).
        energy_weights: float32, of the linear errors.
        activity_thresholds, energy_thresholds, and the factors and limits of each scale: see scales.
    """

    thresholds: np.ndarray
    coefficients: np.ndarray
    first: np.ndarray
    first_bias: np.ndarray
    second: np.ndarray
    second_bias: np.ndarray
    head: np.ndarray
    head_bias: np.ndarray
    skip: np.ndarray
    energy_weights: np.ndarray
    activity_thresholds: np.ndarray
    energy_thresholds: np.ndarray
    difference_factors: np.ndarray
    difference_limits: np.ndarray
    subvoxel_factors: np.ndarray
    subvoxel_limits: np.ndarray
    centre_factors: np.ndarray


class Work(NamedTuple):
    """Room for one block; see ``room``."""

    addresses: np.ndarray
    neighbours: np.ndarray
    residuals: np.ndarray
    classes: np.ndarray
    linear: np.ndarray
    total: np.ndarray
    activity: np.ndarray
    scale: np.ndarray
    limit: np.ndarray
    factor: np.ndarray
    inputs: np.ndarray
    hidden: np.ndarray
    second: np.ndarray
    outputs: np.ndarray
    centre: np.ndarray
    level: np.ndarray


@compiled
def _add_units(out, first, weights, inputs):
    a, b, c, d = load(out, first), load(out, first + 1), load(out, first + 2), load(out, first + 3)
    e, f, g, h = load(out, first + 4), load(out, first + 5), load(out, first + 6), load(out, first + 7)
    for number in range(len(inputs)):
        lanes, weight = load(inputs, number), weights[number]
        a, b = multiply_add(a, lanes, weight[0]), multiply_add(b, lanes, weight[1])
        c, d = multiply_add(c, lanes, weight[2]), multiply_add(d, lanes, weight[3])
        e, f = multiply_add(e, lanes, weight[4]), multiply_add(f, lanes, weight[5])
        g, h = multiply_add(g, lanes, weight[6]), multiply_add(h, lanes, weight[7])
    store(out, first, a)
    store(out, first + 1, b)
    store(out, first + 2, c)
    store(out, first + 3, d)
    store(out, first + 4, e)
    store(out, first + 5, f)
    store(out, first + 6, g)
    store(out, first + 7, h)


@compiled
def room(model, surroundings):
    neighbours = model.coefficients.shape[1]
    inputs = model.first.shape[1]
    hidden = model.second.shape[1]
    return Work(
        np.zeros(LANES, np.int64),
        np.zeros((neighbours, LANES), np.float32),
        np.zeros((len(surroundings.residuals), LANES), np.float32),
        np.zeros((CLASSES, LANES)),
        np.zeros(LANES),
        np.zeros(LANES, np.float32),
        np.zeros(LANES, np.float32),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.float32),
        np.zeros(LANES, np.float32),
        np.zeros((inputs, LANES), np.float32),
        np.zeros((hidden, LANES), np.float32),
        np.zeros((hidden, LANES), np.float32),
        np.zeros((OUTPUTS, LANES), np.float32),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
    )


@compiled
def _gather(found, first, volume, addresses, steps):
    for number in range(len(steps)):
        step = steps[number]
        for lane in range(LANES):
            found[first + number, lane] = volume[np.uint64(addresses[lane] + step)]


@compiled
def _gain(found, first, last, gains, addresses, slice_size, back, lowest, highest):
    for lane in range(LANES):
        gain = gains[addresses[lane] // slice_size - SLICES_BEFORE, back] * 2.0**-GAIN_BITS
        for number in range(first, last):
            product = np.floor(np.float64(found[number, lane]) * gain + 0.5)
            found[number, lane] = min(max(product, np.float64(lowest)), np.float64(highest))


@compiled
def _look_around(work, around, values, reference, errors):
    _gather(work.neighbours, 0, values, work.addresses, around.voxels)
    _gather(work.residuals, 0, errors, work.addresses, around.residuals)
    own, both, count = around.own, around.own + around.previous, len(around.voxels)
    if len(around.gains):
        _gain(work.neighbours, own, both, around.gains, work.addresses, around.slice_size, 0, 0, around.largest)
        _gain(work.neighbours, both, count, around.gains, work.addresses, around.slice_size, 1, 0, around.largest)
        _gain(
            work.residuals, around.own_residuals, len(around.residuals), around.gains, work.addresses,
            around.slice_size, 0, -ENERGY_LIMIT, ENERGY_LIMIT,
        )  # fmt: skip
    _gather(work.neighbours, count, reference, work.addresses, around.reference)


@compiled
def _predict_linearly(work, before, model, largest):
    total, activity, neighbours = work.total, work.activity, work.neighbours
    total[:] = 0
    activity[:] = 0
    for number in range(NEAREST):
        for lane in range(LANES):
            total[lane] += neighbours[number, lane]
    for number in range(ACTIVE):
        for lane in range(LANES):
            activity[lane] += abs(np.float32(NEAREST) * neighbours[number, lane] - total[lane])
    work.classes[:] = 0
    _add_classes(work.classes, model.coefficients[before], neighbours)
    highest = np.float64(largest << SUBVOXEL_BITS)
    for number in range(CLASSES):
        for lane in range(LANES):
            found = np.floor(work.classes[number, lane] * 2.0 ** (SUBVOXEL_BITS - COEFFICIENT_BITS) + 0.5)
            work.classes[number, lane] = min(max(found, 0.0), highest)
    for lane in range(LANES):
        kind = 0
        for number in range(CLASSES - 1):
            kind += np.float64(activity[lane]) >= model.thresholds[before, number]
        work.linear[lane] = work.classes[kind, lane]
    for lane in range(LANES):
        activity[lane] += np.float32(ACTIVITY_OFFSET)
    _count_thresholds(work.scale, activity, model.activity_thresholds)


@compiled
def _count_thresholds(found, values, thresholds):
    found[:] = 0
    for number in range(len(thresholds)):
        for lane in range(LANES):
            found[lane] += values[lane] >= thresholds[number]


@compiled
def _scale_rows(inputs, first, last, limit, factor):
    for number in range(first, last):
        for lane in range(LANES):
            value = min(max(inputs[number, lane], -limit[lane]), limit[lane])
            inputs[number, lane] = np.floor(value * factor[lane] + np.float32(0.5))


@compiled
def _fill_inputs(work, before, around, model):
    inputs, total, scale = work.inputs, work.total, work.scale
    voxels, residuals = len(around.voxels), len(around.residuals)
    for number in range(voxels):
        for lane in range(LANES):
            inputs[number, lane] = np.float32(NEAREST) * work.neighbours[number, lane] - total[lane]
    for lane in range(LANES):
        work.limit[lane] = model.difference_limits[scale[lane]]
        work.factor[lane] = model.difference_factors[scale[lane]]
    _scale_rows(inputs, 0, voxels, work.limit, work.factor)
    inputs[voxels : voxels + residuals] = work.residuals
    side = voxels + residuals
    for lane in range(LANES):
        mean = np.floor(np.float64(total[lane]) * (32 / NEAREST) + 0.5)
        inputs[side, lane] = work.linear[lane] - mean
        for number in range(CLASSES):
            inputs[side + 1 + number, lane] = work.classes[number, lane] - work.linear[lane]
    for lane in range(LANES):
        work.limit[lane] = model.subvoxel_limits[scale[lane]]
        work.factor[lane] = model.subvoxel_factors[scale[lane]]
    _scale_rows(inputs, voxels, side + 1 + CLASSES, work.limit, work.factor)
    if before == 0:
        inputs[around.own : voxels] = 0
        inputs[voxels + around.own_residuals : side] = 0
    elif before == 1:
        inputs[around.own + around.previous : voxels] = 0
    energy = work.activity
    energy[:] = 0
    for number in range(residuals if before else around.own_residuals):
        weight = model.energy_weights[number] * np.float32(1 if before else 2)
        for lane in range(LANES):
            energy[lane] += abs(work.residuals[number, lane]) * weight
    _count_thresholds(work.level, energy, model.energy_thresholds)
    for lane in range(LANES):
        inputs[side + 1 + CLASSES, lane] = 2 * scale[lane] - 16
        inputs[side + 2 + CLASSES, lane] = work.level[lane] - 16


@compiled
def _run_layer(out, weights, bias, inputs):
    for unit in range(len(out)):
        out[unit] = bias[unit]
    for block in range(len(weights)):
        _add_units(out[UNITS * block : UNITS * (block + 1)], weights[block], inputs)
    flat = out.reshape(-1)
    for place in range(len(flat)):
        rounded = np.floor(flat[place] * np.float32(2.0**-WEIGHT_BITS) + np.float32(0.5))
        flat[place] = min(max(rounded, np.float32(0)), np.float32(ACTIVATION_LIMIT))


@compiled
def _run_network(work, before, model):
    _run_layer(work.hidden, model.first, model.first_bias[before], work.inputs)
    _run_layer(work.second, model.second, model.second_bias, work.hidden)
    first, second = work.hidden.reshape(-1), work.second.reshape(-1)
    for place in range(len(first)):
        first[place] += second[place]
    for number in range(OUTPUTS):
        work.outputs[number] = model.head_bias[before, number]
    _add_outputs(work.outputs, model.head, work.hidden)
    _add_outputs(work.outputs, model.skip, work.inputs)


@compiled
def look_at_block(work, first, last, before, around, model, values, reference, errors):
    for lane in range(LANES):
        work.addresses[lane] = around.order[min(first + lane, last - 1)]
    _look_around(work, around, values, reference, errors)
    _predict_linearly(work, before, model, around.largest)
    _fill_inputs(work, before, around, model)
    _run_network(work, before, model)
    highest = np.float64(around.largest << SUBVOXEL_BITS)
    for lane in range(LANES):
        scale = work.scale[lane]
        shift = np.float64(work.outputs[0, lane]) * model.centre_factors[scale] * CENTRE_SHIFT
        centre = work.linear[lane] + np.floor(shift + 0.5)
        work.centre[lane] = np.int64(min(max(centre, 0.0), highest))
        width = np.floor(np.float64(work.outputs[1, lane]) * LEVEL_SHIFT + 0.5)
        width = min(max(width, -4.0 * WIDTH_LEVELS), 4.0 * WIDTH_LEVELS)
        work.level[lane] = min(max(2 * scale + FIRST_LEVEL + np.int64(width), 0), WIDTH_LEVELS - 1)


@compiled
def errors_of_block(work, first, last, around, values, errors):
    limit = np.float64(ENERGY_LIMIT)
    for lane in range(last - first):
        address = np.uint64(work.addresses[lane])
        error = np.float64(1 << SUBVOXEL_BITS) * np.float64(values[address]) - work.linear[lane]
        errors[address] = min(max(error, -limit), limit)


@compiled
def end_of_block(around, first, last):
    before, end = around.slices[first], min(first + LANES, last)
    stop = first + 1
    while stop < end and around.slices[stop] == before:
        stop += 1
    return stop


@compiled
def predict_tile(around, model, plane_starts, values, reference, errors, centre, level):
    work = room(model, around)
    for plane in range(len(plane_starts) - 1):
        first, last = plane_starts[plane], plane_starts[plane + 1]
        while first < last:
            end = end_of_block(around, first, last)
            look_at_block(work, first, end, around.slices[first], around, model, values, reference, errors)
            errors_of_block(work, first, end, around, values, errors)
            centre[first:end] = work.centre[: end - first]
            level[first:end] = work.level[: end - first]
            first = end
