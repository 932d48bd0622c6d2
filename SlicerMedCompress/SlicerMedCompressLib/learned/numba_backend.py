from __future__ import annotations

import numpy as np

from . import scales
from .model import Model
from .numba_kernels import UNITS, Packed, Surroundings, predict_tile
from .prediction import Prediction
from .tile_values import TileValues

ROWS = 8


def _filled(array, axis):
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % ROWS)
    return np.pad(array, widths)


def packed_model(model: Model, reference: bool) -> Packed:
    sets = model.reference_sets if reference else model.sets
    net = model.network

    def layer(w):
        w = _filled(_filled(w, 0), 1)
        return np.ascontiguousarray(w.reshape(len(w), -1, UNITS).transpose(1, 0, 2))

    f = lambda a: np.ascontiguousarray(a, np.float32)
    return Packed(
        np.ascontiguousarray(np.stack([s.thresholds for s in sets[:3]]), np.float64),
        _filled(np.stack([s.coefficients for s in sets[:3]]).astype(np.float64), 1),
        layer(net.first),
        _filled(net.first_bias, 1),
        layer(net.second),
        _filled(net.second_bias, 0),
        _filled(net.head, 0),
        f(net.head_bias),
        _filled(net.skip, 0),
        scales.energy_weights(model.neighbourhood.residuals),
        scales.ACTIVITY_THRESHOLDS,
        scales.ENERGY_THRESHOLDS,
        scales.DIFFERENCE_FACTORS * np.float32(2.0**-16),
        scales.DIFFERENCE_LIMITS,
        scales.SUBVOXEL_FACTORS * np.float32(2.0**-16),
        scales.SUBVOXEL_LIMITS,
        scales.CENTRE_FACTORS,
    )


def surroundings(tile: TileValues) -> Surroundings:
    g, h = tile.geometry, tile.neighbourhood
    return Surroundings(
        g.order,
        g.slices,
        g.padded_shape[1] * g.padded_shape[2],
        g.steps(h.voxels),
        g.steps(h.reference) if tile.reference is not None else np.zeros(0, np.int32),
        g.steps(h.residuals),
        len(h.own),
        len(h.previous),
        len(h.residuals_own),
        np.zeros((0, 2)) if tile.gains is None else tile.gains,
        tile.largest,
    )


class NumbaBackend:
    name = "numba"

    def predict(self, tile, model):
        a = surroundings(tile)
        m = packed_model(model, tile.reference is not None)
        n = len(a.order)
        c = np.empty(n, np.int64)
        l = np.empty(n, np.int64)
        ref = tile.values[:0] if tile.reference is None else tile.reference
        predict_tile(a, m, tile.geometry.plane_starts, tile.values, ref, np.zeros(tile.values.shape, np.float32), c, l)
        return Prediction(c, l)
