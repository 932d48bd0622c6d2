"""Sequence nodes for tests: filled as Slicer fills them, compared, sent through a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_images import OBLIQUE, full_range, head, scalar, segmentation

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from SlicerMedCompressLib.image import Image, Kind, same_voxels
from SlicerMedCompressLib.playback import Browser
from SlicerMedCompressLib.scene.conversion import content_to_node
from SlicerMedCompressLib.scene.logic import MedCompressLogic
from SlicerMedCompressLib.scene.segmentations import segmentation_to_image
from SlicerMedCompressLib.scene.volumes import volume_to_image

SMALL = scalar(head((5, 12, 14)), name="small")
MOVED = replace(SMALL, geometry=OBLIQUE)
LARGE = scalar(head((6, 20, 22)))
LABELS = scalar((head((5, 12, 14)) > 100).astype(np.uint8), kind=Kind.LABEL)
FLOATS = scalar(full_range(np.dtype("float32"), (5, 12, 14)))
VECTORS = Image(full_range(np.dtype("float32"), (1, 4, 9, 11, 3)), geometry=OBLIQUE, kind=Kind.VECTOR)
COLORS = Image(full_range(np.dtype("uint8"), (1, 4, 9, 11, 3)), kind=Kind.COLOR)
SEGMENTS = segmentation()
PLAYED = Browser(
    name="player",
    playback_rate=24.5,
    looped=False,
    item_skipping=False,
    selected_item=2,
    index_display="index",
    index_format="%.1f s",
    proxy_name="shown frame",
    save_changes=True,
    record_master_only=True,
    recording=True,
    recording_sampling="all",
)
KINDS = {
    "scalar": SMALL,
    "moved": MOVED,
    "large": LARGE,
    "labels": LABELS,
    "floats": FLOATS,
    "vectors": VECTORS,
    "colors": COLORS,
    "segments": SEGMENTS,
}


def sequence_of(scene: Any, images: Sequence[Image], name: str = "seq") -> Any:
    """A sequence node filled as Slicer's modules fill one, a frame named f0, f1, ... every 40 ms."""
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    node.SetIndexName("trigger")
    node.SetIndexUnit("ms")
    for number, image in enumerate(images):
        frame = content_to_node(image, scene, f"f{number}")
        node.SetDataNodeAtValue(frame, str(40 * number))
        scene.RemoveNode(frame)
    return node


def frame_image(frame: Any) -> Image:
    return (
        segmentation_to_image(frame, may_be_blank=True)
        if frame.IsA("vtkMRMLSegmentationNode")
        else volume_to_image(frame)
    )


def assert_same_sequence(first: Any, second: Any) -> None:
    """Index, and of every frame class, name, voxels, geometry, kind, attributes, units and segments."""
    for read in ("GetIndexName", "GetIndexUnit", "GetIndexType", "GetNumberOfDataNodes"):
        assert getattr(first, read)() == getattr(second, read)(), read
    for number in range(first.GetNumberOfDataNodes()):
        assert first.GetNthIndexValue(number) == second.GetNthIndexValue(number)
        one, other = first.GetNthDataNode(number), second.GetNthDataNode(number)
        assert one.GetClassName() == other.GetClassName()
        assert one.GetAttribute("Sequences.BaseName") == other.GetAttribute("Sequences.BaseName")
        original, decoded = frame_image(one), frame_image(other)
        assert same_voxels(original.voxels, decoded.voxels)
        for field in ("geometry", "kind", "quantity", "units", "attributes", "segmentation"):
            assert getattr(original, field) == getattr(decoded, field), field


def through_a_file(node: Any, path: Path, **options: Any) -> Any:
    MedCompressLogic().compress(node, path, **options)
    return MedCompressLogic().load(path)
