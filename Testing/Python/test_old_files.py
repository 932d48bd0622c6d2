"""Files that earlier versions wrote are read for ever."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from make_samples import samples, samples_of_version_4, samples_with_loss, voxels_of

from SlicerMedCompressLib.codecs import CODECS
from SlicerMedCompressLib.compression import decompress
from SlicerMedCompressLib.container import Reader
from SlicerMedCompressLib.errors import MissingLibraryError
from SlicerMedCompressLib.sequence_compression import read_parts
from SlicerMedCompressLib.transforms.pipeline import TRANSFORMS

SAMPLES = Path(__file__).resolve().parent / "samples"
ALL = sorted(SAMPLES.glob("v*/*.mcz"))
FILES = [path for path in ALL if not path.stem.startswith("parts")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_old_file_decodes_to_the_same_voxels(path: Path) -> None:
    expected = json.loads((path.parent / "expected.json").read_text())[path.stem]
    with Reader(path) as reader:
        promises = reader.header.guarantee.kind != "lossy"
    try:
        image = decompress(path)
    except MissingLibraryError as error:
        pytest.skip(str(error))
    assert list(image.voxels.shape) == expected["shape"]
    # What promises nothing may be rounded differently by another processor; the next test looks at that.
    if promises:
        assert hashlib.sha256(image.voxels.tobytes()).hexdigest() == expected["sha256"]


@pytest.mark.parametrize("name", samples_with_loss())
def test_an_old_lossy_file_is_as_far_from_its_original_as_it_says(name: str) -> None:
    path = SAMPLES / "v2" / f"{name}.mcz"
    original = samples_with_loss()[name][0].voxels
    try:
        decoded = decompress(path).voxels
    except MissingLibraryError as error:
        pytest.skip(str(error))
    with Reader(path) as reader:
        guarantee = reader.header.guarantee
    finite = np.isfinite(original)
    assert np.array_equal(finite, np.isfinite(decoded))
    error = np.abs(decoded[finite].astype(float) - original[finite]).max()
    slack = 0 if guarantee.kind == "bounded" else 1 + 0.02 * guarantee.maximum_error
    assert error <= guarantee.maximum_error + slack


@pytest.mark.parametrize("name", ["described", "segmentation", "sequence"])
def test_an_old_description_means_the_same(name: str) -> None:
    stored, made = decompress(SAMPLES / "v1" / f"{name}.mcz"), samples()[name][0]
    for field in ("geometry", "kind", "name", "units", "attributes", "frame_axis", "display", "segmentation"):
        assert getattr(stored, field) == getattr(made, field), field


@pytest.mark.parametrize("path", [path for path in ALL if path not in FILES], ids=lambda path: path.stem)
def test_an_old_archive_of_parts_holds_the_same(path: Path) -> None:
    expected = json.loads((path.parent / "expected.json").read_text())[path.stem]
    stored, made = read_parts(path), samples_of_version_4()[path.stem][0]
    voxels = voxels_of(stored)
    assert list(voxels.shape) == expected["shape"]
    assert hashlib.sha256(voxels.tobytes()).hexdigest() == expected["sha256"]
    for field in ("name", "numbers", "frame_axis", "browser"):
        assert getattr(stored, field) == getattr(made, field), field


@pytest.mark.parametrize("name", ["browser", "attributes", "learned", "bound"])
def test_an_old_description_of_playback_means_the_same(name: str) -> None:
    stored, made = decompress(SAMPLES / "v4" / f"{name}.mcz"), samples_of_version_4()[name][0]
    for field in ("name", "frame_axis", "browser"):
        assert getattr(stored, field) == getattr(made, field), field


def test_the_samples_use_every_codec_and_every_transform() -> None:
    codecs, transforms = set(), set()
    for path in FILES:
        with Reader(path) as reader:
            codecs.add(reader.header.codec.id)
            transforms |= {step.id for step in reader.header.pipeline.steps}
    assert codecs == set(CODECS)
    assert transforms == set(TRANSFORMS)
