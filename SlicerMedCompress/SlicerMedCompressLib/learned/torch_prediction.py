"""What ``contexts``, ``network`` and ``prediction`` compute, in torch: the same integers on every device.

No shape depends on values and nothing is asked back from the device, so that a CUDA graph can hold all of it.
Voxels with 0, 1 and 2 slices before them differ by rows of tables only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from . import scales
from .contexts import SIDE_INPUTS
from .distributions import WIDTH_LEVELS
from .linear import CLASSES, COEFFICIENT_BITS, SUBVOXEL_BITS
from .model import Model
from .neighbourhood import ACTIVE, NEAREST, Neighbourhood
from .network import ACTIVATION_LIMIT, WEIGHT_BITS
from .prediction import CENTRE_SHIFT, FIRST_LEVEL, LEVEL_SHIFT
from .tile_geometry import SLICES_BEFORE
from .tile_values import GAIN_BITS, TileValues

_GROUPS = SLICES_BEFORE + 1


def on_device(array: np.ndarray, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A copy of an array on a device, complete when this returns, so that any stream may read it."""
    return torch.tensor(array, dtype=dtype).to(device)


@dataclass(frozen=True, eq=False)
class TileTensors:
    """A tile on a device; all that is looked at lies in one flat volume, so that one gather finds it.

    Attributes:
        volume: float32: padded values, a spare cell, padded linear errors (1/32 units), a spare cell, the padded
            frame before if there is one. Nothing looks at spare cells.
        errors_from: what to add to a voxel's address to come to its linear error.
        neighbours: how many columns are values, of the tile and of the frame before; linear errors follow.
        steps: int32 (column,), what to add to an address to come to each neighbour.
        area: cells of a padded slice.
        before: int64 (padded slice,), how many slices lie before each, at most 2.
        gains: float64 (padded slice, column) factors, or None; lowest, highest: float64 (column,).
    """

    volume: Tensor
    errors_from: int
    neighbours: int
    steps: Tensor
    area: int
    before: Tensor
    gains: Tensor | None
    lowest: Tensor
    highest: Tensor

    @classmethod
    def of(cls, tile: TileValues, device: torch.device) -> TileTensors:
        """The tile and its frame before; linear errors are zero."""
        geometry, hood, size = tile.geometry, tile.neighbourhood, len(tile.values)
        errors_from = size + 1
        parts, steps = [tile.values, np.zeros(size + 2, np.float32)], [geometry.steps(hood.voxels)]
        if tile.reference is not None:
            parts.append(tile.reference)
            steps.append(geometry.steps(hood.reference) + 2 * errors_from)
        neighbours = sum(map(len, steps))
        steps.append(geometry.steps(hood.residuals) + errors_from)
        gains, lowest, highest = _gains(tile, neighbours)
        before = np.clip(np.arange(geometry.padded_shape[0]) - SLICES_BEFORE, 0, SLICES_BEFORE)
        return cls(
            on_device(np.concatenate(parts), torch.float32, device),
            errors_from,
            neighbours,
            on_device(np.concatenate(steps), torch.int32, device),
            geometry.padded_shape[1] * geometry.padded_shape[2],
            on_device(before, torch.int64, device),
            None if gains is None else on_device(gains, torch.float64, device),
            on_device(lowest, torch.float64, device),
            on_device(highest, torch.float64, device),
        )

    def slices(self, addresses: Tensor) -> Tensor:
        """Padded slice of each voxel, int32."""
        return torch.div(addresses, self.area, rounding_mode="floor")

    def around(self, addresses: Tensor, slices: Tensor, columns: int | None = None) -> Tensor:
        """Values and linear errors around voxels, float32 (voxel, column), or the first columns of them.

        Args:
            addresses: int32 (voxel,). slices: their padded slices.
        """
        steps = self.steps[:columns]
        cells = addresses.unsqueeze(1) + steps
        found = self.volume.index_select(0, cells.view(-1)).view(cells.shape)
        if self.gains is None:
            return found
        # In float64, because products reach 2^40.
        product = found * self.gains[:, :columns].index_select(0, slices)
        product = product.mul_(2.0**-GAIN_BITS).add_(0.5).floor_()
        return torch.clamp(product, self.lowest[:columns], self.highest[:columns]).float()


def _gains(tile: TileValues, neighbours: int) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Factors (padded slice, column) in 2^-GAIN_BITS, 1 where nothing changes, and limits of what they give."""
    hood = tile.neighbourhood
    columns = neighbours + len(hood.residuals)
    lowest, highest = np.full(columns, -np.inf), np.full(columns, np.inf)
    own, previous, voxels = len(hood.own), len(hood.own) + len(hood.previous), len(hood.voxels)
    errors_before = neighbours + len(hood.residuals_own)
    lowest[own:voxels], highest[own:voxels] = 0, tile.largest
    lowest[errors_before:], highest[errors_before:] = -scales.ENERGY_LIMIT, scales.ENERGY_LIMIT
    if tile.gains is None:
        return None, lowest, highest
    factors = np.full((len(tile.gains) + SLICES_BEFORE, columns), float(1 << GAIN_BITS))
    factors[SLICES_BEFORE:, own:previous] = tile.gains[:, :1]
    factors[SLICES_BEFORE:, previous:voxels] = tile.gains[:, 1:]
    factors[SLICES_BEFORE:, errors_before:] = tile.gains[:, :1]
    return factors, lowest, highest


@dataclass(frozen=True, eq=False)
class Look:
    """First look at some voxels, as ``contexts.Linear``.

    Attributes:
        total: float32 (voxel, 1). scale: int64 (voxel,).
        classes: float64 (voxel, CLASSES), 1/32 units. centre: float64 (voxel, 1).
    """

    total: Tensor
    scale: Tensor
    classes: Tensor
    centre: Tensor


class Predictor:
    """A model on a device, for tiles with or without a frame before.

    Every constant sum and every power of two is multiplied into the tables beforehand. That changes no result:
    sums of integers below 2^24 in float32 and 2^53 in float64 stay exact.
    """

    def __init__(self, model: Model, reference: bool, device: torch.device) -> None:
        self.hood, self.largest = model.neighbourhood, model.largest

        def table(array: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
            return on_device(array, dtype, device)

        sets = model.reference_sets if reference else model.sets
        unit = 2.0 ** (SUBVOXEL_BITS - COEFFICIENT_BITS)
        coefficients = np.concatenate([fitted.coefficients.astype(np.float64) for fitted in sets], axis=1)
        self.coefficients = table(coefficients * unit, torch.float64)
        self.half = table(np.full(1, 0.5), torch.float64)
        self.thresholds = table(np.stack([fitted.thresholds for fitted in sets]), torch.float64)
        self.activity_thresholds = table(scales.ACTIVITY_THRESHOLDS - scales.ACTIVITY_OFFSET)
        limits, factors = _scaling(self.hood)
        self.limits, self.factors = table(limits), table(factors)
        self.energy_weights = table(_energy_weights(self.hood))
        self.energy_thresholds = table(scales.ENERGY_THRESHOLDS)
        self.answer_factors = table(_answer_factors(), torch.float64)
        network, one = model.network, 2.0**-WEIGHT_BITS
        self.first, self.first_bias = table(network.first * one), table(network.first_bias * one + 0.5)
        self.second, self.second_bias = table(network.second * one), table(network.second_bias * one + 0.5)
        self.head, self.skip = table(network.head), table(network.skip)
        self.head_bias = table(network.head_bias)

    def look(self, neighbours: Tensor, before: Tensor) -> Look:
        """Scale and linear predictions.

        Args:
            neighbours: float32 (voxel, neighbour): own, previous, before and, if there is one, reference.
            before: int64 (voxel,), how many slices lie before, at most 2.
        """
        total = neighbours[:, :NEAREST].sum(1, keepdim=True)
        activity = torch.sub(total, neighbours[:, :ACTIVE], alpha=NEAREST).abs_().sum(1)
        found = torch.addmm(self.half, neighbours.double(), self.coefficients).view(-1, _GROUPS, CLASSES)
        classes = found.gather(1, before.view(-1, 1, 1).expand(-1, 1, CLASSES)).squeeze(1)
        classes = classes.floor_().clamp_(0, self.largest << SUBVOXEL_BITS)
        own = (activity.unsqueeze(1) >= self.thresholds.index_select(0, before)).sum(1, keepdim=True)
        scale = torch.searchsorted(self.activity_thresholds, activity, right=True)
        return Look(total, scale, classes, classes.gather(1, own))

    def distributions(self, around: Tensor, look: Look, before: Tensor) -> tuple[Tensor, Tensor]:
        """Centres in 1/32 units and width levels, int64 (voxel,).

        Args:
            around: all columns of ``TileTensors.around``. look: at the same voxels. before: as for ``look``.
        """
        inputs = self._inputs(around, look, before)
        hidden = _activation(torch.addmm(self.first_bias.index_select(0, before), inputs, self.first))
        second = _activation(torch.addmm(self.second_bias, hidden, self.second))
        straight = torch.addmm(self.head_bias.index_select(0, before), inputs, self.skip)
        answer = torch.addmm(straight, hidden.add_(second), self.head)
        moved = torch.addcmul(self.half, answer.double(), self.answer_factors.index_select(0, look.scale)).floor_()
        centre = (moved[:, 0] + look.centre.squeeze(1)).clamp_(0, self.largest << SUBVOXEL_BITS)
        level = moved[:, 1].long() + 2 * look.scale + FIRST_LEVEL
        return centre.long(), level.clamp_(0, WIDTH_LEVELS - 1)

    def _inputs(self, around: Tensor, look: Look, before: Tensor) -> Tensor:
        """Inputs of the network, float32 (voxel, input), as ``contexts.network_inputs``."""
        errors = around[:, -len(self.hood.residuals) :]
        apart = torch.add(look.total.neg(), around[:, : len(self.hood.voxels)], alpha=NEAREST)
        mean = look.total.double().mul_(32 / NEAREST).add_(0.5).floor_()
        linear = torch.cat([look.centre - mean, look.classes - look.centre], 1).float()
        scaled = torch.cat([apart, errors, linear], 1)
        limit = self.limits.index_select(0, look.scale)
        factor = self.factors.index_select(0, before * scales.LEVELS + look.scale)
        scaled = torch.clamp(scaled, -limit, limit).mul_(factor).add_(0.5).floor_()
        energy = torch.mm(errors.abs(), self.energy_weights).gather(1, before.unsqueeze(1))
        level = torch.searchsorted(self.energy_thresholds, energy, right=True)
        sides = torch.cat([2 * look.scale.unsqueeze(1), level], 1) - 16
        return torch.cat([scaled, sides.float()], 1)


def errors_of(values: Tensor, look: Look) -> Tensor:
    """Linear errors of known voxels (voxel,), float32, 1/32 units, within what the energy is made for."""
    errors = (1 << SUBVOXEL_BITS) * values.double() - look.centre.squeeze(1)
    return errors.clamp_(-scales.ENERGY_LIMIT, scales.ENERGY_LIMIT).float()


@lru_cache(maxsize=4)
def predictor(model: Model, reference: bool, device: torch.device) -> Predictor:
    """The model on a device, kept for the other tiles of its image."""
    return Predictor(model, reference, device)


def _activation(sums: Tensor) -> Tensor:
    """Sums in 2^-4, the half for rounding added, to activations, in place."""
    return sums.floor_().clamp_(0, ACTIVATION_LIMIT)


def _scaling(hood: Neighbourhood) -> tuple[np.ndarray, np.ndarray]:
    """Limits (scale, column) of scaled inputs and their factors (slices before x scale, column).

    Columns: neighbours, linear errors, linear predictions. What a voxel does not have gets the factor 0.
    """
    own, previous, voxels = len(hood.own), len(hood.own) + len(hood.previous), len(hood.voxels)
    columns = voxels + len(hood.residuals) + SIDE_INPUTS - 2
    limits = np.empty((scales.LEVELS, columns))
    factors = np.empty((_GROUPS, scales.LEVELS, columns))
    limits[:, :voxels], limits[:, voxels:] = scales.DIFFERENCE_LIMITS[:, None], scales.SUBVOXEL_LIMITS[:, None]
    unit = 2.0**-scales.RECIPROCAL_BITS
    factors[:, :, :voxels] = scales.DIFFERENCE_FACTORS[:, None] * unit
    factors[:, :, voxels:] = scales.SUBVOXEL_FACTORS[:, None] * unit
    factors[0, :, own:voxels] = 0
    factors[0, :, voxels + len(hood.residuals_own) : voxels + len(hood.residuals)] = 0
    factors[1, :, previous:voxels] = 0
    return limits, factors.reshape(-1, columns)


def _energy_weights(hood: Neighbourhood) -> np.ndarray:
    """Weights of absolute linear errors (neighbour, slices before)."""
    weights = np.repeat(scales.energy_weights(hood.residuals)[:, np.newaxis], _GROUPS, axis=1)
    weights[: len(hood.residuals_own), 0] *= 2
    weights[len(hood.residuals_own) :, 0] = 0
    return weights


def _answer_factors() -> np.ndarray:
    """Factors (scale, output) from the network's outputs to 1/32 units and to width levels."""
    return np.stack([scales.CENTRE_FACTORS * CENTRE_SHIFT, np.full(scales.LEVELS, LEVEL_SHIFT)], axis=1)
