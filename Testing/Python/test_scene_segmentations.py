"""Segmentation and sequence nodes come back whole, in a real MRML scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_images import head, scalar, segmentation, sequence
from test_scene_volumes import assert_same_node

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from SlicerMedCompressLib.compression import compress, decompress
from SlicerMedCompressLib.errors import UnsupportedImageError
from SlicerMedCompressLib.files import read_image, write_image
from SlicerMedCompressLib.presets import PRESETS
from SlicerMedCompressLib.scene.conversion import image_to_node, node_to_image
from SlicerMedCompressLib.scene.logic import MedCompressLogic
from SlicerMedCompressLib.scene.nrrd import read_nrrd, write_nrrd
from SlicerMedCompressLib.scene.segmentations import tags_of


@pytest.mark.parametrize("preset", PRESETS)
def test_all_segments_come_back_with_names_ids_colors_and_terminology(scene: Any, tmp_path: Path, preset: str) -> None:
    node = image_to_node(segmentation(), scene)
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz", preset=preset)
    reloaded = logic.load(tmp_path / "a.mcz")
    assert_same_node(reloaded, node)
    first, second = (item.GetSegmentation() for item in (node, reloaded))
    assert list(second.GetSegmentIDs()) == ["S1", "S2", "overlap"]
    for identifier in first.GetSegmentIDs():
        one, other = first.GetSegment(identifier), second.GetSegment(identifier)
        assert (one.GetName(), one.GetColor()) == (other.GetName(), other.GetColor())
        assert tags_of(one) == tags_of(other)
    assert reloaded.GetDisplayNode().GetSegmentOpacity3D("S1") == 0.5
    assert not reloaded.GetDisplayNode().GetSegmentVisibility("S2")


def test_overlapping_segments_keep_their_voxels(scene: Any, tmp_path: Path) -> None:
    node = image_to_node(segmentation(), scene)
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz")
    reloaded = logic.load(tmp_path / "a.mcz")
    for identifier in ("S1", "S2", "overlap"):
        masks = [slicer.util.arrayFromSegmentInternalBinaryLabelmap(item, identifier) for item in (node, reloaded)]
        labels = [item.GetSegmentation().GetSegment(identifier).GetLabelValue() for item in (node, reloaded)]
        assert np.array_equal(masks[0] == labels[0], masks[1] == labels[1])
        assert (masks[0] == labels[0]).any()


def test_segments_drawn_apart_on_one_grid_come_back_in_place(scene: Any, tmp_path: Path) -> None:
    reference = image_to_node(scalar(head((20, 30, 40)), geometry=segmentation().geometry), scene)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    boxes = {"a": np.s_[2:5, 3:9, 30:38], "b": np.s_[4:15, 5:20, 10:35]}
    for name, box in boxes.items():
        identifier = node.GetSegmentation().AddEmptySegment(name, name)
        mask = np.zeros((20, 30, 40), np.uint8)
        mask[box] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identifier, reference)
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz")
    reloaded = logic.load(tmp_path / "a.mcz")
    assert_same_node(reloaded, node)
    for name, box in boxes.items():
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(reloaded, name, reference)
        assert mask[box].all()
        assert mask.sum() == mask[box].size


def test_a_closed_surface_that_was_there_is_made_again(scene: Any, tmp_path: Path) -> None:
    node = image_to_node(segmentation(), scene)
    if not node.CreateClosedSurfaceRepresentation():
        pytest.skip("this build has no converter to closed surfaces")
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz")
    assert logic.load(tmp_path / "a.mcz").GetSegmentation().ContainsRepresentation("Closed surface")


def test_a_segmentation_without_segments_is_refused(scene: Any, tmp_path: Path) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "empty")
    with pytest.raises(UnsupportedImageError, match="has no segments"):
        MedCompressLogic().compress(node, tmp_path / "a.mcz")


def test_a_segmentation_with_nothing_drawn_is_refused(scene: Any, tmp_path: Path) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "blank")
    node.GetSegmentation().AddEmptySegment("a")
    with pytest.raises(UnsupportedImageError):
        MedCompressLogic().compress(node, tmp_path / "a.mcz")


def test_what_slicer_saved_as_seg_nrrd_goes_through_the_terminal_and_back_into_slicer(
    scene: Any, tmp_path: Path
) -> None:
    node = image_to_node(segmentation(), scene)
    write_nrrd(node, tmp_path / "a.seg.nrrd")
    compress(read_image(tmp_path / "a.seg.nrrd"), tmp_path / "a.mcz")
    write_image(decompress(tmp_path / "a.mcz"), tmp_path / "b.seg.nrrd")
    reloaded = read_nrrd(tmp_path / "b.seg.nrrd", node_to_image(node), scene)
    first, second = (item.GetSegmentation() for item in (node, reloaded))
    assert list(first.GetSegmentIDs()) == list(second.GetSegmentIDs())
    for identifier in first.GetSegmentIDs():
        one, other = first.GetSegment(identifier), second.GetSegment(identifier)
        assert one.GetName() == other.GetName()
        assert one.GetColor() == pytest.approx(other.GetColor(), abs=1e-6)
        masks = [slicer.util.arrayFromSegmentInternalBinaryLabelmap(item, identifier) for item in (node, reloaded)]
        assert np.count_nonzero(masks[0] == one.GetLabelValue()) == np.count_nonzero(masks[1] == other.GetLabelValue())


@pytest.mark.parametrize("preset", PRESETS)
def test_a_sequence_comes_back_with_its_times_and_frame_names(scene: Any, tmp_path: Path, preset: str) -> None:
    node = image_to_node(sequence(), scene)
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz", preset=preset)
    reloaded = logic.load(tmp_path / "a.mcz")
    assert_same_node(reloaded, node)
    assert [reloaded.GetNthIndexValue(number) for number in range(4)] == ["0", "40.5", "81", "130"]
    assert reloaded.GetIndexUnit() == "ms"


def test_a_sequence_without_frames_is_refused(scene: Any, tmp_path: Path) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "empty")
    with pytest.raises(UnsupportedImageError, match="no frames"):
        MedCompressLogic().compress(node, tmp_path / "a.mcz")


def test_frames_closer_than_slicers_tolerance_all_come_back(scene: Any, tmp_path: Path) -> None:
    node = image_to_node(sequence(), scene)
    close = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "close")
    close.SetNumericIndexValueTolerance(1e-6)
    for number, value in enumerate(("0", "0.0001", "0.0002")):
        close.SetDataNodeAtValue(node.GetNthDataNode(number), value)
    MedCompressLogic().compress(close, tmp_path / "a.mcz")
    assert_same_node(MedCompressLogic().load(tmp_path / "a.mcz"), close)


def test_a_segmentation_made_from_surfaces_is_refused_with_what_to_do(scene: Any, tmp_path: Path) -> None:
    node = image_to_node(segmentation(), scene)
    assert node.CreateClosedSurfaceRepresentation()
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    with pytest.raises(UnsupportedImageError, match="binary label map"):
        MedCompressLogic().compress(node, tmp_path / "a.mcz")


def test_a_reconstructed_segmentation_is_shown_as_the_original(scene: Any) -> None:
    node = image_to_node(segmentation(), scene)
    shown = node.GetDisplayNode()
    shown.SetOpacity(0.6)
    shown.SetSegmentOpacity3D("S1", 0.3)
    shown.SetSegmentOpacity2DFill("S1", 0.9)
    shown.SetSegmentVisibility3D("S1", False)
    twin = MedCompressLogic().reconstruct(node).GetDisplayNode()
    assert twin.GetOpacity() == 0.6
    assert twin.GetSegmentOpacity3D("S1") == 0.3
    assert twin.GetSegmentOpacity2DFill("S1") == 0.9
    assert not twin.GetSegmentVisibility3D("S1")
