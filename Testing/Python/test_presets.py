"""Presets choose by what they measure on the image."""

from __future__ import annotations

import numpy as np
import pytest
from generated_images import head, scalar

from SlicerMedCompressLib.codecs import CODECS
from SlicerMedCompressLib.compression import compress_in_memory
from SlicerMedCompressLib.image import Image, Kind
from SlicerMedCompressLib.presets import PRESETS
from SlicerMedCompressLib.sampling import SAMPLED_TILE, SAMPLED_TILES, _tiles_of, sampled_regions
from SlicerMedCompressLib.tiling import Region, TileShape, grid_for


def size(image: Image, **how: object) -> int:
    return len(compress_in_memory(image, **how)[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "image",
    [
        scalar(head((16, 120, 130))),
        scalar((head((16, 120, 130)) > 100).astype(np.uint8), kind=Kind.LABEL),
        scalar(np.random.default_rng(0).normal(size=(8, 60, 70)).astype(np.float32)),
        scalar(head((1, 300, 300))),
    ],
    ids=["anatomy", "labels", "floats", "slice"],
)
def test_balanced_is_about_as_small_as_the_best_codec_it_tries(image: Image) -> None:
    preset = PRESETS["balanced"]
    tried = {"labels": preset.labels, "floats": preset.floats, "integers": preset.integers}
    kind = "labels" if image.kind is Kind.LABEL else "floats" if image.voxels.dtype.kind == "f" else "integers"
    best = min(size(image, codec=codec) for codec in tried[kind] if codec.unavailable_reason() is None)
    assert size(image, preset="balanced") <= 1.02 * best + 64


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_halve_anatomy_in_air(preset: str) -> None:
    image = scalar(head((16, 200, 200)))
    assert size(image, preset=preset) < 0.55 * image.voxels.nbytes


def test_samples_come_from_all_over_the_image_and_are_few() -> None:
    regions = sampled_regions(grid_for((3, 80, 512, 512), SAMPLED_TILE))
    assert len(regions) == SAMPLED_TILES
    assert len({(region.frame, region.slices) for region in regions}) == SAMPLED_TILES


def test_every_codec_of_a_preset_is_registered() -> None:
    for preset in PRESETS.values():
        for codec in (*preset.labels, *preset.integers, *preset.floats):
            assert CODECS[codec.id] is type(codec)


def test_a_large_sample_is_cut_as_a_codec_would_cut_it() -> None:
    region = Region(1, (4, 20), (100, 356), (0, 256))
    whole = _tiles_of(region, TileShape(16, 256, 256))
    parts = _tiles_of(region, TileShape(6, 64, 96))
    assert whole == [region]
    assert len(parts) > 4
    assert sum(np.prod(part.shape) for part in parts) == 16 * 256 * 256
    assert all(part.intersection(region) == part for part in parts)
