"""Nodes with loss: targets, regions drawn as segments, sweeps, in a real MRML scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_images import OBLIQUE, head, scalar, sequence

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from SlicerMedCompressLib.errors import UnsupportedImageError
from SlicerMedCompressLib.image import Kind
from SlicerMedCompressLib.scene.conversion import image_to_node, node_to_image
from SlicerMedCompressLib.scene.logic import MedCompressLogic
from SlicerMedCompressLib.targets import MaxError, Psnr, Ratio

VOXELS = head((16, 60, 62))


@pytest.fixture
def volume(scene: Any) -> Any:
    return image_to_node(scalar(VOXELS, geometry=OBLIQUE, name="CT"), scene)


@pytest.fixture
def drawn(scene: Any, volume: Any) -> Any:
    """A segmentation with a tumor and a vessel, drawn on the volume."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for name, box in (("tumor", np.s_[5:9, 20:30, 25:40]), ("vessel", np.s_[11:13, 40:50, 5:15])):
        mask = np.zeros(VOXELS.shape, np.uint8)
        mask[box] = 1
        node.GetSegmentation().AddEmptySegment(name, name)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, name, volume)
    return node


def voxels_of(node: Any) -> np.ndarray:
    return node_to_image(node).voxels[0, ..., 0]


def test_a_node_keeps_a_bound(volume: Any, tmp_path: Path) -> None:
    logic = MedCompressLogic()
    result = logic.compress(volume, tmp_path / "a.mcz", target=MaxError(3))
    loaded = logic.load(tmp_path / "a.mcz")
    difference = np.abs(voxels_of(loaded).astype(int) - VOXELS)
    assert difference.max() == result.maximum_error == 3
    assert node_to_image(loaded).geometry == node_to_image(volume).geometry
    assert np.array_equal(voxels_of(volume), VOXELS)


def test_a_reconstruction_reaches_a_target_beside_the_original(volume: Any) -> None:
    logic = MedCompressLogic()
    twin = logic.reconstruct(volume, target=Psnr(45))
    assert twin.GetID() != volume.GetID()
    assert logic.lastResult is not None
    assert logic.lastResult.psnr == pytest.approx(45, abs=0.3)
    assert not np.array_equal(voxels_of(twin), VOXELS)


def test_segments_by_name_stay_exact_with_a_margin(volume: Any, drawn: Any, tmp_path: Path) -> None:
    logic = MedCompressLogic()
    region = {"losslessRegion": drawn, "segments": ["tumor"], "target": MaxError(20)}
    narrow = logic.compress(volume, tmp_path / "a.mcz", **region)
    wide = logic.compress(volume, tmp_path / "b.mcz", margin=2.0, **region)
    assert narrow.exact_samples == 4 * 10 * 15
    assert wide.exact_samples > narrow.exact_samples
    loaded = voxels_of(logic.load(tmp_path / "a.mcz"))
    inside = np.zeros(VOXELS.shape, np.bool_)
    inside[5:9, 20:30, 25:40] = True
    assert np.array_equal(loaded[inside], VOXELS[inside])
    assert np.abs(loaded.astype(int) - VOXELS)[11:13, 40:50, 5:15].max() > 0


def test_a_label_volume_node_is_a_region_too(scene: Any, volume: Any, tmp_path: Path) -> None:
    labels = image_to_node(scalar((VOXELS > 300).astype(np.uint8), geometry=OBLIQUE, kind=Kind.LABEL), scene)
    logic = MedCompressLogic()
    logic.compress(volume, tmp_path / "a.mcz", target=MaxError(20), losslessRegion=labels)
    loaded = voxels_of(logic.load(tmp_path / "a.mcz"))
    assert np.array_equal(loaded[VOXELS > 300], VOXELS[VOXELS > 300])


def test_a_sequence_keeps_a_bound_in_every_frame(scene: Any, tmp_path: Path) -> None:
    node = image_to_node(sequence(), scene)
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz", target=MaxError(2))
    first, second = (node_to_image(one).voxels.astype(int) for one in (node, logic.load(tmp_path / "a.mcz")))
    assert np.abs(first - second).max() == 2


def test_a_region_under_another_transform_is_refused(scene: Any, volume: Any, drawn: Any, tmp_path: Path) -> None:
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    drawn.SetAndObserveTransformNodeID(transform.GetID())
    logic = MedCompressLogic()
    with pytest.raises(UnsupportedImageError, match="different transforms"):
        logic.compress(volume, tmp_path / "a.mcz", target=MaxError(9), losslessRegion=drawn)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    logic.compress(volume, tmp_path / "a.mcz", target=MaxError(9), losslessRegion=drawn)


def test_segments_without_a_segmentation_are_told(volume: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="need the segmentation"):
        MedCompressLogic().compress(volume, tmp_path / "a.mcz", target=Ratio(9), segments=["tumor"])


def test_a_sweep_makes_a_table_and_a_chart(scene: Any, volume: Any) -> None:
    nodes = MedCompressLogic().sweep(volume, ["jpeg2000", "jpegls"], points=3)
    table = nodes.table.GetTable()
    assert nodes.table.GetNumberOfRows() == 6
    assert table.GetColumnByName("codec").GetValue(0) == "jpeg2000-lossy"
    assert table.GetColumnByName("psnr").GetValue(0) > table.GetColumnByName("psnr").GetValue(2)
    assert nodes.chart.GetNumberOfPlotSeriesNodes() == 2
    for series in nodes.series:
        assert series.GetTableNode().GetTable().GetColumnByName(series.GetXColumnName()) is not None
        assert series.GetTableNode().GetTable().GetColumnByName(series.GetYColumnName()) is not None
    assert "BD-rate" in nodes.series[1].GetName()


def test_a_sweep_that_is_cancelled_leaves_no_node(scene: Any, volume: Any) -> None:
    before = scene.GetNumberOfNodes()
    with pytest.raises(Exception, match="Cancelled"):
        MedCompressLogic().sweep(volume, ["jpegls"], points=3, progress=lambda done, _: done < 0.4)
    assert scene.GetNumberOfNodes() == before


def test_the_codecs_say_what_they_promise() -> None:
    found = {codec["id"]: codec for codec in MedCompressLogic.codecs()}
    assert found["sz3"]["guarantee"] == "bounded"
    assert found["hevc"]["knob"]["name"] == "qp"
    assert all(codec["license"] for codec in found.values())
