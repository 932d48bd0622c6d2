"""Every transform is undone exactly, on any tile, and refuses parameters that are not its own."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from generated_images import TYPES, full_range, head, scalar
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from SlicerMedCompressLib.codecs.base import ANY_TYPE, UNSIGNED_16
from SlicerMedCompressLib.errors import CorruptStreamError
from SlicerMedCompressLib.image import Image, Kind, same_voxels
from SlicerMedCompressLib.tiling import Region
from SlicerMedCompressLib.transforms import Pipeline, analyse, pipelines
from SlicerMedCompressLib.transforms.slopes import find_slopes, slope_of


def facts_of(image: Image):
    with ThreadPoolExecutor(2) as pool:
        return analyse(image, pool)


def whole(image: Image, frame: int = 0) -> Region:
    slices, rows, columns = image.voxels.shape[1:4]
    return Region(frame, (0, slices), (0, rows), (0, columns))


def assert_undone(image: Image, sample_types: frozenset[str]) -> None:
    """All pipelines worth trying give what they say and are undone, through their JSON form."""
    for pipeline in pipelines(facts_of(image), sample_types):
        again = Pipeline.from_json(json.loads(json.dumps(pipeline.to_json())))
        dtype, planes = again.output(image.voxels.dtype, image.voxels.shape[-1])
        assert dtype.name in sample_types
        for frame in range(len(image.voxels)):
            region = whole(image, frame)
            coded = pipeline.forward(region.of(image.voxels), region)
            assert (coded.dtype, coded.shape[-1]) == (dtype, planes)
            assert same_voxels(again.inverse(coded, region), np.ascontiguousarray(region.of(image.voxels)))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("sample_types", [UNSIGNED_16, ANY_TYPE], ids=["images", "any"])
def test_the_full_range_of_every_type_is_undone(dtype: np.dtype, sample_types: frozenset[str]) -> None:
    assert_undone(scalar(full_range(dtype)), sample_types)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@settings(max_examples=30)
@given(data=st.data())
def test_any_tile_is_undone(dtype: np.dtype, data: st.DataObject) -> None:
    elements = data.draw(st.sampled_from([None, st.sampled_from([dtype.type(v) for v in (0, 3, 90, 100)])]))
    voxels = data.draw(stnp.arrays(dtype, st.tuples(*(st.integers(1, 6),) * 3), elements=elements))
    assert_undone(scalar(voxels), UNSIGNED_16)


def test_a_region_within_a_tile_is_undone_where_it_lies() -> None:
    slopes = np.array([0.1, 0.25, 3.0, 0.007], np.float64).reshape(-1, 1, 1)
    voxels = (head((4, 30, 30), "uint16") * slopes).astype(np.float32)
    image = scalar(voxels)
    pipeline = pipelines(facts_of(image), UNSIGNED_16)[0]
    region = Region(0, (2, 4), (3, 20), (1, 9))
    assert same_voxels(
        pipeline.inverse(pipeline.forward(region.of(image.voxels), region), region), region.of(image.voxels)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_slices_that_are_integers_times_a_slope_are_found_and_coded_in_16_bits(dtype: str) -> None:
    random = np.random.default_rng(1)
    slopes = random.uniform(1e-5, 10, 12)
    stored = random.integers(0, 32768, (12, 40, 40))
    image = scalar((stored * slopes[:, None, None]).astype(dtype))
    facts = facts_of(image)
    assert facts.slopes is not None
    assert facts.maximum <= 32767
    assert pipelines(facts, UNSIGNED_16)[0].output(image.voxels.dtype, 1) == (np.dtype(np.uint16), 1)
    assert_undone(image, UNSIGNED_16)


def test_a_sparse_slice_does_not_hide_the_slope() -> None:
    slope = 9.0213e-05
    assert slope_of((np.array([2, 4, 5, 7, 8191, 32767]) * slope).astype(np.float32)) == pytest.approx(slope, rel=1e-6)


def test_one_slope_for_all_slices_is_stored_once() -> None:
    volume = (head((6, 30, 30), "uint16") * 6.33064985).astype(np.float32)[np.newaxis, ..., np.newaxis]
    found = find_slopes(volume)
    assert found is not None
    assert len(found.slopes) == 1


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, -0.0, 1.2345e-30])
def test_a_voxel_that_is_no_multiple_keeps_the_volume_float(spoiled: float) -> None:
    volume = (head((4, 20, 20), "uint16") * np.float32(0.25)).astype(np.float32)
    volume[2, 3, 4] = spoiled
    assert facts_of(scalar(volume)).slopes is None
    assert_undone(scalar(volume), UNSIGNED_16)


def test_float64_that_holds_float32_numbers_is_narrowed() -> None:
    noise = np.random.default_rng(2).normal(size=(3, 9, 9)).astype(np.float32).astype(np.float64)
    facts = facts_of(scalar(noise))
    assert facts.narrow
    assert_undone(scalar(noise), UNSIGNED_16)


def test_a_sparse_histogram_gets_a_palette() -> None:
    image = scalar((head(dtype="uint16") // 64 * 64).astype(np.uint16))
    steps = [[step.id for step in pipeline.steps] for pipeline in pipelines(facts_of(image), UNSIGNED_16)]
    assert any("palette" in ids for ids in steps)
    assert_undone(image, UNSIGNED_16)


def test_color_offers_the_green_difference_and_it_is_undone() -> None:
    rgb = np.random.default_rng(4).integers(0, 256, (1, 2, 20, 20, 3), np.uint8)
    image = Image(rgb, kind=Kind.COLOR)
    found = pipelines(facts_of(image), UNSIGNED_16)
    assert any(step.id == "subtract-green" for pipeline in found for step in pipeline.steps)
    assert_undone(image, UNSIGNED_16)


@pytest.mark.parametrize(
    "steps",
    [
        {},
        [{}],
        [{"id": "unknown"}],
        [{"id": "offset"}],
        [{"id": "offset", "type": "int16", "minimum": 5, "maximum": 4}],
        [{"id": "offset", "type": "int16", "minimum": -(2**63), "maximum": 4}],
        [{"id": "offset", "type": "float32", "minimum": 0, "maximum": 4}],
        [{"id": "palette", "type": "uint16", "occurs": "!!!"}],
        [{"id": "palette", "type": "uint16", "occurs": ""}],
        [{"id": "palette", "type": "object", "occurs": ""}],
        [{"id": "planes", "type": "uint8"}],
        [{"id": "ordered-bits", "type": "int32"}],
        [{"id": "rescale-slopes", "type": "float32", "slopes": [], "slices": 1}],
        [{"id": "rescale-slopes", "type": "float32", "slopes": [1e999], "slices": 1}],
        [{"id": "subtract-green"}] * 50,
    ],
)
def test_malformed_steps_are_refused(steps: object) -> None:
    with pytest.raises(CorruptStreamError):
        Pipeline.from_json(steps)  # type: ignore[arg-type]


def test_steps_that_do_not_fit_each_other_are_refused() -> None:
    pipeline = Pipeline.from_json([{"id": "planes", "type": "uint32"}])
    with pytest.raises(CorruptStreamError):
        pipeline.output(np.dtype(np.int16), 1)


def test_numbers_near_the_end_of_the_range_have_no_slope_and_no_failure() -> None:
    assert slope_of(np.array([8.98846567431158e307, 1.34826985114673e308])) is None
