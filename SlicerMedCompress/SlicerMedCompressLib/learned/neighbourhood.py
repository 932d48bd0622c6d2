"""Which voxels a voxel is predicted from, and the order in which that lets voxels be decoded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

Offset = tuple[int, int, int]
"""(slice, row, column) of a neighbour relative to the voxel."""

NEAREST = 6
"""So many first neighbours of the own slice make the local mean."""
ACTIVE = 18
"""So many first neighbours of the own slice make the local activity."""


@dataclass(frozen=True)
class Neighbourhood:
    """Causal neighbours: in the own slice above and to the left, in the two slices before all around.

    Attributes:
        own, previous, before: neighbours in the own slice, the one before it, and the one before that,
            nearest first.
        reference: neighbours in the frame before (all of it is known): offsets around the same place.
        residuals_own, residuals_previous: where the errors of the linear prediction are looked at.
    """

    own: tuple[Offset, ...]
    previous: tuple[Offset, ...]
    before: tuple[Offset, ...]
    reference: tuple[Offset, ...]
    residuals_own: tuple[Offset, ...]
    residuals_previous: tuple[Offset, ...]

    @property
    def voxels(self) -> tuple[Offset, ...]:
        """Neighbours whose values are inputs of the network."""
        return self.own + self.previous + self.before

    @property
    def residuals(self) -> tuple[Offset, ...]:
        """Neighbours whose linear errors are inputs of the network."""
        return self.residuals_own + self.residuals_previous

    @property
    def reach(self) -> int:
        """Largest distance along a row or a column."""
        return max(max(abs(row), abs(column)) for _, row, column in self.voxels + self.residuals + self.reference)

    @property
    def skew(self) -> tuple[int, int]:
        """Factors (row, slice) of the plane ``column + row factor x row + slice factor x slice``.

        The smallest for which every neighbour lies on an earlier plane; they follow from the reach.
        """
        causal = self.voxels + self.residuals
        per_row = max(-(-(column + 1) // -row) for part, row, column in causal if part == 0 and row < 0)
        per_slice = max(-(-(column + per_row * row + 1) // -part) for part, row, column in causal if part < 0)
        return max(per_row, 1), max(per_slice, 1)


def _disc(part: int, squared_radius: int, causal: bool = False) -> tuple[Offset, ...]:
    """Offsets in a slice within a radius, nearest first; of the own slice only those decoded before."""
    found = []
    for row in range(-6, 1 if causal else 7):
        for column in range(-6, 7):
            distance = row * row + column * column
            if distance <= squared_radius and (not causal or row < 0 or column < 0):
                found.append((distance, (part, row, column)))
    return tuple(offset for _, offset in sorted(found))


@lru_cache(maxsize=1)
def standard_neighbourhood() -> Neighbourhood:
    """The neighbourhood of streams of version 1: radius 4 in the slice, 2.8 and 1.4 in the slices before.

    Without the voxel 4 to the right in the row above, which alone would make every tile a sixth more planes.
    """
    own = tuple(offset for offset in _disc(0, 18, causal=True) if offset != (0, -1, 4) and offset[2] >= -4)
    return Neighbourhood(
        own=own,
        previous=_disc(-1, 8),
        before=_disc(-2, 2),
        reference=_disc(0, 4),
        residuals_own=_disc(0, 5, causal=True),
        residuals_previous=_disc(-1, 2),
    )
