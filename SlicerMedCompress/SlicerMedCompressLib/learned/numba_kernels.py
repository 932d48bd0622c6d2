"""Compiled: from the addresses of LANES voxels of a plane to their distributions.

What is known of these voxels lies in arrays (number, LANES). Sums and products are exact integers as in the numpy
way (see contexts, network and prediction), so their order does not matter.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import scales
from .distributions import WIDTH_LEVELS
from .linear import CLASSES, COEFFICIENT_BITS, SUBVOXEL_BITS
from .neighbourhood import ACTIVE, NEAREST
from .network import ACTIVATION_LIMIT, WEIGHT_BITS
from .numba_compiling import compiled, inlined
from .numba_lanes import LANES, absolute, at_least, clamp, floor, load, look_up, multiply_add, narrowed, store, widened
from .prediction import CENTRE_SHIFT, FIRST_LEVEL, LEVEL_SHIFT
from .tile_geometry import SLICES_BEFORE
from .tile_values import GAIN_BITS

UNITS = 8
"""Units of a layer computed together; numbers of inputs and of units are filled up with zeros to multiples of it."""
_ENERGY_LIMIT = scales.ENERGY_LIMIT
_ACTIVITY_OFFSET = scales.ACTIVITY_OFFSET
_COEFFICIENT_SHIFT = 2.0 ** (SUBVOXEL_BITS - COEFFICIENT_BITS)


class TileArrays(NamedTuple):
    """A tile, flat arrays.

    Attributes:
        order, slices, plane_starts, edge, edge_source, edge_starts: see TileGeometry.
        values, errors: float32, padded volumes, read and filled. reference: float32, of the frame before, or empty.
        voxel_steps, residual_steps, reference_steps: from an address to those of neighbours, int32; the last may
            be empty.
        own, previous, own_residuals: how many of these are in the own slice, in the one before, in the own slice.
        gains: float64 (slice, SLICES_BEFORE), or of no slices where all have one slope.
        slice_size: voxels of a padded slice. largest: greatest voxel value.
    """

    order: np.ndarray
    slices: np.ndarray
    plane_starts: np.ndarray
    edge: np.ndarray
    edge_source: np.ndarray
    edge_starts: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    reference: np.ndarray
    voxel_steps: np.ndarray
    residual_steps: np.ndarray
    reference_steps: np.ndarray
    own: int
    previous: int
    own_residuals: int
    gains: np.ndarray
    slice_size: int
    largest: int


class ModelArrays(NamedTuple):
    """A model; a leading index of SLICES_BEFORE + 1 is of the slices before a voxel.

    Attributes:
        thresholds: float64 (3, CLASSES - 1). coefficients: float64 (3, neighbour, CLASSES).
        first, second: float32 (unit // UNITS, input, unit % UNITS). first_bias: (3, unit). second_bias: (unit).
        head, skip: float32 (input, OUTPUTS). head_bias: (3, OUTPUTS).
        energy_weights: float32 (residual neighbour,).
        activity_thresholds, energy_thresholds, centre_factors: see scales.
        difference_factors, subvoxel_factors: float32 (scale,), these of scales in units of 1. difference_limits,
            subvoxel_limits: see scales.
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
    centre_factors: np.ndarray
    difference_factors: np.ndarray
    difference_limits: np.ndarray
    subvoxel_factors: np.ndarray
    subvoxel_limits: np.ndarray


class Room(NamedTuple):
    """Room for what is known of LANES voxels.

    Attributes:
        addresses: int64 (LANES,). neighbours, residuals, inputs, hidden, second: float32 (number, LANES).
        classes: float64 (CLASSES, LANES), linear predictions. gains: float64 (1, LANES).
        found: float64 (3, LANES): CENTRE and LEVEL of the distributions, LINEAR prediction.
    """

    addresses: np.ndarray
    neighbours: np.ndarray
    residuals: np.ndarray
    inputs: np.ndarray
    hidden: np.ndarray
    second: np.ndarray
    classes: np.ndarray
    gains: np.ndarray
    found: np.ndarray


CENTRE, LEVEL, LINEAR = 0, 1, 2


@compiled
def room_for(tile: TileArrays, model: ModelArrays) -> Room:
    """Room, zeroed: rows beyond the last neighbour or input stay zero."""
    hidden = model.second.shape[1]
    return Room(
        np.zeros(LANES, np.int64),
        np.zeros((model.coefficients.shape[1], LANES), np.float32),
        np.zeros((len(tile.residual_steps), LANES), np.float32),
        np.zeros((model.first.shape[1], LANES), np.float32),
        np.zeros((hidden, LANES), np.float32),
        np.zeros((hidden, LANES), np.float32),
        np.zeros((CLASSES, LANES)),
        np.zeros((1, LANES)),
        np.zeros((3, LANES)),
    )


@inlined
def _gather(found: np.ndarray, first: int, volume: np.ndarray, addresses: np.ndarray, steps: np.ndarray) -> None:
    """Neighbours of every voxel into the rows from the first on."""
    for number in range(len(steps)):
        step = steps[number]
        for lane in range(LANES):
            # Unsigned: numba would look whether it is negative.
            found[first + number, lane] = volume[np.uint64(addresses[lane] + step)]


@inlined
def _find_gains(room: Room, tile: TileArrays, back: int) -> None:
    """Gains of each voxel's slice for the slice before it, or for the one before that."""
    for lane in range(LANES):
        room.gains[0, lane] = tile.gains[room.addresses[lane] // tile.slice_size - SLICES_BEFORE, back]


@inlined
def _gain(rows: np.ndarray, first: int, last: int, gains: np.ndarray, lowest: int, highest: int) -> None:
    """Rows of neighbours times the gains of their voxels; in float64, because products reach 2^40."""
    gain = load(gains, 0) * 2.0**-GAIN_BITS
    for number in range(first, last):
        product = floor(widened(load(rows, number)) * gain + 0.5)
        store(rows, number, narrowed(clamp(product, lowest, highest)))


@inlined
def _look_around(room: Room, tile: TileArrays) -> None:
    """Values and linear errors of all neighbours, in units of the voxel's slice."""
    own, both, voxels = tile.own, tile.own + tile.previous, len(tile.voxel_steps)
    _gather(room.neighbours, 0, tile.values, room.addresses, tile.voxel_steps)
    _gather(room.neighbours, voxels, tile.reference, room.addresses, tile.reference_steps)
    _gather(room.residuals, 0, tile.errors, room.addresses, tile.residual_steps)
    if len(tile.gains):
        _find_gains(room, tile, 0)
        _gain(room.neighbours, own, both, room.gains, 0, tile.largest)
        _gain(room.residuals, tile.own_residuals, len(room.residuals), room.gains, -_ENERGY_LIMIT, _ENERGY_LIMIT)
        _find_gains(room, tile, 1)
        _gain(room.neighbours, both, voxels, room.gains, 0, tile.largest)


@inlined
def _reached(lanes: Any, thresholds: np.ndarray) -> Any:
    """How many thresholds numbers are at least as large as."""
    count = lanes * 0
    for number in range(len(thresholds)):
        count += at_least(lanes, thresholds[number])
    return count


@inlined
def _predict_linearly(room: Room, model: ModelArrays, before: int, largest: int) -> Any:
    """Linear predictions into ``room``; gives the sum of the nearest neighbours and the index of the local scale."""
    neighbours, coefficients = room.neighbours, model.coefficients[before]
    total = load(neighbours, 0)
    for number in range(1, NEAREST):
        total += load(neighbours, number)
    activity = total * 0
    for number in range(ACTIVE):
        activity += absolute(load(neighbours, number) * NEAREST - total)
    first = widened(total) * 0
    second, third = first, first
    for number in range(len(neighbours)):
        lanes, factors = widened(load(neighbours, number)), coefficients[number]
        first = multiply_add(first, lanes, factors[0])
        second = multiply_add(second, lanes, factors[1])
        third = multiply_add(third, lanes, factors[2])
    highest = largest << SUBVOXEL_BITS
    first = clamp(floor(first * _COEFFICIENT_SHIFT + 0.5), 0, highest)
    second = clamp(floor(second * _COEFFICIENT_SHIFT + 0.5), 0, highest)
    third = clamp(floor(third * _COEFFICIENT_SHIFT + 0.5), 0, highest)
    store(room.classes, 0, first)
    store(room.classes, 1, second)
    store(room.classes, 2, third)
    own = _reached(widened(activity), model.thresholds[before])
    store(room.found, LINEAR, first + at_least(own, 1) * (second - first) + at_least(own, 2) * (third - second))
    return total, _reached(activity + _ACTIVITY_OFFSET, model.activity_thresholds)


@inlined
def _scaled(lanes: Any, limit: Any, factor: Any) -> Any:
    """Integers to inputs: limited, times a reciprocal, rounded half up."""
    return floor(clamp(lanes, limit * -1, limit) * factor + 0.5)


@inlined
def _fill_inputs(room: Room, tile: TileArrays, model: ModelArrays, before: int, total: Any, scale: Any) -> None:
    """Inputs of the network, in 1/16, from what the functions before found; those of absent slices are 0."""
    inputs, voxels, residuals = room.inputs, len(tile.voxel_steps), len(tile.residual_steps)
    limit, factor = look_up(model.difference_limits, scale), look_up(model.difference_factors, scale)
    present = tile.own if before == 0 else tile.own + tile.previous if before == 1 else voxels
    for number in range(present):
        store(inputs, number, _scaled(load(room.neighbours, number) * NEAREST - total, limit, factor))
    for number in range(present, voxels):
        store(inputs, number, 0)
    limit, factor = look_up(model.subvoxel_limits, scale), look_up(model.subvoxel_factors, scale)
    present = residuals if before else tile.own_residuals
    energy = limit * 0
    for number in range(present):
        error = load(room.residuals, number)
        energy += absolute(error) * model.energy_weights[number]
        store(inputs, voxels + number, _scaled(error, limit, factor))
    for number in range(present, residuals):
        store(inputs, voxels + number, 0)
    if before == 0:
        energy = energy * 2
    side, linear = voxels + residuals, load(room.found, LINEAR)
    mean = floor(widened(total) * (32 / NEAREST) + 0.5)
    store(inputs, side, _scaled(narrowed(linear - mean), limit, factor))
    for number in range(CLASSES):
        store(inputs, side + 1 + number, _scaled(narrowed(load(room.classes, number) - linear), limit, factor))
    store(inputs, side + 1 + CLASSES, scale * 2 - 16)
    store(inputs, side + 2 + CLASSES, _reached(energy, model.energy_thresholds) - 16)


@inlined
def _add_units(out: np.ndarray, first: int, weights: np.ndarray, inputs: np.ndarray) -> None:
    """Add products of inputs and weights (input, UNITS) to UNITS rows; sums stay in registers."""
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


@inlined
def _run_layer(out: np.ndarray, weights: np.ndarray, bias: np.ndarray, inputs: np.ndarray) -> None:
    """Activations of a layer, in 2^-4: rounded half up, from 0 to ACTIVATION_LIMIT."""
    for unit in range(len(out)):
        store(out, unit, bias[unit])
    for block in range(len(weights)):
        _add_units(out, UNITS * block, weights[block], inputs)
    for unit in range(len(out)):
        rounded = floor(load(out, unit) * 2.0**-WEIGHT_BITS + 0.5)
        store(out, unit, clamp(rounded, 0, ACTIVATION_LIMIT))


@inlined
def _outputs(weights: np.ndarray, inputs: np.ndarray) -> Any:
    """Both sums of products of inputs and weights (input, OUTPUTS)."""
    a = load(inputs, 0) * 0
    b, c, d, e, f, g, h = a, a, a, a, a, a, a
    # Four sums of each side by side, because every addition waits for the one before.
    for number in range(0, len(inputs), 4):
        lanes, weight = load(inputs, number), weights[number]
        a, b = multiply_add(a, lanes, weight[0]), multiply_add(b, lanes, weight[1])
        lanes, weight = load(inputs, number + 1), weights[number + 1]
        c, d = multiply_add(c, lanes, weight[0]), multiply_add(d, lanes, weight[1])
        lanes, weight = load(inputs, number + 2), weights[number + 2]
        e, f = multiply_add(e, lanes, weight[0]), multiply_add(f, lanes, weight[1])
        lanes, weight = load(inputs, number + 3), weights[number + 3]
        g, h = multiply_add(g, lanes, weight[0]), multiply_add(h, lanes, weight[1])
    return a + c + (e + g), b + d + (f + h)


@inlined
def _run_network(room: Room, model: ModelArrays, before: int) -> Any:
    """Outputs, in 2^-SUM_BITS: shift of the centre in local scales, log2 of the width over the local scale."""
    _run_layer(room.hidden, model.first, model.first_bias[before], room.inputs)
    _run_layer(room.second, model.second, model.second_bias, room.hidden)
    for unit in range(len(room.hidden)):
        store(room.hidden, unit, load(room.hidden, unit) + load(room.second, unit))
    shift, width = _outputs(model.head, room.hidden)
    direct_shift, direct_width = _outputs(model.skip, room.inputs)
    return shift + direct_shift + model.head_bias[before, 0], width + direct_width + model.head_bias[before, 1]


@inlined
def block_end(tile: TileArrays, first: int, last: int) -> int:
    """Where a block that starts at a place of the order ends: LANES voxels with equally many slices before them."""
    end = first + 1
    while end < min(first + LANES, last) and tile.slices[end] == tile.slices[first]:
        end += 1
    return end


@inlined
def look_at_block(room: Room, tile: TileArrays, model: ModelArrays, first: int, last: int) -> None:
    """Distributions of a block of the order into ``room.found``; what it looks at has to be known."""
    before = tile.slices[first]
    for lane in range(LANES):
        room.addresses[lane] = tile.order[min(first + lane, last - 1)]
    _look_around(room, tile)
    total, scale = _predict_linearly(room, model, before, tile.largest)
    _fill_inputs(room, tile, model, before, total, scale)
    shift, width = _run_network(room, model, before)
    moved = floor(widened(shift) * look_up(model.centre_factors, scale) * CENTRE_SHIFT + 0.5)
    store(room.found, CENTRE, clamp(load(room.found, LINEAR) + moved, 0, tile.largest << SUBVOXEL_BITS))
    level = floor(widened(width) * LEVEL_SHIFT + 0.5) + widened(scale) * 2 + FIRST_LEVEL
    store(room.found, LEVEL, clamp(level, 0, WIDTH_LEVELS - 1))


@inlined
def note_errors(room: Room, tile: TileArrays, first: int, last: int) -> None:
    """Linear errors of a block whose values are known, in 1/32 units."""
    for lane in range(last - first):
        address = np.uint64(room.addresses[lane])
        error = np.float64(tile.values[address]) * (1 << SUBVOXEL_BITS) - room.found[LINEAR, lane]
        tile.errors[address] = min(max(error, -_ENERGY_LIMIT), _ENERGY_LIMIT)
