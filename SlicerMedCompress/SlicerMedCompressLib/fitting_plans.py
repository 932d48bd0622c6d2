"""Fitting a plan's codec to the image, where it is one that wants to be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .codecs import Block, FittedCodec
from .container import Plan
from .image import Image
from .progress import Progress
from .tiling import Region

MOST_VOXELS = 1 << 24
"""Tiles to fit to hold at most so many voxels: all of most volumes, evenly chosen ones of larger images."""
MOST_FITTED = 1 << 22
"""For the quick fit."""


def fitted(image: Image, plan: Plan, device: str = "auto") -> Plan:
    """The plan with its codec fitted to the image, as is needed before it can code anything.

    Args:
        device: where a learned codec works, see ``learned.backends``.
    """
    codec = plan.codec
    if not isinstance(codec, FittedCodec):
        return plan
    return replace(plan, codec=codec.on_device(device).fitted(_blocks(image, plan, MOST_FITTED), _samples(image, plan)))


def refined(image: Image, plan: Plan, progress: Progress) -> Plan:
    """The plan with its codec fitted as well as its setting allows."""
    codec = plan.codec
    if not isinstance(codec, FittedCodec):
        return plan
    return replace(plan, codec=codec.refined(_blocks(image, plan, MOST_VOXELS), _samples(image, plan), progress))


def is_refined(plan: Plan) -> bool:
    """Whether refining takes time worth telling of."""
    return isinstance(plan.codec, FittedCodec) and bool(plan.codec.settings.get("effort"))


def _samples(image: Image, plan: Plan) -> int:
    planes = plan.coder(image.voxels).plane_count
    return image.voxels[..., 0].size * planes


def _blocks(image: Image, plan: Plan, most: int) -> list[Block]:
    """Tiles spread over the image, with what would be known beside each."""
    coder, grid = plan.coder(image.voxels), plan.grid
    tiles = [tile for slab in range(grid.slab_count) for tile in grid.tiles_of_slab(slab)]
    voxels = math.prod(grid.shape) * coder.plane_count
    count = max(1, min(len(tiles), math.ceil(len(tiles) * most / voxels)))
    # Not every n-th: in a sequence that might be always the first frame of a group.
    chosen = np.random.default_rng(0).permutation(len(tiles))[:count]
    found = []
    for region in (tiles[number] for number in sorted(map(int, chosen))):
        found.extend(_blocks_of(image, plan, region))
    return found


def _blocks_of(image: Image, plan: Plan, region: Region) -> list[Block]:
    coder = plan.coder(image.voxels)
    planes, contexts = coder.planes(image.voxels, region), coder.contexts(image.voxels, region)
    return [Block(np.ascontiguousarray(planes[..., plane]), context) for plane, context in enumerate(contexts)]
