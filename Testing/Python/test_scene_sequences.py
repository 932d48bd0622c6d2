"""Sequence nodes come back as they were, frames that differ too, in a real MRML scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_images import described_head, head, scalar, sequence
from hypothesis import given, settings
from hypothesis import strategies as st

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from sequence_nodes import (
    KINDS,
    LABELS,
    LARGE,
    PLAYED,
    SEGMENTS,
    SMALL,
    assert_same_sequence,
    frame_image,
    sequence_of,
    through_a_file,
)

from SlicerMedCompressLib.appearance import Display
from SlicerMedCompressLib.container.guarantee import LOSS_ATTRIBUTE
from SlicerMedCompressLib.errors import Cancelled, CorruptFileError, InputError, UnsupportedImageError
from SlicerMedCompressLib.image import FrameAxis, Geometry, Kind, same_voxels
from SlicerMedCompressLib.mixed_sequence import MixedSequence
from SlicerMedCompressLib.playback import Browser
from SlicerMedCompressLib.scene.browsers import browser_of, new_browser
from SlicerMedCompressLib.scene.conversion import content_to_node, node_to_content, node_to_image
from SlicerMedCompressLib.scene.logic import MedCompressLogic
from SlicerMedCompressLib.scene.volumes import volume_to_image
from SlicerMedCompressLib.targets import BitsPerVoxel, MaxError, Psnr, Ratio


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_every_kind_come_back(scene: Any, tmp_path: Path, kind: str) -> None:
    node = sequence_of(scene, [KINDS[kind]] * 3)
    assert isinstance(node_to_content(node), MixedSequence) == (kind == "segments")
    assert_same_sequence(node, through_a_file(node, tmp_path / "a.mcz"))


@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=6))
@settings(max_examples=12)
def test_any_mixture_of_frames_comes_back(kinds: list[str]) -> None:
    from tempfile import TemporaryDirectory

    from SlicerMedCompressLib.scene.standalone import new_scene

    standalone = new_scene()
    with TemporaryDirectory() as folder:
        node = sequence_of(standalone.scene, [KINDS[kind] for kind in kinds])
        assert_same_sequence(node, through_a_file(node, Path(folder) / "a.mcz", preset="fast"))
    standalone.scene.Clear(1)


def test_frames_that_follow_and_are_alike_share_a_part(scene: Any) -> None:
    node = sequence_of(scene, [SMALL, SMALL, LARGE, SMALL, SEGMENTS, SEGMENTS])
    content = node_to_content(node)
    assert isinstance(content, MixedSequence)
    assert content.numbers == ((0, 1), (2,), (3,), (4,), (5,))
    assert content.parts[0].frame_axis == FrameAxis(("0", "40"), "trigger", "ms", True, ("f0", "f1"))


def test_attributes_of_single_frames_come_back(scene: Any, tmp_path: Path) -> None:
    frames = [
        replace(
            SMALL, attributes={"all": "same", "DICOM.instanceUIDs": f"1.2.{number}"} | ({"odd": ""} if number else {})
        )
        for number in range(3)
    ]
    node = sequence_of(scene, frames)
    image = node_to_image(node)
    assert image.attributes == {"all": "same"}
    assert image.frame_axis is not None
    assert image.frame_axis.attributes[0] == {"DICOM.instanceUIDs": "1.2.0"}
    assert image.frame_axis.attributes[2] == {"DICOM.instanceUIDs": "1.2.2", "odd": ""}
    reloaded = through_a_file(node, tmp_path / "a.mcz")
    assert_same_sequence(node, reloaded)
    assert node_to_image(reloaded).frame_axis == image.frame_axis


def test_attributes_of_the_sequence_itself_come_back(scene: Any, tmp_path: Path) -> None:
    for number, frames in enumerate(([SMALL] * 3, [SMALL, LARGE, LARGE])):
        node = sequence_of(scene, frames)
        node.SetAttribute("Trigger", "R peak")
        node.SetAttribute("DICOM.note", "ä\nb")
        reloaded = through_a_file(node, tmp_path / f"{number}.mcz")
        # Slicer notes the class of the frames by itself.
        assert set(reloaded.GetAttributeNames()) - {"DataNodeClassName"} == {"Trigger", "DICOM.note"}
        assert reloaded.GetAttribute("DICOM.note") == "ä\nb"
        assert reloaded.GetNthDataNode(0).GetAttribute("Trigger") is None


def test_a_text_index_and_names_of_any_letters_come_back(scene: Any, tmp_path: Path) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Phasen")
    node.SetIndexType(node.TextIndex)
    node.SetIndexName("Phase")
    for value, name in (("systolisch ü", "頭"), ("diastolisch", "a b\nc")):
        node.SetDataNodeAtValue(content_to_node(LARGE, scene, name), value)
    reloaded = through_a_file(node, tmp_path / "a.mcz")
    assert_same_sequence(node, reloaded)
    assert reloaded.GetName() == "Phasen_1"


@pytest.mark.parametrize("segments", [0, 2])
def test_segmentations_with_nothing_drawn_come_back_empty(scene: Any, tmp_path: Path, segments: int) -> None:
    node = sequence_of(scene, [SEGMENTS])
    blank = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "gone")
    for number in range(segments):
        blank.GetSegmentation().AddEmptySegment(f"S{number}", f"tumor {number}", (1.0, 0.5, 0.25))
    node.SetDataNodeAtValue(blank, "40")
    new_browser(Browser(selected_item=1), node, scene)
    reloaded = through_a_file(node, tmp_path / "a.mcz")
    assert_same_sequence(node, reloaded)
    decoded = reloaded.GetNthDataNode(1).GetSegmentation()
    assert decoded.GetNumberOfSegments() == segments
    for number in range(segments):
        assert decoded.GetNthSegment(number).GetRepresentation("Binary labelmap").IsEmpty()


def test_a_part_that_was_damaged_leaves_the_scene_as_it_was(scene: Any, tmp_path: Path) -> None:
    MedCompressLogic().compress(sequence_of(scene, [SMALL, LARGE, LABELS]), tmp_path / "a.mcz")
    data = bytearray((tmp_path / "a.mcz").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "a.mcz").write_bytes(bytes(data))
    nodes = scene.GetNumberOfNodes()
    with pytest.raises(CorruptFileError, match=r"a\.mcz.*parts/"):
        MedCompressLogic().load(tmp_path / "a.mcz")
    assert scene.GetNumberOfNodes() == nodes


def test_a_frame_that_cannot_be_compressed_is_named(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [SMALL])
    node.SetDataNodeAtValue(scene.AddNewNodeByClass("vtkMRMLLinearTransformNode"), "99")
    with pytest.raises(UnsupportedImageError, match=r'Frame 1 of the sequence "seq".*seq\.mrb'):
        MedCompressLogic().compress(node, tmp_path / "a.mcz")
    assert list(tmp_path.iterdir()) == []


def test_what_needs_one_image_refuses_frames_that_differ(scene: Any) -> None:
    node = sequence_of(scene, [SMALL, LARGE])
    with pytest.raises(UnsupportedImageError, match="needs a single image"):
        MedCompressLogic().sweep(node, ["jpegls"])


def test_each_part_keeps_a_bound_and_labels_keep_every_voxel(scene: Any, tmp_path: Path) -> None:
    frames = [SMALL, SMALL, LABELS, LARGE, SEGMENTS]
    node = sequence_of(scene, frames)
    logic = MedCompressLogic()
    result = logic.compress(node, tmp_path / "a.mcz", target=MaxError(3))
    assert result.maximum_error == result.reached == 3
    assert [part.guarantee == "identical to the original" for part in result.parts] == [False, True, False, True]
    assert "2 of 4 parts identical" in str(result)
    reloaded = logic.load(tmp_path / "a.mcz")
    for number, original in enumerate(frames):
        decoded = frame_image(reloaded.GetNthDataNode(number))
        allowed = 0 if original.kind in (Kind.LABEL, Kind.SEGMENTATION) else 3
        assert np.abs(decoded.voxels.astype(int) - original.voxels).max() <= allowed
        assert (LOSS_ATTRIBUTE in decoded.attributes) == (allowed > 0)


def test_each_part_reaches_a_psnr(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [scalar(head((12, 40, 42))), scalar(head((12, 44, 42)))])
    result = MedCompressLogic().compress(node, tmp_path / "a.mcz", target=Psnr(40))
    assert all(part.psnr == pytest.approx(40, abs=0.3) for part in result.parts)
    assert result.psnr == min(part.psnr for part in result.parts)


@pytest.mark.parametrize("target", [Ratio(10), BitsPerVoxel(1)])
def test_a_size_for_frames_that_differ_is_refused(scene: Any, tmp_path: Path, target: Any) -> None:
    with pytest.raises(UnsupportedImageError, match="a largest error or a PSNR"):
        MedCompressLogic().compress(sequence_of(scene, [SMALL, LARGE]), tmp_path / "a.mcz", target=target)


def test_loss_of_labels_alone_is_refused(scene: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="labels"):
        MedCompressLogic().compress(sequence_of(scene, [LABELS, SEGMENTS]), tmp_path / "a.mcz", target=MaxError(2))


def test_a_lossless_region_of_frames_that_differ_is_refused(scene: Any, tmp_path: Path) -> None:
    region = content_to_node(SEGMENTS, scene)
    node = sequence_of(scene, [SMALL, LARGE])
    with pytest.raises(UnsupportedImageError, match="no region is the same in all"):
        MedCompressLogic().compress(node, tmp_path / "a.mcz", target=MaxError(2), losslessRegion=region)


def test_a_codec_codes_the_parts_that_it_suits(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [SMALL, SEGMENTS])
    result = MedCompressLogic().compress(node, tmp_path / "a.mcz", codec="crackle")
    assert [part.codec.startswith("crackle") for part in result.parts] == [False, True]
    with pytest.raises(UnsupportedImageError):
        MedCompressLogic().compress(sequence_of(scene, [SMALL, LARGE]), tmp_path / "b.mcz", codec="crackle")


def test_what_was_lost_of_single_frames_before_stays_told(scene: Any, tmp_path: Path) -> None:
    frames = [replace(SMALL, attributes={LOSS_ATTRIBUTE: f"much of {number}"}) for number in range(2)]
    reloaded = through_a_file(sequence_of(scene, frames), tmp_path / "a.mcz", target=MaxError(2))
    told = reloaded.GetNthDataNode(1).GetAttribute(LOSS_ATTRIBUTE)
    assert "more than 2" in told
    assert told.endswith("before that, much of 1")


def test_a_reconstruction_of_a_mixed_sequence_is_beside_it(scene: Any) -> None:
    node = sequence_of(scene, [SMALL, LARGE, SEGMENTS])
    new_browser(PLAYED, node, scene)
    logic = MedCompressLogic()
    twin = logic.reconstruct(node, codec="jpegls")
    assert_same_sequence(node, twin)
    assert twin.GetName().startswith("seq (JPEG-LS")
    assert browser_of(twin).GetName() == "player_1"


def test_progress_goes_over_all_parts_and_cancelling_leaves_nothing(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [SMALL, LARGE, LABELS])
    seen: list[float] = []
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz", progress=lambda done, _: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    before = (tmp_path / "a.mcz").read_bytes()
    with pytest.raises(Cancelled):
        logic.compress(node, tmp_path / "a.mcz", progress=lambda done, _: done < 0.7)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mcz"]
    assert (tmp_path / "a.mcz").read_bytes() == before
    nodes = scene.GetNumberOfNodes()
    with pytest.raises(Cancelled):
        logic.load(tmp_path / "a.mcz", progress=lambda done, _: done < 0.7)
    assert scene.GetNumberOfNodes() == nodes


def test_a_sequence_that_cannot_be_completed_leaves_the_scene_as_it_was(
    scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = sequence_of(scene, [SMALL, LARGE])
    new_browser(PLAYED, node, scene)
    MedCompressLogic().compress(node, tmp_path / "a.mcz")
    before = [scene.GetNthNode(number).GetID() for number in range(scene.GetNumberOfNodes())]

    def failing(*_: object) -> None:
        raise ValueError("no such display")

    monkeypatch.setattr("SlicerMedCompressLib.scene.sequences._show_proxy", failing)
    with pytest.raises(UnsupportedImageError, match="cannot become a node"):
        MedCompressLogic().load(tmp_path / "a.mcz")
    assert [scene.GetNthNode(number).GetID() for number in range(scene.GetNumberOfNodes())] == before


def test_the_original_is_never_changed(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [SMALL, SEGMENTS, described_head()])
    times = [node.GetNthDataNode(number).GetMTime() for number in range(3)]
    browser = new_browser(Browser(), node, scene)
    changed, browsed = node.GetMTime(), browser.GetMTime()
    MedCompressLogic().compress(node, tmp_path / "a.mcz")
    assert [node.GetNthDataNode(number).GetMTime() for number in range(3)] == times
    assert (node.GetMTime(), browser.GetMTime()) == (changed, browsed)


def test_a_sequence_from_an_older_program_is_as_it_was(scene: Any, tmp_path: Path) -> None:
    node = content_to_node(replace(sequence(), display=Display(window=100.0, level=50.0)), scene)
    reloaded = through_a_file(node, tmp_path / "a.mcz")
    assert_same_sequence(node, reloaded)
    assert node_to_image(reloaded).display == node_to_image(node).display


def test_geometry_that_differs_in_the_last_bit_is_kept(scene: Any, tmp_path: Path) -> None:
    near = replace(SMALL, geometry=Geometry(spacing=(1.0, 1.0, 1.0000000000000002)))
    node = sequence_of(scene, [SMALL, near])
    assert_same_sequence(node, through_a_file(node, tmp_path / "a.mcz"))


def test_one_frame_is_loaded_as_a_volume_of_its_own(scene: Any, tmp_path: Path) -> None:
    images = [scalar(head((5, 12, 14)) + number) for number in range(5)]
    MedCompressLogic().compress(sequence_of(scene, images), tmp_path / "beat.mcz")
    node = MedCompressLogic().loadFrame(tmp_path / "beat.mcz", 3)
    assert node.IsA("vtkMRMLScalarVolumeNode")
    assert node.GetName() == "f3"
    assert same_voxels(volume_to_image(node).voxels, images[3].voxels)
    before = scene.GetNumberOfNodes()
    with pytest.raises(InputError, match="counted from 0 to 4"):
        MedCompressLogic().loadFrame(tmp_path / "beat.mcz", 5)
    assert scene.GetNumberOfNodes() == before
