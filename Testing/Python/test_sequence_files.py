"""Sequences go into `.seq.nrrd` and come out as they were; Slicer and MedCompress read each other's."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SHARED_DATA
from generated_images import OBLIQUE, TYPES, full_range, head, scalar, sequence
from hypothesis import given, settings
from hypothesis import strategies as st

sitk = pytest.importorskip("SimpleITK")

from SlicerMedCompressLib.cli import main
from SlicerMedCompressLib.errors import InputError, OutputError
from SlicerMedCompressLib.files import read_image, write_image
from SlicerMedCompressLib.image import FrameAxis, Image, Kind, same_voxels

VECTOR_TYPE = "MedCompress.VoxelVectorType"
REAL = sorted(path for path in (SHARED_DATA / "MR4D").glob("*.nii.gz") if "_label" not in path.name)


def frames_of(
    voxels: np.ndarray,
    kind: Kind = Kind.SCALAR,
    attributes: dict[str, str] | None = None,
    axis: FrameAxis | None = None,
) -> Image:
    count = len(voxels)
    axis = axis or FrameAxis(tuple(f"{2.5 * number:g}" for number in range(count)), "time", "ms")
    return Image(
        voxels,
        geometry=OBLIQUE,
        kind=kind,
        name="cine",
        dimension=4,
        attributes=attributes or {},
        frame_axis=axis,
    )


def of_type(dtype: np.dtype, components: int = 1) -> np.ndarray:
    return full_range(dtype, (3, 4, 7, 9, components))


VECTORS = [
    (Kind.COLOR, "colorRGB", "uint8", 3),
    (Kind.COLOR, "colorRGBA", "uint8", 4),
    (Kind.VECTOR, "spatial", "float32", 3),
    (Kind.VECTOR, "spatial", "int16", 3),
    (Kind.VECTOR, "spatialCovariant", "float64", 3),
    (Kind.VECTOR, "undefined", "uint8", 3),
    (Kind.VECTOR, "undefined", "int16", 2),
]
IMAGES = [
    *(frames_of(of_type(dtype)) for dtype in TYPES if dtype != np.int8),
    frames_of(of_type(np.dtype(np.uint8)), Kind.LABEL),
    frames_of(of_type(np.dtype(np.int16)), attributes={"key": "a\nline \\n, ü", "other": "2"}),
    frames_of(of_type(np.dtype(np.int16)), axis=FrameAxis(("a b", "c:d;e", "ü%20 <&>"), 'ph "ase" ü', "%", False)),
    frames_of(of_type(np.dtype(np.int16)), axis=FrameAxis(("0.5", "1.75", "30"), "trigger time", "s")),
    *(
        frames_of(of_type(np.dtype(dtype), components), kind, {VECTOR_TYPE: vector_type})
        for kind, vector_type, dtype, components in VECTORS
    ),
]


def named(image: Image) -> str:
    assert image.frame_axis is not None
    return f"{image.kind.value}-{image.voxels.dtype}-{image.voxels.shape[-1]}-{image.frame_axis.name[:2]}"


def assert_same(read: Image, expected: Image) -> None:
    """All that a .seq.nrrd keeps; its text keeps geometry to the last bits but one."""
    assert same_voxels(read.voxels, expected.voxels)
    assert read.kind is expected.kind
    assert read.dimension == 4
    assert np.allclose(read.geometry.ijk_to_ras, expected.geometry.ijk_to_ras, rtol=1e-14, atol=1e-12)
    assert dict(read.attributes) == dict(expected.attributes)
    assert read.frame_axis is not None
    assert expected.frame_axis is not None
    assert replace(read.frame_axis, names=()) == replace(expected.frame_axis, names=())


def save_node(node: Any, path: Path, scene: Any, compress: bool) -> None:
    """Write a sequence node by Slicer's own storage node."""
    import slicer

    storage = slicer.vtkMRMLVolumeSequenceStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(os.fspath(path))
    storage.SetUseCompression(compress)
    assert storage.WriteData(node)


def load_node(path: Path, scene: Any) -> Any:
    """A sequence node that Slicer's own storage node reads."""
    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "loaded")
    storage = slicer.vtkMRMLVolumeSequenceStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(os.fspath(path))
    assert storage.ReadData(node), storage.GetUserMessages().GetAllMessagesAsString()
    return node


def save_as_slicer_does(image: Image, path: Path, scene: Any, compress: bool) -> None:
    from SlicerMedCompressLib.scene.conversion import image_to_node

    save_node(image_to_node(image, scene), path, scene, compress)


def load_as_slicer_does(path: Path, scene: Any) -> Image:
    from SlicerMedCompressLib.scene.conversion import node_to_image

    return node_to_image(load_node(path, scene))


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("image", IMAGES, ids=named)
def test_what_slicer_wrote_is_read_as_it_was(scene: Any, tmp_path: Path, image: Image, compress: bool) -> None:
    save_as_slicer_does(image, tmp_path / "cine.seq.nrrd", scene, compress)
    read = read_image(tmp_path / "cine.seq.nrrd")
    assert_same(read, image)
    assert read.name == "cine"


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("image", IMAGES, ids=named)
def test_slicer_loads_what_was_written_as_it_was(scene: Any, tmp_path: Path, image: Image, compress: bool) -> None:
    from SlicerMedCompressLib.scene.conversion import image_to_node, node_to_image

    right_handed = replace(image, geometry=OBLIQUE if np.linalg.det(OBLIQUE.directions) > 0 else turned(OBLIQUE))
    write_image(right_handed, tmp_path / "cine.seq.nrrd", compress)
    loaded = load_as_slicer_does(tmp_path / "cine.seq.nrrd", scene)
    assert_same(loaded, node_to_image(image_to_node(right_handed, scene)))


def turned(geometry: Any) -> Any:
    """The same grid with the slices the other way: Slicer turns left-handed grids when it loads them."""
    rows = tuple((row[0], row[1], -row[2]) for row in geometry.directions)
    return replace(geometry, directions=rows)


def test_voxels_in_a_left_handed_grid_stay_where_they_are_when_slicer_turns_it(scene: Any, tmp_path: Path) -> None:
    left = replace(frames_of(of_type(np.dtype(np.int16))), geometry=turned(OBLIQUE))
    if np.linalg.det(left.geometry.directions) > 0:
        left = replace(left, geometry=OBLIQUE)
    write_image(left, tmp_path / "left.seq.nrrd")
    assert_same(read_image(tmp_path / "left.seq.nrrd"), left)
    loaded = load_as_slicer_does(tmp_path / "left.seq.nrrd", scene)
    assert same_voxels(np.ascontiguousarray(loaded.voxels[:, ::-1]), left.voxels)
    last_slice = left.geometry.ijk_to_ras @ [0, 0, left.voxels.shape[1] - 1, 1]
    assert np.allclose(loaded.geometry.ijk_to_ras[:3, 3], last_slice[:3])


NOT_FOR_SLICER = [
    frames_of(of_type(np.dtype(np.int8))),
    frames_of(of_type(np.dtype(np.float32), 5), Kind.VECTOR, {VECTOR_TYPE: "undefined"}),
    frames_of(of_type(np.dtype(np.uint16), 3), Kind.VECTOR, {VECTOR_TYPE: "undefined"}),
]


@pytest.mark.parametrize("image", [*IMAGES, *NOT_FOR_SLICER], ids=named)
def test_sequences_of_every_type_and_kind_come_back(tmp_path: Path, image: Image) -> None:
    write_image(image, tmp_path / "a.seq.nrrd")
    assert_same(read_image(tmp_path / "a.seq.nrrd"), image)


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12)


@settings(max_examples=60)
@given(
    values=st.lists(TEXTS, min_size=1, max_size=4, unique=True),
    name=TEXTS,
    unit=TEXTS,
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=20),
)
def test_any_index_comes_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], name: str, unit: str, text: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.seq.nrrd"
    voxels = np.arange(len(values) * 8, dtype=np.int16).reshape(len(values), 2, 2, 2, 1)
    axis = FrameAxis(tuple(values), " ".join(name.split()) or "x", " ".join(unit.split()), False)
    image = frames_of(voxels, attributes={"key": text} if text.strip() == text else {}, axis=axis)
    write_image(image, path)
    assert_same(read_image(path), image)


def test_attributes_of_single_frames_pass_from_and_to_slicer(scene: Any, tmp_path: Path) -> None:
    own = ({"time": "9:30"}, {}, {"time": "9:40", "gated": "y"})
    image = frames_of(of_type(np.dtype(np.int16)), attributes={"device": "A"})
    assert image.frame_axis is not None
    image = replace(image, frame_axis=replace(image.frame_axis, attributes=own))
    write_image(image, tmp_path / "a.seq.nrrd")
    node = load_node(tmp_path / "a.seq.nrrd", scene)
    for number, attributes in enumerate(own):
        frame = node.GetNthDataNode(number)
        found = {key: frame.GetAttribute(key) for key in frame.GetAttributeNames() if not key.startswith("Sequences.")}
        assert found == {"device": "A", **attributes}
    save_node(node, tmp_path / "b.seq.nrrd", scene, True)
    assert_same(read_image(tmp_path / "b.seq.nrrd"), image)


def test_attributes_that_would_break_the_header_are_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = frames_of(of_type(np.dtype(np.int16)), attributes={"a: b": "c", "k\nx": "y", "good": "z"})
    write_image(image, tmp_path / "a.seq.nrrd")
    assert read_image(tmp_path / "a.seq.nrrd").attributes == {"good": "z"}
    assert "2 attributes are left out" in caplog.text


def test_frames_too_close_for_slicer_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_image(frames_of(of_type(np.dtype(np.int16)), axis=FrameAxis(("0", "1", "1.0005"))), tmp_path / "a.seq.nrrd")
    assert "Slicer takes frames whose index values differ by less than 0.001" in caplog.text


def test_more_components_than_slicer_loads_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_image(NOT_FOR_SLICER[1], tmp_path / "a.seq.nrrd")
    assert "Slicer loads no sequences of 5 components" in caplog.text


def test_only_images_with_frames_become_sequences(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"without frames needs a name that ends in \.nrrd"):
        write_image(scalar(head((3, 4, 5))), tmp_path / "a.seq.nrrd")
    for name in ("a.seq.mrb", "a.mrb", "a.seq.nhdr"):
        with pytest.raises(OutputError, match=r"\.seq\.nrrd"):
            write_image(sequence(), tmp_path / name)
    with pytest.raises(OutputError, match=r"vectors or colors needs a name that ends in \.seq\.nrrd"):
        write_image(frames_of(of_type(np.dtype(np.uint8), 3), Kind.COLOR), tmp_path / "a.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_frame_without_an_index_value_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="empty index value"):
        write_image(frames_of(of_type(np.dtype(np.int16)), axis=FrameAxis(("", "a", "b"))), tmp_path / "a.seq.nrrd")


def test_a_write_that_loses_voxels_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from SlicerMedCompressLib import sequence_files

    (tmp_path / "a.seq.nrrd").write_bytes(b"old")
    monkeypatch.setattr(sequence_files, "write_voxels", lambda stream, frames, compress: stream.write(b"lost"))
    with pytest.raises(OutputError, match="read back"):
        write_image(sequence(), tmp_path / "a.seq.nrrd")
    assert [path.name for path in tmp_path.iterdir()] == ["a.seq.nrrd"]
    assert (tmp_path / "a.seq.nrrd").read_bytes() == b"old"


def test_damaged_compressed_voxels_are_told(tmp_path: Path) -> None:
    write_image(sequence(), tmp_path / "a.seq.nrrd")
    whole = (tmp_path / "a.seq.nrrd").read_bytes()
    for place, problem in ((-6, "damaged"), (len(whole) // 2, "damaged")):
        damaged = bytearray(whole)
        damaged[place] ^= 255
        (tmp_path / "a.seq.nrrd").write_bytes(damaged)
        with pytest.raises(InputError, match=problem):
            read_image(tmp_path / "a.seq.nrrd")
    (tmp_path / "a.seq.nrrd").write_bytes(whole[:-100])
    with pytest.raises(InputError, match="ends before"):
        read_image(tmp_path / "a.seq.nrrd")


def run(*words: object) -> int:
    return main([os.fspath(word) if isinstance(word, Path) else str(word) for word in words])


@pytest.mark.parametrize("image", [IMAGES[3], IMAGES[-7], IMAGES[-5]], ids=named)
def test_a_sequence_goes_through_the_terminal_and_comes_back(tmp_path: Path, image: Image) -> None:
    write_image(image, tmp_path / "a.seq.nrrd")
    assert run("compress", tmp_path / "a.seq.nrrd", tmp_path / "a.mcz") == 0
    assert run("decompress", tmp_path / "a.mcz", tmp_path / "b.seq.nrrd") == 0
    assert_same(read_image(tmp_path / "b.seq.nrrd"), read_image(tmp_path / "a.seq.nrrd"))


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_nifti_and_slicer_s_sequence_of_it_are_the_same_image(scene: Any, tmp_path: Path, path: Path) -> None:
    image = read_image(path)
    save_as_slicer_does(image, tmp_path / "a.seq.nrrd", scene, False)
    assert_same(read_image(tmp_path / "a.seq.nrrd"), replace(image, attributes={}))
    write_image(image, tmp_path / "b.seq.nrrd", compress=False)
    loaded = load_as_slicer_does(tmp_path / "b.seq.nrrd", scene)
    if np.linalg.det(image.geometry.directions) > 0:
        assert_same(loaded, replace(image, attributes={}))
