"""The one sequence of a scene bundle is read as Slicer wrote it, and hostile bundles are one sentence."""

from __future__ import annotations

import os
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_images import OBLIQUE, head, scalar
from hypothesis import given, settings
from hypothesis import strategies as st

sitk = pytest.importorskip("SimpleITK")

from SlicerMedCompressLib.cli import main
from SlicerMedCompressLib.errors import InputError, MedCompressError, UnsupportedImageError
from SlicerMedCompressLib.files import read_image, write_image
from SlicerMedCompressLib.image import FrameAxis, Image, Kind, same_voxels

VECTOR_TYPE = "MedCompress.VoxelVectorType"
UNEVEN = FrameAxis(("10.5", "20.5", "31"), "trigger time", "ms")


def sequence_of(kind: Kind = Kind.SCALAR, axis: FrameAxis = UNEVEN) -> Image:
    voxels = np.stack([head((4, 10, 12)) % 90 + number for number in range(len(axis.values))])[..., np.newaxis]
    if kind in (Kind.COLOR, Kind.VECTOR):
        voxels = np.repeat(voxels, 3, axis=-1).astype(np.uint8)
    return Image(voxels, geometry=OBLIQUE, kind=kind, name="my sequence", dimension=4, frame_axis=axis)


def add_to(scene: Any, image: Image) -> Any:
    from SlicerMedCompressLib.scene.conversion import image_to_node

    return image_to_node(image, scene)


def save_scene(scene: Any, path: Path) -> Path:
    scene.SetRootDirectory(os.fspath(path.parent))
    assert scene.WriteToMRB(os.fspath(path))
    return path


def save_sequence(scene: Any, node: Any, path: Path) -> Path:
    """A sequence alone, each frame in a file of its own, as Slicer does where frames differ."""
    import slicer

    storage = slicer.vtkMRMLSequenceStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(os.fspath(path))
    assert storage.WriteData(node)
    return path


def assert_same(read: Image, expected: Image, name: str, frame_names: tuple[str, ...] = ()) -> None:
    assert same_voxels(read.voxels, expected.voxels)
    assert (read.name, read.kind, read.dimension) == (name, expected.kind, 4)
    assert np.allclose(read.geometry.ijk_to_ras, expected.geometry.ijk_to_ras, rtol=1e-12, atol=1e-9)
    assert expected.frame_axis is not None
    assert read.frame_axis == replace(expected.frame_axis, names=frame_names)


@pytest.mark.parametrize("kind", [Kind.SCALAR, Kind.LABEL])
def test_the_sequence_of_a_scene_is_read(scene: Any, tmp_path: Path, kind: Kind) -> None:
    image = sequence_of(kind)
    add_to(scene, image)
    add_to(scene, scalar(head((3, 4, 5)), name="a volume beside it"))
    assert_same(read_image(save_scene(scene, tmp_path / "whole.mrb")), image, "my sequence")


@pytest.mark.parametrize("kind", [Kind.SCALAR, Kind.LABEL])
def test_frames_in_files_of_their_own_are_read(scene: Any, tmp_path: Path, kind: Kind) -> None:
    image = sequence_of(kind)
    path = save_sequence(scene, add_to(scene, image), tmp_path / "cine.seq.mrb")
    assert_same(read_image(path), image, "cine", ("my sequence",) * 3)


def test_index_values_of_any_text_are_read(scene: Any, tmp_path: Path) -> None:
    image = sequence_of(axis=FrameAxis(("a b", "c:d;e", "ü%20"), "phase", "", False))
    path = save_sequence(scene, add_to(scene, image), tmp_path / "cine.seq.mrb")
    assert_same(read_image(path), image, "cine", ("my sequence",) * 3)


def test_a_bundle_in_a_scene_is_read(scene: Any, tmp_path: Path) -> None:
    import slicer

    image = sequence_of()
    node = add_to(scene, image)
    storage = slicer.vtkMRMLSequenceStorageNode()
    scene.AddNode(storage)
    node.SetAndObserveStorageNodeID(storage.GetID())
    storage.SetFileName(os.fspath(tmp_path / "inner.seq.mrb"))
    path = save_scene(scene, tmp_path / "whole.mrb")
    with zipfile.ZipFile(path) as archive:
        assert any(name.endswith(".seq.mrb") for name in archive.namelist())
    assert_same(read_image(path), image, "my sequence", ("my sequence",) * 3)


def test_a_bundle_goes_through_the_terminal(scene: Any, tmp_path: Path) -> None:
    image = sequence_of()
    path = save_sequence(scene, add_to(scene, image), tmp_path / "cine.seq.mrb")
    assert main(["compress", os.fspath(path), os.fspath(tmp_path / "a.mcz")]) == 0
    assert main(["decompress", os.fspath(tmp_path / "a.mcz"), os.fspath(tmp_path / "b.seq.nrrd")]) == 0
    assert_same(read_image(tmp_path / "b.seq.nrrd"), image, "b")


@pytest.mark.parametrize(("vector_type", "kind"), [("colorRGB", Kind.COLOR), ("undefined", Kind.VECTOR)])
def test_frames_of_colors_and_vectors_are_read(scene: Any, tmp_path: Path, vector_type: str, kind: Kind) -> None:
    image = replace(sequence_of(kind), attributes={VECTOR_TYPE: vector_type})
    path = save_sequence(scene, add_to(scene, image), tmp_path / "cine.seq.mrb")
    assert_same(read_image(path), image, "cine", ("my sequence",) * 3)
    assert read_image(path).attributes == {VECTOR_TYPE: vector_type}


def test_frames_of_vectors_in_space_are_refused_with_what_to_do(scene: Any, tmp_path: Path) -> None:
    image = replace(sequence_of(Kind.VECTOR), attributes={VECTOR_TYPE: "spatial"})
    path = save_sequence(scene, add_to(scene, image), tmp_path / "cine.seq.mrb")
    with pytest.raises(UnsupportedImageError, match=r"vectors in space, which are read from \.seq\.nrrd only"):
        read_image(path)


def test_frames_that_differ_are_told(scene: Any, tmp_path: Path) -> None:
    node = add_to(scene, sequence_of())
    node.GetNthDataNode(1).SetSpacing(9, 9, 9)
    path = save_sequence(scene, node, tmp_path / "cine.seq.mrb")
    with pytest.raises(UnsupportedImageError, match=r"cine\.seq\.mrb.*frame 1 differs from the first in geometry"):
        read_image(path)


@pytest.mark.parametrize("count", [0, 2])
def test_a_scene_of_no_sequence_or_several_is_told(scene: Any, tmp_path: Path, count: int) -> None:
    add_to(scene, scalar(head((3, 4, 5)), name="volume"))
    for number in range(count):
        add_to(scene, replace(sequence_of(), name=f"sequence {number}"))
    with pytest.raises(InputError, match=rf"holds {count or 'no'} sequences.*save each sequence as \.seq\.nrrd"):
        read_image(save_scene(scene, tmp_path / "whole.mrb"))


SCENE = '<Sequence id="s" name="n" references="storage:d;"/><VolumeSequenceStorage id="d" fileName="{file}"/>'
DATA = "a/Data/n.seq.nrrd"


GOOD = SCENE.format(file="Data/n.seq.nrrd")


def bundle(path: Path, scene: str = GOOD, members: dict[str, bytes] | None = None) -> Path:
    """A bundle made by hand; by default a good one, of a sequence in one file."""
    if members is None:
        write_image(sequence_of(), path.with_name("n.seq.nrrd"))
        members = {DATA: path.with_name("n.seq.nrrd").read_bytes()}
        path.with_name("n.seq.nrrd").unlink()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/a.mrml", scene if scene.startswith("<?") else f"<MRML>{scene}</MRML>")
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_bundle_made_by_hand_is_read(tmp_path: Path) -> None:
    assert_same(read_image(bundle(tmp_path / "a.mrb")), sequence_of(), "n")


@pytest.mark.parametrize(
    "file", ["../../outside.seq.nrrd", "/etc/outside.seq.nrrd", "..%2F..%2Foutside.seq.nrrd", "Data/gone.seq.nrrd"]
)
def test_data_are_taken_from_the_bundle_only(tmp_path: Path, file: str) -> None:
    write_image(sequence_of(), tmp_path / "outside.seq.nrrd")
    with pytest.raises(InputError, match="which its scene names"):
        read_image(bundle(tmp_path / "a.mrb", SCENE.format(file=file)))


def test_nothing_is_written_where_a_bundle_says(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_image(sequence_of(), tmp_path / "n.seq.nrrd")
    members = {"../../evil.seq.nrrd": (tmp_path / "n.seq.nrrd").read_bytes()}
    # The member is found under this name, and unpacked under another.
    read = read_image(bundle(folder / "a.mrb", SCENE.format(file="../../../evil.seq.nrrd"), members | alike(members)))
    assert read.frame_axis == UNEVEN
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.mrb", "folder", "n.seq.nrrd"]


def alike(members: dict[str, bytes]) -> dict[str, bytes]:
    """The same members under the name that the scene's folder makes of them."""
    return {f"a/../{name}": content for name, content in members.items()}


def test_document_types_and_with_them_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><MRML>&b;</MRML>'
    with pytest.raises(InputError, match="document type"):
        read_image(bundle(tmp_path / "a.mrb", bomb, {}))


def test_members_that_grow_without_measure_are_not_opened(tmp_path: Path) -> None:
    bomb = bundle(tmp_path / "a.mrb", members={DATA: bytes(1 << 26)})
    tracemalloc.start()
    with pytest.raises(InputError, match="grows more than 1000 times"):
        read_image(bomb)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_a_scene_of_unlikely_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("SlicerMedCompressLib.mrb_files.MAXIMUM_SCENE_BYTES", 20)
    with pytest.raises(InputError, match="too large to be one"):
        read_image(bundle(tmp_path / "a.mrb"))


def test_a_full_disk_is_told_before_anything_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 100})())
    with pytest.raises(InputError, match="no room on the disk"):
        read_image(bundle(tmp_path / "a.mrb"))


def test_bundles_within_bundles_end(tmp_path: Path) -> None:
    scene = SCENE.format(file="Data/n.seq.mrb")
    inner = bundle(tmp_path / "inner.mrb").read_bytes()
    for _ in range(2):
        inner = bundle(tmp_path / "outer.mrb", scene, {"a/Data/n.seq.mrb": inner}).read_bytes()
    with pytest.raises(InputError, match="bundles within bundles"):
        read_image(tmp_path / "outer.mrb")


@pytest.mark.parametrize(
    ("scene", "problem"),
    [
        ("<Volume id='v'/>", "holds no sequences"),
        ("<Sequence id='s' name='n'/>", "in no file that can be read here"),
        (SCENE.format(file="Data/n.vtk"), "in no file that can be read here"),
        ("<Sequence id='s' singletonTag='SequenceIndex' indexValues=''/>", "without frames"),
        ("<Model id='m'/><Sequence id='s' singletonTag='SequenceIndex' indexValues='m:1'/>", "not volumes"),
        ("<Sequence", "is damaged"),
    ],
)
def test_scenes_without_a_readable_sequence_are_told(tmp_path: Path, scene: str, problem: str) -> None:
    with pytest.raises(MedCompressError, match=problem):
        read_image(bundle(tmp_path / "a.mrb", scene))


def test_a_file_that_is_no_bundle_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mrb").write_bytes(b"no zip")
    with pytest.raises(InputError, match="no scene of Slicer"):
        read_image(tmp_path / "a.mrb")
    with zipfile.ZipFile(tmp_path / "b.mrb", "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(InputError, match="holds 0 scenes"):
        read_image(tmp_path / "b.mrb")


@settings(max_examples=150)
@given(place=st.floats(0, 1), new=st.binary(min_size=1, max_size=8))
def test_any_damage_is_an_image_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, place: float, new: bytes
) -> None:
    path = bundle(tmp_path_factory.mktemp("damaged") / "a.mrb")
    whole = path.read_bytes()
    start = int(place * len(whole))
    path.write_bytes(whole[:start] + new + whole[start + len(new) :])
    try:
        read_image(path)
    except MedCompressError as error:
        assert "a.mrb" in str(error) or "data.seq.nrrd" in str(error)
