"""Structural similarity is that of the paper, as scikit-image computes it with the paper's settings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from generated_images import head
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from SlicerMedCompressLib.errors import MissingLibraryError, UnsupportedImageError
from SlicerMedCompressLib.quality import similarity
from SlicerMedCompressLib.quality.similarity import ssim

pytest.importorskip("scipy.ndimage", reason="scipy is not installed")


def by_scikit_image(original: np.ndarray, reconstructed: np.ndarray, data_range: float) -> float:
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    slices = zip(original.astype(np.float64), reconstructed.astype(np.float64), strict=True)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": data_range}
    return float(np.mean([metrics.structural_similarity(first, second, **settings) for first, second in slices]))


def noisy(volume: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, deviation, volume.shape)
    return (volume + noise).astype(volume.dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("deviation", [1, 30])
@pytest.mark.parametrize("shape", [(4, 50, 60), (2, 11, 12), (1, 37, 11)])
def test_it_is_what_scikit_image_computes(dtype: str, deviation: float, shape: tuple[int, int, int]) -> None:
    original = np.clip(head(shape, "int16") / 8 + 60, 0, 200).astype(dtype)
    reconstructed = noisy(original, deviation)
    data_range = float(original.max()) - float(original.min())
    expected = by_scikit_image(original, reconstructed, data_range)
    assert ssim(original, reconstructed, data_range) == pytest.approx(expected, abs=1e-6)


def test_a_volume_and_its_double_types_give_the_same() -> None:
    original = head()
    reconstructed = noisy(original, 40)
    same = ssim(original.astype(np.float64), reconstructed.astype(np.float32), 1000)
    assert ssim(original, reconstructed, 1000) == pytest.approx(same, abs=1e-12)


VALUES = st.floats(-2000, 4000, width=32)
VOLUMES = stnp.array_shapes(min_dims=3, max_dims=3, max_side=14).flatmap(
    lambda shape: st.tuples(*(stnp.arrays(np.float32, shape, elements=VALUES) for _ in range(2)))
)


@given(volumes=VOLUMES, data_range=st.floats(1, 1e4))
def test_it_is_symmetric_and_between_minus_one_and_one(
    volumes: tuple[np.ndarray, np.ndarray], data_range: float
) -> None:
    first, second = volumes
    found = ssim(first, second, data_range)
    assert -1 - 1e-9 <= found <= 1 + 1e-9
    assert ssim(second, first, data_range) == pytest.approx(found, abs=1e-12)


@given(volumes=VOLUMES, data_range=st.sampled_from([0.0, 1.0, 4095.0, math.nan, math.inf]))
def test_identical_volumes_are_exactly_alike(volumes: tuple[np.ndarray, np.ndarray], data_range: float) -> None:
    assert ssim(volumes[0], volumes[0].copy(), data_range) == 1.0


def test_more_noise_is_less_alike() -> None:
    found = [ssim(head(), noisy(head(), deviation), 1000) for deviation in (5, 20, 80, 300)]
    assert found == sorted(found, reverse=True)
    assert 0 < found[-1] < 0.5 < found[0] < 1


def test_an_inverted_pattern_is_less_than_nothing_alike() -> None:
    checks = np.indices((1, 32, 32)).sum(axis=0) % 2 * 2.0 - 1
    assert ssim(checks, -checks, 2) < -0.9


def test_constant_slices_are_compared_by_their_brightness() -> None:
    first, second = np.full((3, 20, 20), 100.0), np.full((3, 20, 20), 50.0)
    constant = (0.01 * 200) ** 2
    assert ssim(first, second, 200) == pytest.approx((2 * 100 * 50 + constant) / (100**2 + 50**2 + constant))


@pytest.mark.parametrize("data_range", [0.0, -1.0, math.nan, math.inf])
def test_without_a_range_only_identical_volumes_are_judged(data_range: float) -> None:
    volume = np.zeros((2, 12, 12), np.int16)
    assert ssim(volume, volume, data_range) == 1
    assert math.isnan(ssim(volume, volume + np.int16(1), data_range))


def test_a_slice_weighs_the_same_as_any_other() -> None:
    original = head((2, 40, 40))
    reconstructed = original.copy()
    reconstructed[1] = noisy(original, 100)[1]
    lone = ssim(original[1:], reconstructed[1:], 1000)
    assert ssim(original, reconstructed, 1000) == pytest.approx((1 + lone) / 2)


@pytest.mark.parametrize("shape", [(2, 10, 10), (3, 1, 1), (1, 5, 40), (1, 40, 5)])
def test_small_slices_are_mirrored_at_their_border(shape: tuple[int, int, int]) -> None:
    original = head(shape, "float32")
    reconstructed = noisy(original, 30)
    wide = [(0, 0), *((0, 0) if length >= 11 else (5, 5) for length in shape[1:])]
    mirrored = [np.pad(volume, wide, "symmetric") for volume in (original, reconstructed)]
    found = ssim(original, reconstructed, 1000)
    assert 0 < found < 1
    assert ssim(mirrored[0], mirrored[1], 1000) == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_windows_with_no_number_do_not_count(value: float) -> None:
    original = head((2, 40, 60), "float32")
    reconstructed = noisy(original, 30)
    left = ssim(original[:, :, :30], reconstructed[:, :, :30], 1000)
    for number in range(2):
        broken = [original.copy(), reconstructed.copy()]
        broken[number][:, :, 30:] = value
        assert ssim(broken[0], broken[1], 1000) == pytest.approx(left, abs=1e-9)


def test_slices_without_a_number_do_not_count() -> None:
    original = head((3, 20, 20), "float32")
    reconstructed = noisy(original, 30)
    expected = ssim(original[:2], reconstructed[:2], 1000)
    reconstructed[2] = np.nan
    assert ssim(original, reconstructed, 1000) == pytest.approx(expected)
    assert math.isnan(ssim(original[2:], reconstructed[2:], 1000))


def test_nan_kept_in_place_is_identical() -> None:
    volume = np.full((2, 20, 20), np.nan, np.float32)
    assert ssim(volume, volume.copy(), 1) == 1


def test_large_values_with_small_differences_keep_their_precision() -> None:
    original = head((1, 30, 30), "float64")
    reconstructed = noisy(original, 30)
    near = ssim(original + 1e6, reconstructed + 1e6, 1000)
    assert ssim(original + 1e9, reconstructed + 1e9, 1000) == pytest.approx(near, abs=1e-6)


def test_the_inputs_are_left_as_they_are() -> None:
    original, reconstructed = head(dtype="float64"), noisy(head(dtype="float64"), 9)
    for volume in (original, reconstructed):
        volume.flags.writeable = False
    assert ssim(original, reconstructed, 100) < 1


@pytest.mark.parametrize("shapes", [((2, 12, 12), (2, 12, 13)), ((12, 12), (12, 12)), ((1, 2, 12, 12), (1, 2, 12, 12))])
def test_volumes_that_cannot_be_compared_are_told(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(UnsupportedImageError, match="same shape"):
        ssim(np.zeros(shapes[0]), np.zeros(shapes[1]), 1)


def test_no_slices_have_no_similarity() -> None:
    assert math.isnan(ssim(np.zeros((0, 12, 12)), np.zeros((0, 12, 12)), 1))


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str, package: str, wanted_by: str) -> Any:
        raise MissingLibraryError(f"{wanted_by} needs {package}")

    monkeypatch.setattr(similarity, "library", missing)
    with pytest.raises(MissingLibraryError, match="needs scipy"):
        ssim(head(), head(), 1)
