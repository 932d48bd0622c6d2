"""The values around every voxel of a tile, in its own slice's units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .neighbourhood import Neighbourhood
from .scales import ENERGY_LIMIT
from .tile_geometry import SLICES_BEFORE, Shape, TileGeometry, tile_geometry

GAIN_BITS = 12
LARGEST_GAIN = 1 << 20

Groups = Sequence[tuple[int, "np.ndarray | slice"]]


def gains_between(slopes: np.ndarray) -> np.ndarray:
    """Factors (slice, SLICES_BEFORE), in 2^-GAIN_BITS, that put the slices before a slice into its units.

    Args:
        slopes: rescale slope of each slice; integers of a slice times its slope are physical values.
    """
    found = np.empty((len(slopes), SLICES_BEFORE))
    for back in range(1, SLICES_BEFORE + 1):
        earlier = slopes[np.maximum(np.arange(len(slopes)) - back, 0)]
        with np.errstate(all="ignore"):
            ratio = np.nan_to_num(earlier / slopes, nan=1.0, posinf=1.0, neginf=1.0)
        found[:, back - 1] = np.floor(np.clip(ratio, 0, LARGEST_GAIN >> GAIN_BITS) * (1 << GAIN_BITS) + 0.5)
    return found


@dataclass(frozen=True, eq=False)
class TileValues:
    """A tile in its padded volume, with what it may look at.

    Attributes:
        values: float32, flat padded volume. reference: the same of the frame before, or None.
        gains: from ``gains_between``, or None where all slices have one slope.
        largest: greatest voxel value of the image.
    """

    geometry: TileGeometry
    neighbourhood: Neighbourhood
    values: np.ndarray
    reference: np.ndarray | None
    gains: np.ndarray | None
    largest: int

    @classmethod
    def of(
        cls,
        block: np.ndarray,
        neighbourhood: Neighbourhood,
        largest: int,
        reference: np.ndarray | None = None,
        slopes: np.ndarray | None = None,
    ) -> TileValues:
        """Of a tile (slice, row, column) of integers up to 65535."""
        geometry = tile_geometry(block.shape, neighbourhood)
        values = geometry.padded(block, int(block.flat[0]))
        return cls._over(geometry, neighbourhood, largest, values, reference, slopes)

    @classmethod
    def blank(
        cls,
        shape: Shape,
        neighbourhood: Neighbourhood,
        largest: int,
        first: int,
        reference: np.ndarray | None = None,
        slopes: np.ndarray | None = None,
    ) -> TileValues:
        """A tile that is to be decoded, of which the value of its first voxel is known."""
        geometry = tile_geometry(shape, neighbourhood)
        return cls._over(geometry, neighbourhood, largest, geometry.blank(first), reference, slopes)

    @classmethod
    def _over(
        cls,
        geometry: TileGeometry,
        neighbourhood: Neighbourhood,
        largest: int,
        values: np.ndarray,
        reference: np.ndarray | None,
        slopes: np.ndarray | None,
    ) -> TileValues:
        if slopes is not None and len(slopes) != geometry.shape[0]:
            raise ValueError(f"There are slopes of {len(slopes)} slices for a tile of {geometry.shape[0]}.")
        before = None if reference is None else geometry.padded(reference, int(reference.flat[0]))
        differ = slopes is not None and bool(np.any(slopes != slopes[0]))
        gains = gains_between(np.asarray(slopes, np.float64)) if slopes is not None and differ else None
        return cls(geometry, neighbourhood, values, before, gains, largest)

    @property
    def shape(self) -> Shape:
        """(slice, row, column) of the tile."""
        return self.geometry.shape

    @property
    def voxels(self) -> np.ndarray:
        """View of the tile (slice, row, column)."""
        return self.geometry.unpadded(self.values)

    def groups(self, which: slice | np.ndarray) -> Groups:
        """The voxels of a part of the order by how many slices lie before them."""
        before = self.geometry.slices[which]
        if before.size and before.min() == before.max():
            return [(int(before[0]), slice(None))]
        return [(number, rows) for number in range(SLICES_BEFORE + 1) if len(rows := np.flatnonzero(before == number))]

    def neighbours(self, which: slice | np.ndarray) -> np.ndarray:
        """Values of the neighbours, float32 (voxel, neighbour): own, previous, before, reference if there is one.

        Args:
            which: part of the geometry's order.
        """
        addresses = self.geometry.order[which][:, np.newaxis]
        hood = self.neighbourhood
        found: np.ndarray = self.values[addresses + self.geometry.steps(hood.voxels)]
        if self.gains is not None:
            own, previous = len(hood.own), len(hood.previous)
            gains = self.gains[self._slices(which)]
            self._gain(found[:, own : own + previous], gains[:, :1], 0, self.largest)
            self._gain(found[:, own + previous :], gains[:, 1:], 0, self.largest)
        if self.reference is not None:
            before = self.reference[addresses + self.geometry.steps(hood.reference)]
            found = np.concatenate([found, before], axis=1)
        return found

    def residuals(self, errors: np.ndarray, which: slice | np.ndarray) -> np.ndarray:
        """Linear errors of the residual neighbours, float32 (voxel, neighbour), from their padded volume."""
        hood = self.neighbourhood
        found: np.ndarray = errors[self.geometry.order[which][:, np.newaxis] + self.geometry.steps(hood.residuals)]
        if self.gains is not None:
            gains = self.gains[self._slices(which)]
            self._gain(found[:, len(hood.residuals_own) :], gains[:, :1], -ENERGY_LIMIT, ENERGY_LIMIT)
        return found

    def _slices(self, which: slice | np.ndarray) -> np.ndarray:
        _, rows, columns = self.geometry.padded_shape
        return np.asarray(self.geometry.order[which] // (rows * columns) - SLICES_BEFORE)

    @staticmethod
    def _gain(values: np.ndarray, gains: np.ndarray, lowest: int, highest: int) -> None:
        # In float64, because products reach 2^40.
        product = np.floor(values * gains * 2.0**-GAIN_BITS + 0.5)
        np.clip(product, lowest, highest, out=values, casting="unsafe")
