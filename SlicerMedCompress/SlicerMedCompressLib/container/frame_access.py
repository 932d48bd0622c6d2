"""Which tiles hold a frame of a sequence, and which other frames its decoding needs or brings along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..tiling import Grid, Region, Span
from .frame_order import FrameOrder


@dataclass(frozen=True)
class FrameAccess:
    """Frames as they are in a file.

    Attributes:
        grid: of the coded axes. order: which frames a frame is coded after.
        over_time: whether time was coded in the place of slices, see ``coding_axes``.
    """

    grid: Grid
    order: FrameOrder
    over_time: bool

    def needed(self, frame: int) -> frozenset[int]:
        """The frames that may have to be decoded to see one, it among them."""
        return frozenset({frame}) if self.over_time else self.order.needed(frame)

    def decoded_with(self, frame: int) -> Span:
        """The frames that cost nothing more once this one is decoded: half-open, it among them.

        Those in the same tiles where time was coded in the place of slices; those that it follows where a codec
        looks at the frame before.
        """
        if self.over_time:
            slab = next(self.grid.slabs_touching(Region(0, (frame, frame + 1), (0, 1), (0, 1))))
            return self.grid.tiles_of_slab(slab)[0].slices
        return (frame if self.order.hierarchical else frame - frame % self.order.group, frame + 1)

    def boxes(self, frames: Span, slices: Span, rows: Span, columns: Span) -> list[Region]:
        """The boxes along the coded axes that make a box of some frames, in order, all of one shape."""
        outer, inner = (slices, frames) if self.over_time else (frames, slices)
        return [Region(number, inner, rows, columns) for number in range(*outer)]

    def tiles(self, box: Region) -> Iterator[tuple[int, int, Region]]:
        """The tiles that hold some of a box along the coded axes: slab, number in it, and where it is."""
        for slab in self.grid.slabs_touching(box):
            for number, tile in enumerate(self.grid.tiles_of_slab(slab)):
                if tile.intersection(box):
                    yield slab, number, tile
