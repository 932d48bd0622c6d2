"""Volume nodes go into images and files and come back as they were, in a real MRML scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_images import OBLIQUE, TYPES, described_head, full_range, head, scalar

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from SlicerMedCompressLib.errors import UnsupportedImageError
from SlicerMedCompressLib.image import Image, Kind, same_voxels
from SlicerMedCompressLib.presets import PRESETS
from SlicerMedCompressLib.scene.conversion import image_to_node, is_supported, node_to_image
from SlicerMedCompressLib.scene.logic import MedCompressLogic


def assert_same_node(first: Any, second: Any) -> None:
    """Voxels, geometry, kind, attributes, quantity, units and display of two nodes."""
    one, other = node_to_image(first), node_to_image(second)
    assert first.GetClassName() == second.GetClassName()
    assert same_voxels(one.voxels, other.voxels)
    for field in ("geometry", "kind", "quantity", "units", "attributes", "frame_axis", "segmentation"):
        assert getattr(one, field) == getattr(other, field), field
    if first.IsA("vtkMRMLVolumeNode"):
        for row, column in np.ndindex(4, 4):
            assert matrix(first).GetElement(row, column) == matrix(second).GetElement(row, column)


def matrix(node: Any) -> Any:
    import vtk

    result = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(result)
    return result


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_scalar_type_comes_back(scene: Any, tmp_path: Path, dtype: np.dtype, preset: str) -> None:
    node = image_to_node(scalar(full_range(dtype), geometry=OBLIQUE, name="wild"), scene)
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz", preset=preset)
    assert_same_node(logic.load(tmp_path / "a.mcz"), node)


@pytest.mark.parametrize(
    ("kind", "components", "dtype"),
    [(Kind.COLOR, 3, "uint8"), (Kind.COLOR, 4, "uint8"), (Kind.VECTOR, 3, "float32"), (Kind.VECTOR, 2, "int16")],
)
def test_vector_and_color_volumes_come_back(
    scene: Any, tmp_path: Path, kind: Kind, components: int, dtype: str
) -> None:
    voxels = full_range(np.dtype(dtype), (1, 4, 9, 11, components))
    node = image_to_node(Image(voxels, geometry=OBLIQUE, kind=kind, name="field"), scene)
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz")
    reloaded = logic.load(tmp_path / "a.mcz")
    assert_same_node(reloaded, node)
    assert reloaded.GetVoxelVectorType() == node.GetVoxelVectorType()


def test_a_label_volume_comes_back_with_its_colors(scene: Any, tmp_path: Path) -> None:
    labels = scalar((head() > 100).astype(np.uint8) * 3, kind=Kind.LABEL, name="liver-label")
    node = image_to_node(labels, scene)
    table = slicer.vtkMRMLColorTableNode()
    table.SetName("my organs")
    table.SetTypeToUser()
    table.SetNumberOfColors(4)
    for index, name in enumerate(("air", "a", "b", "liver")):
        table.SetColor(index, name, 0.1 * index, 0.5, 0.25, 1.0)
    scene.AddNode(table)
    node.GetDisplayNode().SetAndObserveColorNodeID(table.GetID())
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz")
    scene.RemoveNode(table)
    color = logic.load(tmp_path / "a.mcz").GetDisplayNode().GetColorNode()
    assert [color.GetColorName(index) for index in range(4)] == ["air", "a", "b", "liver"]
    rgba = [0.0] * 4
    color.GetColor(3, rgba)
    assert rgba == pytest.approx([0.3, 0.5, 0.25, 1.0], abs=1 / 255)


def test_reloading_does_not_multiply_color_tables(scene: Any, tmp_path: Path) -> None:
    logic = MedCompressLogic()
    node = image_to_node(described_head(), scene)
    logic.compress(node, tmp_path / "a.mcz")
    before = scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode")
    logic.load(tmp_path / "a.mcz")
    logic.load(tmp_path / "a.mcz")
    assert scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode") == before


def test_window_level_thresholds_and_a_built_in_color_come_back(scene: Any, tmp_path: Path) -> None:
    node = image_to_node(scalar(head(), name="head"), scene)
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(351.25, 40.125)
    display.SetAutoThreshold(False)
    display.SetThreshold(-50.5, 900)
    display.SetApplyThreshold(True)
    display.SetInterpolate(False)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeIron")
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz")
    shown = logic.load(tmp_path / "a.mcz").GetDisplayNode()
    assert (shown.GetWindow(), shown.GetLevel()) == (351.25, 40.125)
    assert (shown.GetLowerThreshold(), shown.GetUpperThreshold()) == (-50.5, 900)
    assert shown.GetApplyThreshold()
    assert not shown.GetInterpolate()
    assert shown.GetColorNodeID() == "vtkMRMLColorTableNodeIron"


def test_quantity_units_and_attributes_come_back(scene: Any, tmp_path: Path) -> None:
    node = image_to_node(scalar(head()), scene, "head")
    quantity = slicer.vtkCodedEntry()
    quantity.SetValueSchemeMeaning("112031", "DCM", "Attenuation Coefficient")
    node.SetVoxelValueQuantity(quantity)
    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning("[hnsf'U]", "UCUM", "Hounsfield unit")
    node.SetVoxelValueUnits(units)
    node.SetAttribute("study", "Größe = 3\nlines")
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz")
    reloaded = logic.load(tmp_path / "a.mcz")
    assert reloaded.GetVoxelValueQuantity().GetCodeMeaning() == "Attenuation Coefficient"
    assert reloaded.GetVoxelValueUnits().GetCodeValue() == "[hnsf'U]"
    assert reloaded.GetAttribute("study") == "Größe = 3\nlines"


def test_a_volume_is_named_as_it_was_and_uniquely(scene: Any, tmp_path: Path) -> None:
    logic = MedCompressLogic()
    node = image_to_node(scalar(head()), scene, "head")
    logic.compress(node, tmp_path / "other name.mcz")
    scene.RemoveNode(node)
    assert logic.load(tmp_path / "other name.mcz").GetName() == "head"
    assert logic.load(tmp_path / "other name.mcz").GetName() == "head_1"
    assert logic.load(tmp_path / "other name.mcz", name="mine").GetName() == "mine"


def test_reconstruct_puts_a_new_node_beside_the_old_one(scene: Any) -> None:
    node = image_to_node(described_head(), scene, "head")
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetAndObserveTransformNodeID(transform.GetID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "patient")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(folder, node), folder)
    logic = MedCompressLogic()
    reconstructed = logic.reconstruct(node, codec="jpegls")
    assert_same_node(reconstructed, node)
    assert reconstructed.GetName() == "head (JPEG-LS)"
    assert reconstructed.GetTransformNodeID() == transform.GetID()
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(reconstructed)) == folder
    assert node_to_image(reconstructed).display == node_to_image(node).display
    assert logic.lastResult is not None
    assert logic.lastResult.codec == "jpegls"


@pytest.mark.parametrize("kind", [Kind.SCALAR, Kind.LABEL])
def test_a_reconstruction_shows_its_own_voxels_the_way_the_original_is_shown(scene: Any, kind: Kind) -> None:
    node = image_to_node(scalar((head() > 100).astype(np.uint8), kind=kind, name="shown"), scene)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetVisibility3D(False)
    if kind is Kind.SCALAR:
        node.GetDisplayNode().SetAutoWindowLevel(True)
    twin = MedCompressLogic().reconstruct(node)
    shown = twin.GetDisplayNode()
    assert shown.GetID() != node.GetDisplayNode().GetID()
    assert (
        shown.GetImageDataConnection().GetProducer() is not node.GetDisplayNode().GetImageDataConnection().GetProducer()
    )
    assert twin.GetImageDataConnection().GetProducer() is not node.GetImageDataConnection().GetProducer()
    if kind is Kind.SCALAR:
        assert shown.GetInputImageData() is twin.GetImageData()
        assert shown.GetAutoWindowLevel()
    assert not shown.GetVisibility3D()
    assert shown.GetColorNodeID() == node.GetDisplayNode().GetColorNodeID()


def test_the_original_is_never_changed(scene: Any) -> None:
    node = image_to_node(scalar(head()), scene, "head")
    before, time = node_to_image(node).voxels.copy(), node.GetMTime()
    reconstructed = MedCompressLogic().reconstruct(node, preset="fast")
    slicer.util.arrayFromVolume(reconstructed)[:] = 0
    assert np.array_equal(node_to_image(node).voxels, before)
    assert node.GetMTime() == time


def test_voxels_of_a_loaded_node_outlive_the_array_they_came_from(scene: Any, tmp_path: Path) -> None:
    import gc

    node = image_to_node(scalar(head()), scene)
    expected = node_to_image(node).voxels.copy()
    MedCompressLogic().compress(node, tmp_path / "a.mcz")
    reloaded = MedCompressLogic().load(tmp_path / "a.mcz")
    scene.RemoveNode(node)
    gc.collect()
    np.zeros(10**7)
    assert np.array_equal(node_to_image(reloaded).voxels, expected)


def test_an_empty_volume_is_refused_with_what_to_do(scene: Any, tmp_path: Path) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    with pytest.raises(UnsupportedImageError, match='"nothing" has no voxels; load or create'):
        MedCompressLogic().compress(node, tmp_path / "a.mcz")


@pytest.mark.parametrize(
    "class_name", ["vtkMRMLModelNode", "vtkMRMLMarkupsFiducialNode", "vtkMRMLDiffusionTensorVolumeNode"]
)
def test_other_nodes_are_refused_by_name(scene: Any, tmp_path: Path, class_name: str) -> None:
    node = scene.AddNewNodeByClass(class_name, "other")
    with pytest.raises(UnsupportedImageError, match='"other" is a'):
        MedCompressLogic().compress(node, tmp_path / "a.mcz")
    assert list(tmp_path.iterdir()) == []


def test_no_node_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="select a volume"):
        MedCompressLogic().compress(None, tmp_path / "a.mcz")
    assert not is_supported(None)


def test_a_file_that_cannot_become_a_node_leaves_the_scene_as_it_was(
    scene: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    node = image_to_node(described_head(), scene)
    MedCompressLogic().compress(node, tmp_path / "a.mcz")
    before = scene.GetNumberOfNodes()

    def failing(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("SlicerMedCompressLib.scene.volumes.apply_display", failing)
    with pytest.raises(RuntimeError):
        MedCompressLogic().load(tmp_path / "a.mcz")
    assert scene.GetNumberOfNodes() == before
