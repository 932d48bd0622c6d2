"""Versions of training images: possible images, changed alike with what belongs to them."""

from __future__ import annotations

import numpy as np
from generated_images import head
from hypothesis import given
from hypothesis import strategies as st

from SlicerMedCompressLib.training.versions import GREATEST, version

KINDS = {"mirrored", "smoothed", "halved", "thinned out", "cut another way"}
HEAD = (head((24, 70, 66)) + 1100).astype(np.int32)


def versions(count: int, slopes: np.ndarray | None = None) -> list:
    return [version(HEAD, slopes, HEAD, np.random.default_rng(seed)) for seed in range(count)]


@given(
    shape=st.tuples(st.integers(1, 25), st.integers(1, 70), st.integers(1, 70)),
    seed=st.integers(0, 1000),
    per_slice=st.booleans(),
)
def test_a_version_is_an_image_that_the_codec_could_get(
    shape: tuple[int, int, int], seed: int, per_slice: bool
) -> None:
    volume = np.random.default_rng(seed).integers(0, GREATEST + 1, shape).astype(np.int32)
    slopes = np.linspace(1, 2, shape[0]) if per_slice else None
    found = version(volume, slopes, None, np.random.default_rng(seed))
    assert found.volume.dtype == np.int32
    assert found.volume.ndim == 3
    assert found.volume.size > 0
    assert 0 <= found.volume.min() <= found.volume.max() <= GREATEST
    assert (found.slopes is None) == (slopes is None)
    if found.slopes is not None:
        assert len(found.slopes) == len(found.volume)


def test_the_frame_before_is_changed_as_the_frame_is() -> None:
    for found in versions(20):
        assert found.reference is not None
        assert np.array_equal(found.volume, found.reference)


def test_all_kinds_of_versions_occur_and_differ_from_the_image() -> None:
    found = versions(60)
    assert {one.name for one in found} == KINDS
    assert sum(np.array_equal(one.volume, HEAD) for one in found) < 8


def test_slices_with_slopes_of_their_own_stay_slices() -> None:
    slopes = np.linspace(0.5, 3, len(HEAD))
    for found in versions(60, slopes):
        assert found.name != "cut another way"
        assert found.slopes is not None
        assert np.array_equal(found.slopes, slopes[::2] if found.name == "thinned out" else slopes)


def test_equal_seeds_give_equal_versions() -> None:
    for one, other in zip(versions(5), versions(5), strict=True):
        assert one.name == other.name
        assert np.array_equal(one.volume, other.volume)
