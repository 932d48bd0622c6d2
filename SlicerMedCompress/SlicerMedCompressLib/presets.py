"""Presets: what a person picks, resolved to a codec and transforms by measuring the image in hand."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from .codecs import Codec
from .codecs.blosc2 import Blosc2
from .codecs.crackle import Crackle
from .codecs.jpegls import JpegLs
from .codecs.jpegxl import JpegXl
from .codecs.pcodec import Pcodec
from .codecs.zstandard import Zstandard
from .container.tile_coding import TileCoder
from .errors import EncodingError, MissingLibraryError, UnsupportedImageError
from .image import Image, Kind
from .parallel import ordered_map
from .progress import Progress
from .tiling import Grid, Region, TileShape, grid_for
from .transforms import Facts, Pipeline, pipelines

SAMPLED_TILES = 4
SAMPLED_TILE = TileShape(8, 128, 128)
SAMPLED_LABELS = Crackle().tile


@dataclass(frozen=True)
class Preset:
    """Codecs to try on sampled tiles, for labels, integers and floats that are none.

    Attributes:
        title, description: for people.
    """

    id: str
    title: str
    description: str
    labels: tuple[Codec, ...]
    integers: tuple[Codec, ...]
    floats: tuple[Codec, ...]


PRESETS: dict[str, Preset] = {
    preset.id: preset
    for preset in (
        Preset(
            "fast",
            "Fast",
            "Lossless. Several times faster than NRRD to save, and smaller.",
            labels=(Crackle(), Zstandard(3), Blosc2(1)),
            integers=(JpegXl(1),),
            floats=(Pcodec(4), Blosc2(1)),
        ),
        Preset(
            "balanced",
            "Balanced",
            "Lossless. Nearly the smallest files of the standard codecs, many times faster.",
            labels=(Crackle(), Zstandard(9)),
            integers=(JpegXl(3), JpegLs(), Zstandard(9)),
            floats=(Pcodec(8), JpegXl(3), Blosc2(5)),
        ),
    )
}
DEFAULT_PRESET = "balanced"


@dataclass(frozen=True)
class Plan:
    """How an image will be coded, and how it was found."""

    codec: Codec
    pipeline: Pipeline
    grid: Grid


def preset_named(name: str) -> Preset:
    """The preset, or UnsupportedImageError with the known names."""
    if name not in PRESETS:
        raise UnsupportedImageError(f'There is no preset "{name}"; choose one of {", ".join(PRESETS)}.')
    return PRESETS[name]


def candidates(image: Image, facts: Facts, preset: Preset) -> list[Codec]:
    """The preset's codecs that suit the image and are installed.

    Raises MissingLibraryError if none is.
    """
    if image.kind in (Kind.LABEL, Kind.SEGMENTATION):
        suited = preset.labels
    else:
        suited = preset.integers if facts.integral else preset.floats
    found = [codec for codec in suited if codec.unavailable_reason() is None]
    if not found:
        raise MissingLibraryError(suited[0].unavailable_reason() or "")
    return found


def check_suited(codec: Codec, image: Image) -> None:
    """Raise, before any work, if a codec the user named cannot take this image or is not installed."""
    reason = codec.unavailable_reason()
    if reason is not None:
        raise MissingLibraryError(reason)
    if codec.for_labels and image.kind not in (Kind.LABEL, Kind.SEGMENTATION):
        raise UnsupportedImageError(
            f"{codec.title} is for label volumes and segmentations; "
            f"choose a preset or another codec for this {image.kind.value} volume."
        )


def choose(image: Image, facts: Facts, codecs: Sequence[Codec], pool: Executor, progress: Progress) -> Plan:
    """The codec and transforms that make sampled tiles smallest; one that fails on a tile is out.

    The same tiles, evenly from the whole image, are coded by every codec; what the transforms store
    once for the image counts in proportion.
    """
    plans = [
        Plan(codec, pipeline, grid_for(image.voxels.shape[:4], codec.tile))
        for codec in codecs
        for pipeline in pipelines(facts, codec.sample_types)
    ]
    if len(plans) == 1:
        return plans[0]
    labels = image.kind in (Kind.LABEL, Kind.SEGMENTATION)
    regions = sampled_regions(grid_for(image.voxels.shape[:4], SAMPLED_LABELS if labels else SAMPLED_TILE))
    share = sum(_count(region) for region in regions) / (image.voxels.size // image.voxels.shape[-1])
    sizes: list[float] = [_parameter_bytes(plan) * share for plan in plans]
    jobs = [(number, region) for number in range(len(plans)) for region in regions]
    measured = ordered_map(pool, lambda job: _size_if_coded(image, plans[job[0]], job[1]), jobs, len(jobs))
    for done, ((number, _), size) in enumerate(zip(jobs, measured, strict=True), 1):
        sizes[number] += size
        progress.report(done / len(jobs), "Choosing a codec")
    if min(sizes) == math.inf:
        _coded_bytes(image, plans[0], regions[0])
    return plans[sizes.index(min(sizes))]


def sampled_regions(grid: Grid) -> list[Region]:
    """Up to SAMPLED_TILES tiles: the middle of slabs evenly spread over the image."""
    count = min(SAMPLED_TILES, grid.slab_count)
    slabs = sorted({(2 * part + 1) * grid.slab_count // (2 * count) for part in range(count)})
    regions = [grid.tiles_of_slab(slab) for slab in slabs]
    # Not always the centre of the image: steps through the tiles of the slab's middle third.
    return [
        tiles[(len(tiles) // 2 + step * (1 + grid.stripes // 4)) % len(tiles)] for step, tiles in enumerate(regions)
    ]


def _count(region: Region) -> int:
    slices, rows, columns = region.shape
    return slices * rows * columns


def _size_if_coded(image: Image, plan: Plan, region: Region) -> float:
    try:
        return _coded_bytes(image, plan, region)
    except EncodingError:
        return math.inf


def _coded_bytes(image: Image, plan: Plan, region: Region) -> int:
    coder = TileCoder(plan.codec, plan.pipeline, image.voxels.dtype, image.voxels.shape[-1])
    return sum(len(payload) for _, payload in coder.encode(image.voxels, region))


def _parameter_bytes(plan: Plan) -> int:
    return len(json.dumps(plan.pipeline.to_json()))
