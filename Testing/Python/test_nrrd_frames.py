"""NRRD files with an axis of frames, of every layout that programs write, and damaged ones."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sequence_files import assert_same, load_as_slicer_does

sitk = pytest.importorskip("SimpleITK")

from SlicerMedCompressLib.errors import InputError, MedCompressError, UnsupportedImageError
from SlicerMedCompressLib.files import read_image
from SlicerMedCompressLib.image import FrameAxis, Kind, same_voxels

STORED = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5, 2)
"""Voxels (slice, row, column, frame) as a file with the frames first has them."""

HEADER = """NRRD0005
# A comment
type: {type}
dimension: 4
space: {space}
sizes: {sizes}
space directions: {directions}
kinds: {kinds}
endian: {endian}
encoding: raw
space origin: (1,2,3)
"""

FIRST = {
    "type": "short",
    "space": "right-anterior-superior",
    "sizes": "2 5 4 3",
    "directions": "none (0.5,0,0) (0,0.25,0) (0,0,2)",
    "kinds": "list domain domain domain",
    "endian": "little",
}


def written(path: Path, voxels: np.ndarray = STORED, more: str = "", **fields: str) -> Path:
    text = HEADER.format(**{**FIRST, **fields})
    path.write_bytes((text + more + "\n").encode() + voxels.tobytes())
    return path


@pytest.mark.parametrize("name", ["old.seq.nrrd", "old.nrrd"])
def test_a_file_with_its_frames_first_gives_frames(tmp_path: Path, name: str) -> None:
    more = 'labels: "time" "" "" ""\nunits: "ms" "" "" ""\naxis 0 index type:=numeric\naxis 0 index values:=10 32.5\n'
    read = read_image(written(tmp_path / name, more=more))
    assert read.voxels[1, 2, 3, 4, 0] == STORED[2, 3, 4, 1]
    assert same_voxels(read.voxels[..., 0], np.ascontiguousarray(np.moveaxis(STORED, -1, 0)))
    assert read.frame_axis == FrameAxis(("10", "32.5"), "time", "ms")
    assert read.geometry.spacing == (0.5, 0.25, 2.0)
    assert read.geometry.origin == (1.0, 2.0, 3.0)
    assert read.name == "old"


def test_slicer_and_medcompress_agree_on_a_file_with_its_frames_first(scene: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "old.seq.nrrd", more="axis 0 index type:=numeric\naxis 0 index values:=10 32.5\n")
    assert_same(read_image(path), load_as_slicer_does(path, scene))


@pytest.mark.parametrize("kind", ["list", "time"])
@pytest.mark.parametrize("name", ["a.seq.nrrd", "a.nrrd"])
def test_a_last_axis_of_frames_gives_frames(tmp_path: Path, name: str, kind: str) -> None:
    directions = "(0.5,0,0) (0,0.25,0) (0,0,2) none"
    path = written(tmp_path / name, sizes="5 4 3 2", kinds=f"domain domain domain {kind}", directions=directions)
    read = read_image(path)
    assert read.voxels.shape == (2, 3, 4, 5, 1)
    assert same_voxels(read.voxels.reshape(-1), STORED.reshape(-1))
    assert read.frame_axis == FrameAxis(("0", "1"), "time" if kind == "time" else "frame")


@pytest.mark.parametrize(
    ("space", "origin"),
    [
        ("right-anterior-superior", (1.0, 2.0, 3.0)),
        ("LAS", (-1.0, 2.0, 3.0)),
        ("left-posterior-superior", (-1.0, -2.0, 3.0)),
    ],
)
def test_every_space_becomes_ras(tmp_path: Path, space: str, origin: tuple[float, float, float]) -> None:
    geometry = read_image(written(tmp_path / "a.seq.nrrd", space=space)).geometry
    assert geometry.origin == origin
    assert np.diag(geometry.directions).tolist() == [origin[0], origin[1] / 2, 1.0]


def test_steps_without_a_space_are_read(tmp_path: Path) -> None:
    text = (
        "NRRD0004\ntype: short\ndimension: 4\nsizes: 5 4 3 2\nspacings: 0.7 0.8 2.5 1.5\n"
        'kinds: space space space time\nunits: "mm" "mm" "mm" "ms"\nendian: little\nencoding: raw\n\n'
    )
    (tmp_path / "a.nrrd").write_bytes(text.encode() + STORED.tobytes())
    read = read_image(tmp_path / "a.nrrd")
    assert read.geometry.spacing == (0.7, 0.8, 2.5)
    assert read.frame_axis == FrameAxis(("0", "1.5"), "time", "ms")


def test_big_endian_voxels_and_data_in_a_file_beside_are_read(tmp_path: Path) -> None:
    text = HEADER.format(**{**FIRST, "endian": "big"}).replace("raw", "gzip") + "data file: a.raw.gz\n"
    (tmp_path / "a.seq.nhdr").write_text(text)
    (tmp_path / "a.raw.gz").write_bytes(gzip.compress(STORED.astype(">i2").tobytes()))
    read = read_image(tmp_path / "a.seq.nhdr")
    assert same_voxels(read.voxels[..., 0], np.ascontiguousarray(np.moveaxis(STORED, -1, 0)))
    assert read.name == "a"


def test_frames_first_take_twice_their_memory_and_frames_last_once(tmp_path: Path) -> None:
    voxels = np.zeros((40, 50, 60, 50), np.int16)
    last = {"sizes": "50 60 50 40", "kinds": "domain domain domain list"}
    last["directions"] = "(0.5,0,0) (0,0.25,0) (0,0,2) none"
    for fields, most in (({"sizes": "50 60 50 40"}, 2.1), (last, 1.1)):
        path = written(tmp_path / "a.seq.nrrd", voxels, **fields)
        tracemalloc.start()
        read_image(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most * voxels.nbytes


def test_layers_of_a_segmentation_and_diffusion_are_no_frames(tmp_path: Path) -> None:
    for more in ("modality:=DWMRI\n", "Segment0_ID:=a\n"):
        assert read_image(written(tmp_path / "a.nrrd", more=more)).frame_axis is None
    assert read_image(written(tmp_path / "a.seg.nrrd", STORED // 100), Kind.SEGMENTATION).kind is Kind.SEGMENTATION


def test_a_list_is_components_where_the_user_says_so(tmp_path: Path) -> None:
    read = read_image(written(tmp_path / "a.nrrd"), Kind.VECTOR)
    assert read.frame_axis is None
    assert read.voxels.shape == (1, 3, 4, 5, 2)


def test_labels_are_recognized_by_class_and_by_name(tmp_path: Path) -> None:
    assert read_image(written(tmp_path / "a.seq.nrrd")).kind is Kind.SCALAR
    assert read_image(written(tmp_path / "a_label.seq.nrrd")).kind is Kind.LABEL
    label = written(tmp_path / "b.seq.nrrd", more="DataNodeClassName:=vtkMRMLLabelMapVolumeNode\n")
    assert read_image(label).kind is Kind.LABEL
    assert read_image(label, Kind.SCALAR).kind is Kind.SCALAR


def test_frames_keep_attributes_of_their_own(tmp_path: Path) -> None:
    more = (
        "axis 0 item 0000 time of day:=9\naxis 0 item 0001 time of day:=10\n"
        "axis 0 item 0000 device:=A\naxis 0 item 0001 device:=A\nof all:=x\naxis 0 item 7777 none:=x\n"
    )
    read = read_image(written(tmp_path / "a.seq.nrrd", more=more))
    assert read.attributes == {"device": "A", "of all": "x"}
    assert read.frame_axis is not None
    assert read.frame_axis.attributes == ({"time of day": "9"}, {"time of day": "10"})


def test_a_type_that_is_not_supported_is_told_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match=r"a\.seq\.nrrd.*int64"):
        read_image(written(tmp_path / "a.seq.nrrd", type="int64"))


@pytest.mark.parametrize(
    ("fields", "more", "problem"),
    [
        ({"sizes": "2 5 4 4"}, "", "ends before its last voxel"),
        ({"sizes": "2 50000 50000 50000"}, "", "ends before its last voxel"),
        ({}, "byte skip: -1\n", "unusual place"),
        ({}, "line skip: 2\n", "unusual place"),
        ({}, "data file: ../secret.raw\n", "not in one file beside it"),
        ({}, "data file: /etc/hostname\n", "not in one file beside it"),
        ({}, "data file: a%03d.raw 1 2 1\n", "not in one file beside it"),
        ({}, "data file: gone.raw\n", "No such file"),
        ({}, "data file: a\0b\n", "the name of its data file is none"),
        ({}, "byte skip: x\n", "unusual place"),
        ({}, "byte skip: 9999999\n", "ends before its last voxel"),
        ({}, "encoding: hex\n", 'its encoding is "hex"; save it with raw or gzip'),
    ],
)
def test_damaged_and_hostile_files_are_told(tmp_path: Path, fields: dict[str, str], more: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read_image(written(tmp_path / "a.seq.nrrd", more=more, **fields))


def test_a_header_cannot_claim_more_than_its_file_could_hold(tmp_path: Path) -> None:
    text = HEADER.format(**{**FIRST, "sizes": "2 60000 60000 3000"}).replace("raw", "gzip")
    (tmp_path / "a.seq.nrrd").write_bytes(text.encode() + b"\n" + gzip.compress(bytes(1000)))
    tracemalloc.start()
    with pytest.raises(InputError, match="ends before"):
        read_image(tmp_path / "a.seq.nrrd")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


@settings(max_examples=150)
@given(place=st.integers(0, 420), new=st.binary(min_size=0, max_size=6))
def test_any_change_of_a_header_is_an_image_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, place: int, new: bytes
) -> None:
    path = tmp_path_factory.mktemp("mutated") / "a.seq.nrrd"
    more = "axis 0 index type:=numeric\naxis 0 index values:=0 1\naxis 0 item 0000 a:=b\n"
    whole = written(path, more=more).read_bytes()
    path.write_bytes(whole[:place] + new + whole[place + 3 :])
    try:
        read_image(path)
    except MedCompressError as error:
        assert str(error)
