"""Fitting a plan's codec to the image, where it is one that wants to be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .codecs import Block, FittedCodec
from .container import Plan
from .image import Image
from .progress import Progress
from .tiling import Grid, Region


@dataclass(frozen=True)
class Spread:
    """How much of an image is looked at: boxes of ``side`` rows and columns in at most ``tiles`` tiles."""

    tiles: int
    side: int


SILENT = Progress()
QUICKLY = Spread(12, 80)
THOROUGHLY = Spread(32, 128)


def fitted(image: Image, plan: Plan, device: str = "auto", progress: Progress = SILENT) -> Plan:
    """The plan with its codec fitted to the image, as is needed before it can code anything.

    Args:
        device: where a learned codec works, see ``learned.backends``. progress: to be cancelled by; it stays where
            it is, for this takes moments.
    """
    codec = plan.codec
    if not isinstance(codec, FittedCodec):
        return plan
    blocks, samples = _blocks(image, plan, QUICKLY), _samples(image, plan)
    return replace(plan, codec=codec.on_device(device).fitted(blocks, samples, _largest(image, plan, progress)))


def refined(image: Image, plan: Plan, progress: Progress) -> Plan:
    """The plan with its codec fitted as well as its setting allows."""
    codec = plan.codec
    if not isinstance(codec, FittedCodec):
        return plan
    return replace(plan, codec=codec.refined(_blocks(image, plan, THOROUGHLY), _samples(image, plan), progress))


def is_refined(plan: Plan) -> bool:
    """Whether refining takes time worth telling of."""
    return isinstance(plan.codec, FittedCodec) and bool(plan.codec.settings.get("effort"))


def _largest(image: Image, plan: Plan, progress: Progress) -> int:
    """Greatest integer that the codec will get."""
    coder, grid, largest = plan.coder(image.voxels), plan.grid, 0
    for slab in range(grid.slab_count):
        progress.report(0, "Fitting the codec to the image")
        largest = max(largest, *(int(coder.planes(image.voxels, tile).max()) for tile in grid.tiles_of_slab(slab)))
    return largest


def _samples(image: Image, plan: Plan) -> int:
    planes = plan.coder(image.voxels).plane_count
    return image.voxels[..., 0].size * planes


def _blocks(image: Image, plan: Plan, spread: Spread) -> list[Block]:
    """Boxes spread over the image, all of it where it is small, with what would be known beside each."""
    grid, rng = plan.grid, np.random.default_rng(0)
    tiles = [tile for slab in range(grid.slab_count) for tile in grid.tiles_of_slab(slab)]
    boxes = [box for tile in tiles for box in _boxes_of(tile, spread.side)]
    # Boxes with a frame before them and boxes without are fitted apart, so some of each are needed.
    coder = plan.coder(image.voxels)
    alone = [box for box in boxes if not coder.references_of(box)]
    following = [box for box in boxes if coder.references_of(box)]
    few = min(len(alone), max(1, spread.tiles // 3)) if following else spread.tiles
    chosen = [*_some(alone, few, rng), *_some(following, spread.tiles - few, rng)]
    return [block for box in chosen for block in _blocks_of(image, plan, box)]


def _some(boxes: list[Region], count: int, rng: np.random.Generator) -> list[Region]:
    # Not every n-th, which might be always the same place of the body.
    return [boxes[number] for number in sorted(map(int, rng.permutation(len(boxes))[:count]))]


def _boxes_of(tile: Region, side: int) -> list[Region]:
    """A tile in boxes of about ``side`` rows and columns."""
    grid = Grid((1, *tile.shape), 1, max(1, round(tile.shape[1] / side)), max(1, round(tile.shape[2] / side)))
    first = (tile.slices[0], tile.rows[0], tile.columns[0])
    return [
        Region(
            tile.frame,
            *(
                (start + span[0], start + span[1])
                for start, span in zip(first, (box.slices, box.rows, box.columns), strict=True)
            ),
        )
        for box in grid.tiles_of_slab(0)
    ]


def _blocks_of(image: Image, plan: Plan, region: Region) -> list[Block]:
    coder = plan.coder(image.voxels)
    planes, contexts = coder.planes(image.voxels, region), coder.contexts(image.voxels, region)
    return [Block(np.ascontiguousarray(planes[..., plane]), context) for plane, context in enumerate(contexts)]
