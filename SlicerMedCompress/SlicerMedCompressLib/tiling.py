"""Cutting an image into tiles that decode on their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

Span = tuple[int, int]
PART_SAMPLES = 1 << 17
THIN_TILE_VOXELS = 1 << 18
"""Voxels of a tile where an image has fewer slices than a tile likes: a CT slice is not cut."""
TALLEST_PICTURE = 32767
"""Most lines or columns of the picture that the slices of a tile make; JPEG knows no more than 65535."""
SMALL_VOLUME_VOXELS = 1 << 23
"""Up to this size a volume gets tiles twice as tall: all of it decodes in a moment, and fewer tiles are smaller."""


@dataclass(frozen=True)
class Region:
    """A box of one frame: half-open spans of slices, rows and columns; all components."""

    frame: int
    slices: Span
    rows: Span
    columns: Span

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns) of the box."""
        return tuple(stop - start for start, stop in (self.slices, self.rows, self.columns))  # type: ignore[return-value]

    def of(self, voxels: np.ndarray) -> np.ndarray:
        """View of the box in an array (frame, slice, row, column, component): 4D, without the frame."""
        return voxels[self.frame, slice(*self.slices), slice(*self.rows), slice(*self.columns)]

    def intersection(self, other: Region) -> Region | None:
        """The box common to both, or None."""
        if self.frame != other.frame:
            return None
        spans = [
            (max(a[0], b[0]), min(a[1], b[1]))
            for a, b in ((self.slices, other.slices), (self.rows, other.rows), (self.columns, other.columns))
        ]
        if any(start >= stop for start, stop in spans):
            return None
        return Region(self.frame, *spans)

    def relative_to(self, outer: Region) -> tuple[slice, slice, slice]:
        """Index of this box in an array that holds ``outer``."""
        pairs = ((self.slices, outer.slices), (self.rows, outer.rows), (self.columns, outer.columns))
        return tuple(slice(a[0] - b[0], a[1] - b[0]) for a, b in pairs)  # type: ignore[return-value]


@dataclass(frozen=True)
class TileShape:
    """The tile a codec likes on a large volume: slices, rows and columns."""

    slices: int
    rows: int
    columns: int

    @property
    def voxels(self) -> int:
        """Voxels in a full tile."""
        return self.slices * self.rows * self.columns


@dataclass(frozen=True)
class Grid:
    """A regular cut of every frame into ``slabs`` x ``bands`` x ``stripes`` tiles of nearly equal size.

    The i-th of n cuts of an axis of length L spans ``floor(L*i/n)`` to ``floor(L*(i+1)/n)``.
    """

    shape: tuple[int, int, int, int]
    slabs: int
    bands: int
    stripes: int

    def __post_init__(self) -> None:
        for length, parts in zip(self.shape[1:], (self.slabs, self.bands, self.stripes), strict=True):
            if not 1 <= parts <= length:
                raise ValueError(f"An axis of length {length} cannot be cut into {parts} parts.")

    @property
    def slab_count(self) -> int:
        """Slabs over all frames: the unit that is stored as one member of the file."""
        return self.shape[0] * self.slabs

    @property
    def tiles_in_slab(self) -> int:
        """Tiles in each slab."""
        return self.bands * self.stripes

    def tiles_of_slab(self, slab: int) -> list[Region]:
        """The tiles of a slab, rows of tiles first."""
        frame, part = divmod(slab, self.slabs)
        slices = _cut(self.shape[1], self.slabs, part)
        rows = [_cut(self.shape[2], self.bands, part) for part in range(self.bands)]
        columns = [_cut(self.shape[3], self.stripes, part) for part in range(self.stripes)]
        return [Region(frame, slices, *spans) for spans in product(rows, columns)]

    def slabs_touching(self, region: Region) -> Iterator[int]:
        """Numbers of the slabs that hold some of the region."""
        for part in range(self.slabs):
            start, stop = _cut(self.shape[1], self.slabs, part)
            if start < region.slices[1] and region.slices[0] < stop:
                yield region.frame * self.slabs + part


def _cut(length: int, parts: int, part: int) -> Span:
    return length * part // parts, length * (part + 1) // parts


def parts_of(tile: np.ndarray) -> Iterator[slice]:
    """Spans of the first axis of a tile that hold about PART_SAMPLES each, at least one slice.

    Arithmetic in doubles goes over a tile part by part: large temporary arrays cost page faults, which
    threads wait for one another to take.
    """
    step = max(1, PART_SAMPLES // max(1, tile[0].size))
    for start in range(0, len(tile), step):
        yield slice(start, min(start + step, len(tile)))


def grid_for(shape: tuple[int, int, int, int], tile: TileShape) -> Grid:
    """Cut (frame, slice, row, column) into tiles of about the size a codec likes.

    Where the image is thin or small, tiles grow along the other axes, so that it is not cut into
    crumbs whose headers cost more than they save.
    """
    slices, rows, columns = shape[1:]
    if slices * rows * columns <= SMALL_VOLUME_VOXELS:
        tile = TileShape(tile.slices, 2 * tile.rows, tile.columns)
    depth = min(slices, tile.slices)
    if rows * columns <= tile.rows * tile.columns:
        depth = min(slices, max(depth, tile.voxels // (rows * columns)))
    growth = 1.0
    if depth < tile.slices:
        growth = max(1.0, (max(THIN_TILE_VOXELS, tile.voxels) / (depth * tile.rows * tile.columns)) ** 0.5)
    height, width = min(int(tile.rows * growth), TALLEST_PICTURE), min(int(tile.columns * growth), TALLEST_PICTURE)
    bands = _parts(rows, height)
    depth = max(1, min(depth, TALLEST_PICTURE // -(-rows // bands)))
    return Grid(shape, _parts(slices, depth), bands, _parts(columns, width))


def _parts(length: int, size: int) -> int:
    # A rest of less than an eighth of a tile is shared among the others.
    return max(1, -(-length // max(size, 1)) if length % size * 8 >= size or length % size == 0 else length // size)
