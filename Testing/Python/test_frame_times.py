"""Times of the frames of 4D NIfTI and of formats that keep a start and a step only."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from generated_images import sequence

sitk = pytest.importorskip("SimpleITK")

from SlicerMedCompressLib.errors import InputError
from SlicerMedCompressLib.files import read_image, write_image
from SlicerMedCompressLib.image import FrameAxis, Image


def nifti(path: Path, step: float = 2.3, start: float = 0.0, units: int = 10) -> Path:
    """A 4D NIfTI file whose time fields are these."""
    image = sitk.GetImageFromArray(np.zeros((4, 2, 3, 2), np.int16), isVector=False)
    plain = path.with_name("plain.nii")
    sitk.WriteImage(image, os.fspath(plain))
    content = bytearray(plain.read_bytes())
    plain.unlink()
    struct.pack_into("<f", content, 92, step)
    struct.pack_into("<f", content, 136, start)
    content[123] = units
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize(
    ("units", "name", "unit"),
    [(10, "time", "s"), (18, "time", "ms"), (26, "time", "us"), (2, "time", ""), (34, "frequency", "Hz")],
)
def test_nifti_times_are_those_of_the_file_in_its_unit(
    tmp_path: Path, suffix: str, units: int, name: str, unit: str
) -> None:
    axis = read_image(nifti(tmp_path / f"a{suffix}", 2.3, 7.25, units)).frame_axis
    assert axis == FrameAxis(("7.25", "9.55", "11.85", "14.15"), name, unit)


@pytest.mark.parametrize("step", [0.0, -2.0, np.nan, np.inf])
def test_nifti_frames_without_a_step_are_numbered(tmp_path: Path, step: float) -> None:
    try:
        axis = read_image(nifti(tmp_path / "a.nii", step)).frame_axis
    except InputError:
        # SimpleITK refuses some of them itself.
        return
    assert axis == FrameAxis(("0", "1", "2", "3"))


def test_nifti_times_come_back(tmp_path: Path) -> None:
    image = read_image(nifti(tmp_path / "a.nii.gz", 2.3, 7.25))
    write_image(image, tmp_path / "b.nii.gz")
    assert read_image(tmp_path / "b.nii.gz").frame_axis == image.frame_axis


def test_nifti_milliseconds_are_written_as_seconds_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_image(read_image(nifti(tmp_path / "a.nii.gz", 40, 0, 18)), tmp_path / "b.nii.gz")
    assert read_image(tmp_path / "b.nii.gz").frame_axis == FrameAxis(("0", "0.04", "0.08", "0.12"), "time", "s")
    assert "times are written in seconds" in caplog.text


def test_uneven_times_are_told_with_the_format_that_keeps_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_image(sequence(), tmp_path / "a.nii.gz")
    assert ".seq.nrrd keeps any index" in caplog.text
    write_image(sequence(), tmp_path / "a.seq.nrrd")
    axis = read_image(tmp_path / "a.seq.nrrd").frame_axis
    assert axis is not None
    assert axis.values == ("0", "40.5", "81", "130")


def test_a_unit_that_is_no_time_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    axis = FrameAxis(("0", "10", "20"), "phase", "%")
    image = Image(np.zeros((3, 2, 2, 2, 1), np.int16), dimension=4, frame_axis=axis)
    write_image(image, tmp_path / "a.mha")
    assert 'the unit "%" is left out' in caplog.text
    read = read_image(tmp_path / "a.mha").frame_axis
    assert read is not None
    assert read.values == axis.values


def test_times_are_the_decimals_that_someone_wrote(tmp_path: Path) -> None:
    axis = FrameAxis(("0", "2.3", "4.6", "6.9"), "time", "s")
    image = Image(np.zeros((4, 2, 2, 2, 1), np.int16), dimension=4, frame_axis=axis)
    for suffix in (".nrrd", ".nii.gz", ".seq.nrrd", ".mha"):
        write_image(image, tmp_path / f"a{suffix}")
        assert read_image(tmp_path / f"a{suffix}").frame_axis == axis
