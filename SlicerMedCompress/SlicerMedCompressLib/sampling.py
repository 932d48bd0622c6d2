"""Coding a few tiles to learn what coding all of them would give."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from .container import Plan
from .errors import EncodingError
from .image import Image
from .parallel import ordered_map
from .progress import Progress
from .tiling import Grid, Region, TileShape, grid_for
from .tolerance import Deviation

SAMPLED_TILES = 4
SAMPLED_TILE = TileShape(8, 128, 128)
LARGE_SAMPLES = 2
LARGE_SAMPLE = TileShape(16, 256, 256)
"""Transforms and video need more of an image around them than predictors do."""
MANY_TILES = 4
LARGE_TILE = 1 << 18
"""Voxels of a tile from which a codec counts among those."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The same regions, evenly from the whole image, for every plan that is measured on it.

    Attributes:
        share: part of the image's voxels that they are.
    """

    image: Image
    regions: tuple[Region, ...]
    share: float

    @classmethod
    def of(cls, image: Image, tile: TileShape, count: int = SAMPLED_TILES) -> Sample:
        """Up to ``count`` regions of about the size of a tile."""
        regions = sampled_regions(grid_for(image.voxels.shape[:4], tile), count)
        share = sum(_count(region) for region in regions) / (image.voxels.size // image.voxels.shape[-1])
        return cls(image, tuple(regions), share)

    @classmethod
    def large_if_needed(cls, image: Image, plans: Sequence[Plan]) -> Sample:
        """A sample that is fair to all the plans' codecs, and no larger than that."""
        if max(plan.codec.tile.voxels for plan in plans) > LARGE_TILE:
            return cls.of(image, LARGE_SAMPLE, LARGE_SAMPLES)
        return cls.of(image, SAMPLED_TILE)

    def measure(self, plans: Sequence[Plan], pool: Executor, progress: Progress) -> list[Outcome]:
        """What each plan makes of the sample; what it stores once for the image counts in proportion."""
        jobs = [(number, region) for number in range(len(plans)) for region in self.regions]
        found = [Outcome(_parameter_bytes(plan) * self.share, Deviation()) for plan in plans]
        measured = ordered_map(pool, lambda job: self._coded(plans[job[0]], job[1]), jobs, len(jobs))
        for done, ((number, _), outcome) in enumerate(zip(jobs, measured, strict=True), 1):
            found[number] += outcome
            progress.report(done / len(jobs), "Choosing a codec")
        return found

    def smallest(self, plans: Sequence[Plan], pool: Executor, progress: Progress) -> Plan:
        """The plan of the fewest bytes; one whose codec fails on a region is out, unless all fail."""
        if len(plans) == 1:
            return plans[0]
        sizes = [outcome.size for outcome in self.measure(plans, pool, progress)]
        if min(sizes) == math.inf:
            # Raises the reason of the first.
            plans[0].coder(self.image.voxels).encode(self.image.voxels, self.regions[0], plans[0].tolerance)
        return plans[sizes.index(min(sizes))]

    def _coded(self, plan: Plan, region: Region) -> Outcome:
        coder, found = plan.coder(self.image.voxels), Outcome(0.0, Deviation())
        for part in _tiles_of(region, plan.codec.tile):
            try:
                tile = coder.encode(self.image.voxels, part, plan.tolerance)
            except EncodingError:
                return Outcome(math.inf, Deviation())
            found += Outcome(sum(len(payload) for _, payload in tile.blocks), tile.deviation)
        return found


@dataclass(frozen=True)
class Outcome:
    """Bytes and errors of coded tiles; infinite bytes where the codec failed."""

    size: float
    deviation: Deviation

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.size + other.size, self.deviation + other.deviation)


def sampled_regions(grid: Grid, count: int = SAMPLED_TILES) -> list[Region]:
    """Up to ``count`` tiles: the middle of slabs evenly spread over the image."""
    count = min(count, grid.slab_count)
    slabs = sorted({(2 * part + 1) * grid.slab_count // (2 * count) for part in range(count)})
    regions = [grid.tiles_of_slab(slab) for slab in slabs]
    # Not always the centre of the image: steps through the tiles of the slab's middle third.
    return [
        tiles[(len(tiles) // 2 + step * (1 + grid.stripes // 4)) % len(tiles)] for step, tiles in enumerate(regions)
    ]


def _tiles_of(region: Region, tile: TileShape) -> list[Region]:
    """A region as a codec would cut it if it were an image: whole, unless it is much larger than its tiles."""
    if _count(region) < MANY_TILES * tile.voxels:
        return [region]
    grid, starts = grid_for((1, *region.shape), tile), (region.slices[0], region.rows[0], region.columns[0])
    return [
        Region(region.frame, *((start + span[0], start + span[1]) for start, span in zip(starts, spans, strict=True)))
        for slab in range(grid.slab_count)
        for part in grid.tiles_of_slab(slab)
        for spans in [(part.slices, part.rows, part.columns)]
    ]


def _count(region: Region) -> int:
    slices, rows, columns = region.shape
    return slices * rows * columns


def _parameter_bytes(plan: Plan) -> int:
    return len(json.dumps(plan.pipeline.to_json()))
