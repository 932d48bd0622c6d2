"""What a file says about its image beside the tiles: everything that turns known voxels into distributions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .distributions import DistributionTable
from .linear import LinearSet
from .neighbourhood import Neighbourhood, standard_neighbourhood
from .network import Network, NetworkWeights


@dataclass(frozen=True, eq=False)
class Model:
    """The codec fitted to one image.

    Attributes:
        weights: shipped, or adapted to the image. base: the shipped ones. facts: side inputs of the network.
        sets: linear predictions for 0, 1, 2 slices before. reference_sets: the same for voxels with a frame
            before, or empty. choices: of distributions, see DistributionTable.
        largest: greatest value of the coded integers.
    """

    weights: NetworkWeights
    base: NetworkWeights
    facts: np.ndarray
    sets: tuple[LinearSet, ...]
    reference_sets: tuple[LinearSet, ...]
    choices: np.ndarray
    largest: int

    @property
    def neighbourhood(self) -> Neighbourhood:
        """Where voxels are predicted from."""
        return standard_neighbourhood()

    @cached_property
    def network(self) -> Network:
        """The network, its sums proved exact."""
        return Network(self.weights, self.facts)

    @cached_property
    def table(self) -> DistributionTable:
        """The distributions."""
        return DistributionTable.of(self.choices)

    def sets_for(self, reference: np.ndarray | None) -> tuple[LinearSet, ...]:
        """Linear predictions for tiles with or without a frame before."""
        return self.sets if reference is None else self.reference_sets

    @property
    def value_bits(self) -> int:
        """Width of a value that follows an escape."""
        return max(1, self.largest.bit_length())
