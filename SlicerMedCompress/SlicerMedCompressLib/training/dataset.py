"""Samples for training from the images of a manifest: what the codec itself would see of them.

Every image is looked at as it will be coded: transforms, tiles, linear predictions. Nothing of an image whose
row does not say ``train`` is read.
"""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..codecs.base import UNSIGNED_16
from ..errors import InputError
from ..files import read_image
from ..image import Image
from ..learned.contexts import linear_look, network_inputs
from ..learned.fitting import facts, fit_sets
from ..learned.neighbourhood import standard_neighbourhood
from ..learned.prediction import linear_errors
from ..learned.tile_values import TileValues
from ..parallel import thread_pool
from ..tiling import Region
from ..transforms import Pipeline, analyse, pipelines
from .versions import version

_logger = logging.getLogger(__name__)
TILE_SLICES = 16
SAMPLES_AN_IMAGE = 60_000
USUAL_NUMBER = 8
"""Images of a modality with so many get SAMPLES_AN_IMAGE each; of rarer ones more, of more frequent ones fewer."""
QUANTIZED_SHARE = 3
"""A mirrored copy in steps of an odd number, for bounded errors, gives this many times fewer samples."""
VERSIONS = 4
"""How many versions of a frame are made by chance, see ``versions``."""
VERSIONS_SHARE = 2
"""Each gives this many times fewer samples."""
FOLLOWING_SHARE = 0.6
"""Of the versions of later frames that have the frame before beside them."""
STEPS = (3, 5, 9, 17)
FEWEST_LEVELS = 20


@dataclass(frozen=True, eq=False)
class Samples:
    """Voxels of one image, ready for the network.

    Attributes:
        inputs: int16 (voxel, input). facts: int32 (4,). before: slices before each voxel, at most 2.
        centre: linear prediction in 1/32 units. scale: index of the local scale. values: of the voxels.
        largest: greatest value of the image.
    """

    name: str
    inputs: np.ndarray
    facts: np.ndarray
    before: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    values: np.ndarray
    largest: int


def training_samples(manifest: Path, seed: int) -> Iterator[Samples]:
    """Samples of every image whose row says ``train``, in the order of the manifest.

    Args:
        manifest: tab separated, with the columns ``name``, ``use`` and ``file`` (relative to it).
    """
    try:
        with manifest.open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.DictReader(stream, delimiter="\t") if row["use"] == "train"]
    except (OSError, KeyError) as error:
        raise InputError(f'Cannot read the manifest "{manifest}": it needs columns name, use and file.') from error
    frequent = Counter(row.get("modality", "") for row in rows)
    for number, row in enumerate(rows):
        image = read_image(manifest.parent / row["file"])
        share = float(np.clip((USUAL_NUMBER / frequent[row.get("modality", "")]) ** 0.5, 0.6, 3))
        rng = np.random.default_rng([seed, number])
        found = list(_samples_of_image(row["name"], image, round(share * SAMPLES_AN_IMAGE), rng))
        _logger.info("%s: %d samples", row["name"], sum(len(part.values) for part in found))
        yield from found


def _samples_of_image(name: str, image: Image, count: int, rng: np.random.Generator) -> Iterator[Samples]:
    with thread_pool(1) as pool:
        options = pipelines(analyse(image, pool), UNSIGNED_16)
    pipeline = options[-1]
    if image.voxels.shape[-1] > 1 or pipeline.output(image.voxels.dtype, 1)[1] > 1:
        _logger.info("%s: not a scalar image of 16 bits, left out", name)
        return
    frames = image.voxels.shape[0]
    chosen = [0] if frames == 1 else [frames // 2, frames - 1]
    count = count if frames == 1 else count // 4
    for frame in chosen:
        volume, slopes = _integers(image, pipeline, frame)
        yield sample(f"{name} frame {frame}", volume, slopes, None, count, rng)
        if frame > 0:
            reference, _ = _integers(image, pipeline, frame - 1)
            yield sample(f"{name} frame {frame} after {frame - 1}", volume, slopes, reference, count, rng)
        for _ in range(VERSIONS):
            yield _sample_of_version(name, image, pipeline, frame, count // VERSIONS_SHARE, rng)
        step = int(rng.choice(STEPS))
        coarse = ((volume + step // 2) // step)[:, ::-1, ::-1]
        if coarse.max() >= FEWEST_LEVELS:
            yield sample(f"{name} in steps of {step}", coarse, slopes, None, count // QUANTIZED_SHARE, rng)


def _sample_of_version(
    name: str, image: Image, pipeline: Pipeline, frame: int, count: int, rng: np.random.Generator
) -> Samples:
    volume, slopes = _integers(image, pipeline, frame)
    follows = frame > 0 and rng.random() < FOLLOWING_SHARE
    reference = _integers(image, pipeline, frame - 1)[0] if follows else None
    found = version(volume, slopes, reference, rng)
    return sample(f"{name} frame {frame} {found.name}", found.volume, found.slopes, found.reference, count, rng)


def _integers(image: Image, pipeline: Pipeline, frame: int) -> tuple[np.ndarray, np.ndarray | None]:
    """A frame as unsigned integers (slice, row, column), and the rescale slope of each slice if they differ."""
    region = Region(frame, *((0, length) for length in image.voxels.shape[1:4]))
    slopes = pipeline.slopes_of(region)
    return pipeline.forward(region.of(image.voxels), region)[..., 0].astype(np.int32), slopes


def sample(
    name: str,
    volume: np.ndarray,
    slopes: np.ndarray | None,
    reference: np.ndarray | None,
    count: int,
    rng: np.random.Generator,
) -> Samples:
    """About ``count`` voxels of a volume (slice, row, column) of integers, evenly from its tiles."""
    hood, largest = standard_neighbourhood(), int(volume.max())
    tiles = [
        TileValues.of(
            volume[part],
            hood,
            largest,
            None if reference is None else reference[part],
            None if slopes is None else slopes[part],
        )
        for start in range(0, len(volume), TILE_SLICES)
        for part in [slice(start, start + TILE_SLICES)]
    ]
    sets = fit_sets(tiles, rng, volume.size)
    found = []
    for tile in tiles:
        errors, size = linear_errors(tile, sets), len(tile.geometry.order)
        which = np.sort(rng.choice(size, min(size, count * size // volume.size + 1), replace=False))
        neighbours, groups = tile.neighbours(which), tile.groups(which)
        look = linear_look(neighbours, groups, sets, largest)
        inputs = network_inputs(neighbours, tile.residuals(errors, which), look, groups, hood)
        values = tile.values[tile.geometry.order[which]]
        found.append((inputs.astype(np.int16), tile.geometry.slices[which], look.centre, look.scale, values))
    inputs, before, centre, scale, values = (np.concatenate(column) for column in zip(*found, strict=True))
    return Samples(name, inputs, facts(tiles, sets, rng), before, centre, scale, values, largest)
