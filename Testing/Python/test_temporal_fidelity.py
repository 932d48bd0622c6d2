"""Errors of frames and of time curves: closed forms, and what must hold of any sequences."""

from __future__ import annotations

import json
import math
import tracemalloc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from SlicerMedCompressLib.cli import main
from SlicerMedCompressLib.compression import compress
from SlicerMedCompressLib.errors import UnsupportedImageError
from SlicerMedCompressLib.files import write_image
from SlicerMedCompressLib.image import FrameAxis, Geometry, Image
from SlicerMedCompressLib.quality.temporal import temporal_fidelity
from SlicerMedCompressLib.targets import MaxError

FRAMES = 40
WAVE = np.sin(2 * np.pi * np.arange(FRAMES) / FRAMES)


def beating(size: float = 100.0, dynamic: int = 2) -> np.ndarray:
    """Thirty voxels, of which some follow a wave."""
    voxels = np.full((FRAMES, 1, 5, 6, 1), 50.0)
    voxels[:, 0, 0, :dynamic, 0] += size * WAVE[:, np.newaxis]
    return voxels


@given(stnp.arrays(np.int16, st.tuples(*[st.integers(1, 4)] * 5)))
def test_identical_sequences_have_no_error_and_an_infinite_psnr(voxels: np.ndarray) -> None:
    found = temporal_fidelity(voxels, voxels.copy())
    assert all(frame.maximum == frame.root_mean_square == 0 and frame.psnr == math.inf for frame in found.frames)
    assert found.curves.mean == found.curves.percentile_95 == 0
    assert json.loads(json.dumps(found.to_json()))["frames"][0]["psnr"] is None


def test_an_offset_is_the_mean_error_of_every_frame_and_curve() -> None:
    found = temporal_fidelity(beating(), beating() + 2)
    assert all(frame.mean == 2 == frame.maximum for frame in found.frames)
    assert found.frames[0].psnr == pytest.approx(20 * math.log10(200 / 2))
    assert found.curves.mean == pytest.approx(2)
    assert found.curves.percentile_95 == pytest.approx(2)


def test_one_wrong_frame_is_told_from_the_others() -> None:
    wrong = beating()
    wrong[7] -= 8
    found = temporal_fidelity(beating(), wrong)
    assert [number for number, frame in enumerate(found.frames) if frame.maximum] == [7]
    assert found.frames[7].mean == -8
    assert found.curves.mean == pytest.approx(8 / math.sqrt(FRAMES))


def test_a_damped_wave_shows_in_the_dynamic_curves() -> None:
    found = temporal_fidelity(beating(), beating(90))
    assert found.dynamic is not None
    assert found.dynamic.voxels == 2
    assert found.dynamic.mean == pytest.approx(10 / math.sqrt(2))
    assert found.dynamic.relative_mean == pytest.approx(0.1)
    assert found.curves.mean == pytest.approx(10 / math.sqrt(2) * 2 / 30)
    assert "10.00 %" in str(found)


def test_a_sequence_in_which_nothing_moves_has_no_dynamic_curves() -> None:
    still = np.full((3, 1, 2, 2, 1), 7, np.uint8)
    found = temporal_fidelity(still, still + 1)
    assert found.dynamic is None
    assert found.curves.relative_mean is None
    assert "none varies" in str(found)


@given(seed=st.integers(0, 99))
def test_the_order_of_frames_and_of_the_two_does_not_matter_to_curves(seed: int) -> None:
    random = np.random.default_rng(seed)
    one, other = random.integers(0, 999, (2, 6, 2, 3, 4, 1)).astype(np.uint16)
    shuffled = random.permutation(6)
    found = temporal_fidelity(one, other)
    assert temporal_fidelity(one[shuffled], other[shuffled]).curves.mean == pytest.approx(found.curves.mean)
    assert temporal_fidelity(other, one).curves.mean == pytest.approx(found.curves.mean)
    expected = np.sqrt(((other.astype(float) - one) ** 2).mean(axis=0))
    assert found.curves.mean == pytest.approx(expected.mean())
    assert found.curves.percentile_95 == pytest.approx(np.percentile(expected, 95, method="higher"))


def test_samples_that_are_not_numbers_count_only_where_one_is() -> None:
    original = beating()
    original[3, 0, 2, 2] = np.nan
    assert temporal_fidelity(original, original.copy()).curves.mean == 0
    other = original.copy()
    other[3, 0, 2, 2] = 1
    assert temporal_fidelity(original, other).frames[3].maximum == math.inf


def test_a_sample_that_is_no_number_changes_no_figure_of_its_curve_but_their_count() -> None:
    """A curve of 39 samples is that of 39 samples: NaN is not taken for zero."""
    original, other = beating(), beating() + 2
    original[3, 0, 2, 2] = other[3, 0, 2, 2] = np.nan
    found = temporal_fidelity(original, other)
    assert found.frames[3].mean == 2
    assert found.curves.mean == pytest.approx(2)
    # The constant voxel with NaN in it has not become dynamic.
    assert found.dynamic is not None
    assert found.dynamic.voxels == 2


@pytest.mark.parametrize(("before", "after"), [(np.nan, np.inf), (np.inf, -np.inf), (-np.inf, np.nan), (np.inf, 5.0)])
def test_what_is_not_finite_must_stay_as_it_is(before: float, after: float) -> None:
    original, other = beating(), beating()
    original[3, 0, 2, 2], other[3, 0, 2, 2] = before, after
    assert temporal_fidelity(original, other).frames[3].maximum == math.inf
    assert temporal_fidelity(original, original.copy()).frames[3].maximum == 0


def test_voxels_without_any_number_have_no_curve() -> None:
    original = beating()
    original[:, 0, 4] = np.nan
    assert temporal_fidelity(original, original.copy()).curves.voxels == 24
    nothing = np.full((2, 1, 2, 2, 1), np.nan)
    assert temporal_fidelity(nothing, nothing.copy()).curves.voxels == 0


def test_voxels_that_all_follow_the_same_wave_are_all_dynamic() -> None:
    found = temporal_fidelity(beating(dynamic=6), beating(90, dynamic=6))
    assert found.dynamic is not None
    assert found.dynamic.voxels == 6


def test_each_frame_is_asked_for_once_and_let_go_of() -> None:
    alive: list[weakref.ref[np.ndarray]] = []

    def frames() -> Iterator[np.ndarray]:
        for frame in beating():
            held = frame.copy()
            alive.append(weakref.ref(held))
            yield held
            del held
            assert sum(one() is not None for one in alive) <= 4

    found = temporal_fidelity(frames(), frames())
    assert len(alive) == 2 * FRAMES
    assert found == temporal_fidelity(beating(), beating())


def test_different_shapes_are_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="one shape"):
        temporal_fidelity(beating(), beating()[:-1])
    with pytest.raises(UnsupportedImageError, match="one shape"):
        temporal_fidelity(beating()[:, :, :4], beating())


def test_values_are_compared_whatever_their_types() -> None:
    assert temporal_fidelity(beating(), beating().astype(np.float32) + 1).curves.mean == pytest.approx(1)


def test_frames_are_told_by_their_index_values() -> None:
    found = temporal_fidelity(beating()[:2], beating()[:2], ["0", "2.5"])
    assert str(found).splitlines()[1].startswith("frame 1 (2.5): maximum 0")
    assert json.loads(json.dumps(found.to_json()))["values"] == ["0", "2.5"]
    assert str(temporal_fidelity(beating()[:2], beating()[:2])).startswith("frame 0: ")
    with pytest.raises(UnsupportedImageError, match="2 frames need as many index values, not 3"):
        temporal_fidelity(beating()[:2], beating()[:2], ["0", "1", "2"])


def test_a_single_frame_has_errors_but_no_dynamic_curves() -> None:
    found = temporal_fidelity(beating()[:1], beating()[:1] + 3)
    assert found.frames[0].root_mean_square == found.curves.mean == 3
    assert found.curves.relative_mean is None
    assert found.dynamic is None


def test_no_copy_of_a_sequence_is_made() -> None:
    """Three hundred frames of one read-only memory take no more than some frames do."""
    voxels = np.broadcast_to(np.int16(7), (300, 4, 32, 32, 1))
    tracemalloc.start()
    try:
        assert temporal_fidelity(voxels, voxels).curves.mean == 0
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 30 * voxels[0].size * 8


def test_the_command_takes_other_files_and_warns_of_another_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    axis = FrameAxis(("0", "10", "20"), "time", "ms")
    image = Image(np.round(beating()[:3]).astype(np.int16), dimension=4, frame_axis=axis)
    write_image(image, tmp_path / "here.seq.nrrd")
    compress(image, tmp_path / "here.mcz")
    compress(replace(image, geometry=Geometry((1.0, 2.0, 3.0))), tmp_path / "there.mcz")
    assert main(["frames", str(tmp_path / "here.seq.nrrd"), str(tmp_path / "here.mcz")]) == 0
    assert "frame 2 (20): maximum 0" in capsys.readouterr().out
    assert not caplog.records
    assert main(["frames", str(tmp_path / "here.seq.nrrd"), str(tmp_path / "there.mcz")]) == 0
    assert "different places" in caplog.text


def test_the_command_compares_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voxels = np.round(beating()).astype(np.int16)
    image = Image(voxels, dimension=4, frame_axis=FrameAxis(tuple(map(str, range(FRAMES)))))
    compress(image, tmp_path / "a.mcz")
    compress(image, tmp_path / "b.mcz", target=MaxError(3))
    capsys.readouterr()
    assert main(["frames", str(tmp_path / "a.mcz"), str(tmp_path / "b.mcz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["frames"]) == FRAMES
    assert 0 < max(frame["maximum"] for frame in found["frames"]) <= 3
    assert main(["frames", str(tmp_path / "a.mcz"), str(tmp_path / "a.mcz")]) == 0
    assert "PSNR inf dB" in capsys.readouterr().out
