"""Errors are measured, bounds are checked and mended, for every type of voxel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from generated_images import TYPES, full_range
from hypothesis import given, settings
from hypothesis import strategies as st

from SlicerMedCompressLib.tiling import Region
from SlicerMedCompressLib.tolerance import Deviation, Tolerance, deviation_of
from SlicerMedCompressLib.transforms.as_float import AsFloat
from SlicerMedCompressLib.transforms.corrections import corrected, correction_planes, corrections_of
from SlicerMedCompressLib.transforms.quantize import Quantize

SHAPE = (3, 17, 19, 1)
WHOLE = Region(0, (0, 3), (0, 17), (0, 19))
INTEGERS = [dtype for dtype in TYPES if dtype.kind in "iu"]
FLOATS = [dtype for dtype in TYPES if dtype.kind == "f"]


def noise(dtype: np.dtype) -> np.ndarray:
    return full_range(dtype)[..., np.newaxis]


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("bound", [1, 2, 7, 100])
def test_quantized_integers_keep_their_bound_over_the_full_range(dtype: np.dtype, bound: int) -> None:
    limits, step = np.iinfo(dtype), 2 * bound + 1
    levels = (int(limits.max) - int(limits.min) + bound) // step + 1
    quantize = Quantize(dtype.name, int(limits.min), step, levels)
    voxels = noise(dtype)
    back = quantize.inverse(quantize.forward(voxels, WHOLE), WHOLE)
    assert back.dtype == dtype
    assert np.abs(back.astype(float) - voxels).max() <= bound


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_mapping_to_levels_loses_half_a_step_at_most(dtype: np.dtype) -> None:
    voxels = np.linspace(-90 if dtype.kind != "u" else 0, 120, 3 * 17 * 19).reshape(SHAPE).astype(dtype)
    quantize = Quantize(dtype.name, float(voxels.min()), (float(voxels.max()) - float(voxels.min())) / 4095, 4096)
    back = quantize.inverse(quantize.forward(voxels, WHOLE), WHOLE)
    assert np.abs(back.astype(float) - voxels).max() <= quantize.step / 2 + 1e-5


@given(data=st.data())
@settings(max_examples=60)
def test_any_quantization_reads_back_from_json_and_never_wraps(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(TYPES))
    whole = dtype.kind in "iu" and data.draw(st.booleans())
    step = data.draw(st.integers(1, 1000)) if whole else data.draw(st.floats(1e-3, 1e3))
    origin = 0 if whole else 0.0
    quantize = Quantize(dtype.name, origin, step, data.draw(st.integers(1, 1 << (8 * max(2, dtype.itemsize)))))
    assert Quantize.from_json(quantize.to_json()) == quantize
    indices = np.array([0, 1, np.iinfo(quantize.packed).max], quantize.packed).reshape(1, 1, 3, 1)
    values = quantize.inverse(indices, WHOLE).astype(float).ravel()
    assert values[0] <= values[1] <= values[2]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_floats_and_back_keep_integers_and_small_floats(dtype: np.dtype) -> None:
    voxels = noise(dtype) if dtype.kind != "f" else np.linspace(-5, 5, 969).reshape(SHAPE).astype(dtype)
    step = AsFloat(dtype.name, 2.0)
    assert np.array_equal(step.inverse(step.forward(voxels, WHOLE), WHOLE), voxels)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("allowed", [0.0, 3.0, math.inf])
def test_corrections_bring_every_voxel_within_what_is_allowed(dtype: np.dtype, allowed: float) -> None:
    voxels = noise(dtype)
    decoded = np.roll(voxels, 1, axis=2)
    planes = corrections_of(voxels, decoded, np.full((1, 1, 1, 1), allowed))
    assert (planes.dtype, planes.shape[-1]) == correction_planes(dtype, 1)
    mended = corrected(decoded, planes)
    assert mended.dtype == dtype
    assert deviation_of(voxels, mended, Tolerance(allowed), WHOLE).broken == 0
    if allowed == 0:
        assert mended.tobytes() == voxels.tobytes()


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_what_is_not_finite_is_kept_bit_for_bit_even_where_anything_is_allowed(dtype: np.dtype) -> None:
    voxels = np.zeros(SHAPE, dtype)
    voxels.flat[:3] = [np.nan, np.inf, -np.inf]
    decoded = np.ones(SHAPE, dtype)
    mended = corrected(decoded, corrections_of(voxels, decoded, np.full((1, 1, 1, 1), np.inf)))
    assert mended.ravel()[:3].tobytes() == voxels.ravel()[:3].tobytes()
    assert np.all(mended.ravel()[3:] == 1)


def test_good_voxels_cost_no_correction() -> None:
    voxels = noise(np.dtype(np.int16))
    assert not corrections_of(voxels, voxels, np.zeros((1, 1, 1, 1))).any()


def test_errors_are_summed_over_tiles() -> None:
    voxels = np.zeros(SHAPE, np.int16)
    decoded = voxels.copy()
    decoded.flat[0], decoded.flat[1] = 3, -1
    one = deviation_of(voxels, decoded, Tolerance(2), WHOLE)
    assert (one.maximum, one.total, one.square, one.broken) == (3, 2, 10, 1)
    both = one + deviation_of(voxels, voxels, Tolerance(2), WHOLE)
    assert both.count == 2 * voxels.size
    assert both.root_mean_square == pytest.approx(math.sqrt(10 / both.count))
    assert both.mean == pytest.approx(2 / both.count)
    assert both.psnr(100) == pytest.approx(20 * math.log10(100 / both.root_mean_square))
    assert Deviation().psnr(100) == math.inf


def test_an_exact_region_is_checked_by_bits_and_kept_out_of_the_figures() -> None:
    exact = np.zeros(SHAPE[:3], np.bool_)
    exact[0, 0, :5] = True
    tolerance = Tolerance(10, exact=exact)
    voxels = np.zeros(SHAPE, np.float32)
    decoded = voxels.copy()
    decoded[0, 0, 0] = -0.0
    decoded[1] = 4
    found = deviation_of(voxels, decoded, tolerance, WHOLE)
    assert (found.broken, found.exact, found.count, found.maximum) == (1, 5, voxels.size - 5, 4)


def test_a_relative_bound_follows_the_voxels() -> None:
    voxels = np.array([0.0, 1.0, -100.0, np.nan]).reshape(1, 1, 4, 1)
    allowed = Tolerance(0.01, relative=True).allowed(voxels, Region(0, (0, 1), (0, 1), (0, 4)))
    assert allowed.ravel().tolist() == [0.0, 0.01, 1.0, 0.0]
