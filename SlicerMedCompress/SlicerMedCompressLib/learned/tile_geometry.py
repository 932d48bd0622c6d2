"""Where the voxels of a tile lie in memory, in which order they are decoded, and what stands beyond its edges.

A tile (slice, row, column) lies in a padded volume, so that every neighbour of every voxel is an address:

    slices before the first                                  never used: inputs of absent slices are zero
    rows above the first          the first row of the slice before; a constant in the first slice
    columns left of the first     the first voxel of the row above
    columns right of the last     the last voxel of the row
    rows below the last           the last row (only later slices look there)

Every voxel of the padding is a copy of one that was decoded before anything looks at it.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .neighbourhood import Neighbourhood, Offset

Shape = tuple[int, int, int]
SLICES_BEFORE = 2


@dataclass(frozen=True, eq=False)
class TileGeometry:
    """Addresses and order of one shape of tile.

    Attributes:
        shape, padded_shape: (slice, row, column).
        order: addresses of the voxels, plane after plane, within a plane in C order.
        plane_starts: index into ``order`` where each plane begins, and the end.
        slices: slice of each voxel of ``order``, at most SLICES_BEFORE: how many slices lie before it.
        edge, edge_source: addresses of padding and of the voxels they copy, in the order these are decoded.
        edge_starts: index into ``edge`` for each plane, and the end.
        constant: addresses of padding that hold a constant.
    """

    shape: Shape
    padded_shape: Shape
    order: np.ndarray
    plane_starts: np.ndarray
    slices: np.ndarray
    edge: np.ndarray
    edge_source: np.ndarray
    edge_starts: np.ndarray
    constant: np.ndarray

    @property
    def planes(self) -> int:
        """How many batches decode the tile."""
        return len(self.plane_starts) - 1

    def steps(self, offsets: tuple[Offset, ...]) -> np.ndarray:
        """What to add to an address to come to each neighbour."""
        _, rows, columns = self.padded_shape
        return np.array([(part * rows + row) * columns + column for part, row, column in offsets], np.int32)

    def padded(self, block: np.ndarray, constant: int) -> np.ndarray:
        """The padded volume of a tile, flat, float32, padding filled as a decoder has it in the end."""
        flat = self.blank(constant)
        self.unpadded(flat)[...] = block
        flat[self.edge] = flat[self.edge_source]
        return flat

    def blank(self, constant: int) -> np.ndarray:
        """A padded volume, flat, float32, of which nothing is known but the constant."""
        flat = np.zeros(math.prod(self.padded_shape), np.float32)
        flat[self.constant] = constant
        return flat

    def unpadded(self, flat: np.ndarray) -> np.ndarray:
        """View of the tile in a padded volume."""
        reach = (self.padded_shape[2] - self.shape[2]) // 2
        volume = flat.reshape(self.padded_shape)
        depth, rows, columns = self.shape
        return volume[SLICES_BEFORE : SLICES_BEFORE + depth, reach : reach + rows, reach : reach + columns]


_lock = threading.Lock()


def tile_geometry(shape: Shape, neighbourhood: Neighbourhood) -> TileGeometry:
    """The geometry of tiles of this shape, kept for the next ones."""
    # One at a time: threads that begin together would all make the same, of some 30 bytes a voxel.
    with _lock:
        return _tile_geometry(shape, neighbourhood)


@lru_cache(maxsize=4)
def _tile_geometry(shape: Shape, neighbourhood: Neighbourhood) -> TileGeometry:
    depth, rows, columns = shape
    reach = neighbourhood.reach
    padded_shape = (depth + SLICES_BEFORE, rows + 2 * reach, columns + 2 * reach)
    per_row, per_slice = neighbourhood.skew
    part, row, column = np.ogrid[:depth, :rows, :columns]
    plane = (column + per_row * row + per_slice * part).astype(np.int32).reshape(-1)
    voxels = np.bincount(plane)
    edge, source, source_plane, constant = _edges(shape, padded_shape, reach, (per_row, per_slice))
    edges = np.bincount(source_plane, minlength=len(voxels))
    # Of thin tiles some planes have no voxels, and so no padding that copies them; they are left out.
    occurring = voxels > 0
    sorting = np.argsort(plane, kind="stable").astype(np.int32)
    by_plane = np.argsort(source_plane, kind="stable")
    return TileGeometry(
        shape,
        padded_shape,
        _address(part, row, column, padded_shape, reach).reshape(-1)[sorting],
        _starts(voxels[occurring]),
        np.minimum(sorting // (rows * columns), SLICES_BEFORE).astype(np.int8),
        edge[by_plane],
        source[by_plane],
        _starts(edges[occurring]),
        constant,
    )


def _address(part: np.ndarray, row: np.ndarray, column: np.ndarray, padded_shape: Shape, reach: int) -> np.ndarray:
    _, rows, columns = padded_shape
    return np.asarray(((part + SLICES_BEFORE) * rows + (row + reach)) * columns + (column + reach), dtype=np.int32)


def _starts(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)])


def _edges(
    shape: Shape, padded_shape: Shape, reach: int, skew: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Addresses of the padding, of its sources, the planes of these, and the addresses that hold a constant."""
    depth, rows, columns = shape
    part, row, column = (axis.reshape(-1) for axis in np.indices((depth, *padded_shape[1:]), np.int32))
    row, column = row - reach, column - reach
    outside = (row < 0) | (row >= rows) | (column < 0) | (column >= columns)
    part, row, column = part[outside], row[outside], column[outside]
    address = _address(part, row, column, padded_shape, reach)
    # Left of a row stands the first voxel of the row above it, which may itself be above the first row.
    source_row = np.where((column < 0) & (row < rows), row - 1, row)
    source_part = np.where(source_row < 0, part - 1, part)
    source_row, source_column = np.clip(source_row, 0, rows - 1), np.clip(column, 0, columns - 1)
    known = source_part >= 0
    sources = (source_part[known], source_row[known], source_column[known])
    plane = sources[2] + skew[0] * sources[1] + skew[1] * sources[0]
    return address[known], _address(*sources, padded_shape, reach), plane, address[~known]
