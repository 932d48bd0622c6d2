"""The network in integers: the same answer from numpy, torch or a compiled loop, on any device, in any order.

Inputs, activations and weights are integers held in float32; no sum of products can reach 2^24, which is
checked when the weights are loaded, so every order of summation is exact (Jacob et al., CVPR 2018, for
inference in integers; float32 as their carrier because every BLAS has it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CorruptStreamError
from .scales import INPUT_LIMIT

WEIGHT_BITS = 8
"""Weights are in 2^-8."""
SUM_BITS = 12
"""Sums of products are in 2^-12: inputs in 2^-4 times weights."""
ACTIVATION_LIMIT = 255
LARGEST_WEIGHT = 2047
EXACT = 1 << 24
OUTPUTS = 2
"""Shift of the centre in local scales, and log2 of the width over the local scale."""
SIDE = 6
"""Inputs that are the same for many voxels: four facts of the image, and two that tell how many slices lie before."""


@dataclass(frozen=True, eq=False)
class NetworkWeights:
    """All numbers of a network, int32 arrays.

    Attributes:
        first: (input + SIDE, hidden). first_bias: (hidden,).
        second: (hidden, hidden). second_bias: (hidden,).
        head: (hidden, OUTPUTS). head_bias: (OUTPUTS,).
        skip: (input + SIDE, OUTPUTS), straight from inputs to outputs.
    """

    first: np.ndarray
    first_bias: np.ndarray
    second: np.ndarray
    second_bias: np.ndarray
    head: np.ndarray
    head_bias: np.ndarray
    skip: np.ndarray

    @property
    def inputs(self) -> int:
        """Inputs that differ from voxel to voxel."""
        return len(self.first) - SIDE

    @property
    def hidden(self) -> int:
        """Units of each layer."""
        return len(self.second)

    @staticmethod
    def names() -> tuple[str, ...]:
        """Names of the attributes, in their order."""
        return "first", "first_bias", "second", "second_bias", "head", "head_bias", "skip"

    def arrays(self) -> tuple[np.ndarray, ...]:
        """All arrays, in the order of the attributes."""
        return (
            self.first, self.first_bias, self.second, self.second_bias, self.head, self.head_bias, self.skip,
        )  # fmt: skip

    def check(self) -> None:
        """Raise CorruptStreamError unless no sum can leave the integers that float32 holds."""
        hidden, inputs = self.hidden, len(self.first)
        shapes = [
            (inputs, hidden),
            (hidden,),
            (hidden, hidden),
            (hidden,),
            (hidden, OUTPUTS),
            (OUTPUTS,),
            (inputs, OUTPUTS),
        ]
        if [array.shape for array in self.arrays()] != shapes:
            raise CorruptStreamError("The weights of the network do not fit one another.")
        # In doubles, where no integer of 32 bits has an absolute value that it cannot hold.
        first, first_bias, second, second_bias, head, head_bias, skip = (
            np.abs(array.astype(np.float64)) for array in self.arrays()
        )
        sums = (
            INPUT_LIMIT * first.sum(axis=0) + first_bias,
            ACTIVATION_LIMIT * second.sum(axis=0) + second_bias,
            2 * ACTIVATION_LIMIT * head.sum(axis=0) + INPUT_LIMIT * skip.sum(axis=0) + head_bias,
        )
        half = 1 << (WEIGHT_BITS - 1)
        if max(float(part.max()) for part in sums) + half >= EXACT:
            raise CorruptStreamError("The weights of the network are too large to be exact.")


class Network:
    """A network ready to run on the voxels of one image.

    Args:
        side: four integers within INPUT_LIMIT, the facts of the image.
    """

    def __init__(self, weights: NetworkWeights, side: np.ndarray) -> None:
        weights.check()
        if len(side) != SIDE - 2 or np.abs(side).max() > INPUT_LIMIT:
            raise CorruptStreamError("The facts of the image are not what the network was proved exact for.")
        count = weights.inputs
        whole = np.array([[*side, 16 * (before == 0), 16 * (before == 1)] for before in range(3)], np.int64)
        as_float = [np.ascontiguousarray(array, dtype=np.float32) for array in weights.arrays()]
        self.first, _, self.second, self.second_bias, self.head, _, self.skip = as_float
        self.first, self.skip = self.first[:count], self.skip[:count]
        # Facts and flags are constant over many voxels: they become biases, one for each number of slices before.
        self.first_bias = (whole @ weights.first[count:] + weights.first_bias).astype(np.float32)
        self.head_bias = (whole @ weights.skip[count:] + weights.head_bias).astype(np.float32)

    def __call__(self, inputs: np.ndarray, before: int | np.ndarray) -> np.ndarray:
        """Outputs (voxel, OUTPUTS), float32 holding integers in 2^-SUM_BITS.

        Args:
            inputs: float32 (voxel, input), integers within INPUT_LIMIT.
            before: how many slices lie before, at most 2: one for all, or one a voxel.
        """
        hidden = inputs @ self.first
        hidden += self.first_bias[before]
        _activate(hidden)
        second = hidden @ self.second
        second += self.second_bias
        _activate(second)
        hidden += second
        return np.asarray(hidden @ self.head + (inputs @ self.skip + self.head_bias[before]))


def _activate(sums: np.ndarray) -> None:
    """Sums of products to activations in 2^-4, in place: rounded half up, from 0 to ACTIVATION_LIMIT."""
    sums *= np.float32(2.0**-WEIGHT_BITS)
    sums += np.float32(0.5)
    np.floor(sums, out=sums)
    np.maximum(sums, np.float32(0), out=sums)
    np.minimum(sums, np.float32(ACTIVATION_LIMIT), out=sums)


def weights_from_floats(arrays: dict[str, Any]) -> NetworkWeights:
    """Weights rounded to integers from arrays of floats, biases in units of 1."""

    def whole(name: str, bits: int, limit: int) -> np.ndarray:
        rounded = np.floor(np.asarray(arrays[name], np.float64) * 2.0**bits + 0.5)
        return np.clip(rounded, -limit, limit).astype(np.int32)

    return NetworkWeights(
        *(
            whole(
                name,
                SUM_BITS if name.endswith("bias") else WEIGHT_BITS,
                EXACT if name.endswith("bias") else LARGEST_WEIGHT,
            )
            for name in NetworkWeights.names()
        )
    )
