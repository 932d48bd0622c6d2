"""The network in floats that behaves as the integers will: what training and adaptation change.

Source: quantisation in training with a straight-through gradient (Jacob et al., CVPR 2018; Bengio et al. 2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from . import scales
from .linear import SUBVOXEL_BITS
from .network import (
    ACTIVATION_LIMIT,
    LARGEST_WEIGHT,
    OUTPUTS,
    SIDE,
    SUM_BITS,
    WEIGHT_BITS,
    NetworkWeights,
    weights_from_floats,
)

LEAST_PROBABILITY = 1e-6
_WIDEST, _NARROWEST = 13.0, -5.0
_HALF_SCALE = 1.0
"""Without an answer of the network, the width is half the local scale."""


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        return torch.floor(values + 0.5)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient


def _rounded(values: Tensor, bits: int, limit: int, step: int = 1, base: Tensor | None = None) -> Tensor:
    """To multiples of ``step`` x 2^-bits, counted from ``base``."""
    one = (1 << bits) / step
    if base is None:
        rounded: Tensor = _Round.apply(values * one)
        return rounded.clamp(-limit, limit) / one
    rounded = _Round.apply((values - base) * one)
    return base + rounded / one


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples as tensors of one length.

    Attributes:
        inputs: (voxel, input + SIDE), in local scales. centre: linear prediction, voxel units.
        scale: log2 of the local scale. values, largest: voxel units.
    """

    inputs: Tensor
    centre: Tensor
    scale: Tensor
    values: Tensor
    largest: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def chosen(self, which: Tensor | slice) -> Batch:
        """Some of the samples, in float32."""
        return Batch(*(part[which].float() for part in self.parts()))

    def parts(self) -> tuple[Tensor, ...]:
        """The tensors in the order of the attributes."""
        return self.inputs, self.centre, self.scale, self.values, self.largest

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(part.to(device) for part in self.parts()))

    @classmethod
    def joined(cls, batches: list[Batch]) -> Batch:
        """All samples of some batches."""
        return cls(*(torch.cat(parts) for parts in zip(*(batch.parts() for batch in batches), strict=True)))


def batch_of(
    inputs: np.ndarray,
    facts: np.ndarray,
    before: np.ndarray,
    centre: np.ndarray,
    scale: np.ndarray,
    values: np.ndarray,
    largest: int,
) -> Batch:
    """Tensors of what ``dataset.Samples`` describes; inputs in half precision, which holds them exactly."""
    count, one = len(values), float(1 << scales.INPUT_BITS)
    side = np.concatenate([np.tile(facts, (count, 1)), 16 * (before[:, np.newaxis] == np.arange(2))], axis=1)
    both = np.concatenate([inputs, side], axis=1)
    return Batch(
        (torch.from_numpy(both.astype(np.float32)) / one).half(),
        torch.from_numpy(np.asarray(centre, np.float32) / (1 << SUBVOXEL_BITS)),
        torch.from_numpy((np.asarray(scale, np.float32) + scales.LOWEST) / 2),
        torch.from_numpy(np.asarray(values, np.float32)),
        torch.full((count,), float(largest)),
    )


class TrainableNetwork(nn.Module):
    """Linear and hidden layers as NetworkWeights has them; every pass rounds weights and activations alike.

    Args:
        steps, base: a weight is rounded to multiples of the step of its array, counted from the base's; by default
            to whole numbers.
    """

    def __init__(
        self, inputs: int, hidden: int, steps: dict[str, int] | None = None, base: dict[str, Tensor] | None = None
    ) -> None:
        super().__init__()
        self._steps, self._base = steps or dict.fromkeys(NetworkWeights.names(), 1), base
        self.first = nn.Linear(inputs + SIDE, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.head = nn.Linear(hidden, OUTPUTS)
        self.skip = nn.Linear(inputs + SIDE, OUTPUTS, bias=False)
        for layer in (self.head, self.skip):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (voxel, OUTPUTS): shift in scales, log2 of the width over the scale."""
        hidden = _activation(self._layer("first", inputs))
        hidden = hidden + _activation(self._layer("second", hidden))
        return self._layer("head", hidden) + self._layer("skip", inputs)

    def _layer(self, name: str, inputs: Tensor) -> Tensor:
        layer, base = getattr(self, name), self._base or {}
        weight = _rounded(layer.weight, WEIGHT_BITS, LARGEST_WEIGHT, self._steps[name], base.get(f"{name}.weight"))
        if layer.bias is None:
            return functional.linear(inputs, weight)
        bias = _rounded(layer.bias, SUM_BITS, 1 << 23, self._steps[f"{name}_bias"], base.get(f"{name}.bias"))
        return functional.linear(inputs, weight, bias)

    def keep_hidden_layers(self) -> None:
        """From now on only the last layer changes."""
        for layer in (self.first, self.second):
            layer.requires_grad_(False)

    def bits(self, batch: Batch) -> Tensor:
        """Ideal code length of each voxel, in bits.

        A discretised logistic (Salimans et al., PixelCNN++, ICLR 2017); what it has below 0 and above the
        largest value belongs to 0 and to the largest value.
        """
        shift, width = self(batch.inputs).unbind(1)
        centre = torch.minimum(torch.relu(batch.centre + shift * torch.exp2(batch.scale)), batch.largest)
        over = torch.exp2(-(batch.scale - _HALF_SCALE + width).clamp(_NARROWEST, _WIDEST))
        never = torch.full_like(centre, 1e9)
        above = torch.where(batch.values == batch.largest, never, batch.values - centre + 0.5) * over
        below = torch.where(batch.values == 0, -never, batch.values - centre - 0.5) * over
        # On the negative side differences of the logistic keep their digits.
        mirrored = above + below > 0
        high, low = torch.where(mirrored, -below, above), torch.where(mirrored, -above, below)
        mass = torch.sigmoid(high) - torch.sigmoid(low)
        tail = torch.exp(high.clamp(min=-60)) * -torch.expm1((low - high).clamp(min=-60))
        mass = torch.where(mass < 1e-5, tail, mass)
        return -torch.log2(mass * (1 - 1e-4) + LEAST_PROBABILITY)

    def weights(self) -> NetworkWeights:
        """The integers."""
        found = {
            "first": self.first.weight.T, "first_bias": self.first.bias, "second": self.second.weight.T,
            "second_bias": self.second.bias, "head": self.head.weight.T, "head_bias": self.head.bias,
            "skip": self.skip.weight.T,
        }  # fmt: skip
        return weights_from_floats({name: array.detach().cpu().numpy() for name, array in found.items()})

    @classmethod
    def of(cls, weights: NetworkWeights, steps: dict[str, int] | None = None) -> TrainableNetwork:
        """A network that starts from integers, and is rounded to steps from them."""
        network = cls(weights.inputs, weights.hidden)
        with torch.no_grad():
            for layer, name in ((network.first, "first"), (network.second, "second"), (network.head, "head")):
                layer.weight.copy_(torch.from_numpy(getattr(weights, name).T / float(1 << WEIGHT_BITS)))
                layer.bias.copy_(torch.from_numpy(getattr(weights, f"{name}_bias") / float(1 << SUM_BITS)))
            network.skip.weight.copy_(torch.from_numpy(weights.skip.T / float(1 << WEIGHT_BITS)))
        network._steps = steps or network._steps
        network._base = {name: tensor.detach().clone() for name, tensor in network.named_parameters()}
        return network

    def to(self, *arguments: Any, **options: Any) -> TrainableNetwork:
        """On a device, the base too."""
        super().to(*arguments, **options)
        if self._base is not None:
            self._base = {name: tensor.to(*arguments, **options) for name, tensor in self._base.items()}
        return self


def _activation(sums: Tensor) -> Tensor:
    return _rounded(sums.clamp(0, ACTIVATION_LIMIT / 16), SUM_BITS - WEIGHT_BITS, ACTIVATION_LIMIT)
