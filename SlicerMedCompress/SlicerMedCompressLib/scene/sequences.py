"""Sequence nodes of volumes on one grid to images with frames, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from ..errors import UnsupportedImageError
from ..image import FrameAxis, Image
from .display import apply_display
from .volumes import NODE_CLASSES, fill_volume, volume_to_image

_BASE_NAME = "Sequences.BaseName"
"""Where Slicer keeps the name a frame had; it sets it itself when a frame is stored."""


def sequence_to_image(node: Any) -> Image:
    """All frames of a sequence node as one image; voxels are copied.

    Raises UnsupportedImageError if the frames are not volumes of one grid and type.
    """
    name = node.GetName() or ""
    count = node.GetNumberOfDataNodes()
    if count == 0:
        raise UnsupportedImageError(f'The sequence "{name}" has no frames; load or record some first.')
    frames = [node.GetNthDataNode(number) for number in range(count)]
    if not all(frame.IsA("vtkMRMLVolumeNode") for frame in frames):
        raise UnsupportedImageError(f'The sequence "{name}" holds nodes that are not volumes; save it as .mrb.')
    first, attributes = _frame_image(frames[0])
    voxels = np.empty((count, *first.voxels.shape[1:]), first.voxels.dtype)
    for number, frame in enumerate(frames):
        image, own = _frame_image(frame)
        differing = _differences(image, own, first, attributes)
        if differing:
            raise UnsupportedImageError(
                f'Frame {number} of the sequence "{name}" differs from the first in {", ".join(differing)}; '
                "make the frames alike, or save the sequence as .seq.mrb."
            )
        voxels[number] = image.voxels[0]
    return Image(
        voxels,
        geometry=first.geometry,
        kind=first.kind,
        name=name,
        dimension=4,
        quantity=first.quantity,
        units=first.units,
        attributes=attributes,
        frame_axis=FrameAxis(
            tuple(node.GetNthIndexValue(number) for number in range(count)),
            node.GetIndexName() or "",
            node.GetIndexUnit() or "",
            node.GetIndexType() == slicer.vtkMRMLSequenceNode.NumericIndex,
            tuple(frame.GetAttribute(_BASE_NAME) or frame.GetName() or "" for frame in frames),
        ),
        display=first.display,
    )


def _differences(image: Image, own: dict[str, str], first: Image, attributes: dict[str, str]) -> list[str]:
    """In what a frame is not like the first one; these are kept once for all frames."""
    pairs = {
        "geometry": (image.geometry, first.geometry),
        "kind": (image.kind, first.kind),
        "size": (image.voxels.shape, first.voxels.shape),
        "voxel type": (image.voxels.dtype, first.voxels.dtype),
        "quantity": (image.quantity, first.quantity),
        "units": (image.units, first.units),
        "attributes": (own, attributes),
    }
    return [name for name, (one, other) in pairs.items() if one != other]


def _frame_image(frame: Any) -> tuple[Image, dict[str, str]]:
    image = volume_to_image(frame)
    return image, {key: text for key, text in image.attributes.items() if key != _BASE_NAME}


def image_to_sequence(image: Image, scene: Any, name: str) -> Any:
    """A new sequence node in the scene, a data node a frame."""
    axis = image.frame_axis
    assert axis is not None
    sequence = slicer.vtkMRMLSequenceNode()
    sequence.SetName(name)
    sequence.SetIndexName(axis.name)
    sequence.SetIndexUnit(axis.unit)
    kind = slicer.vtkMRMLSequenceNode.NumericIndex if axis.numeric else slicer.vtkMRMLSequenceNode.TextIndex
    sequence.SetIndexType(kind)
    sequence.SetNumericIndexValueTolerance(min(sequence.GetNumericIndexValueTolerance(), _half_step(axis)))
    scene.AddNode(sequence)
    inner = sequence.GetSequenceScene()
    for number, value in enumerate(axis.values):
        single = Image(
            image.voxels[number : number + 1],
            geometry=image.geometry,
            kind=image.kind,
            name=name,
            quantity=image.quantity,
            units=image.units,
            attributes=image.attributes,
        )
        frame = scene.CreateNodeByClass(NODE_CLASSES[image.kind])
        frame.UnRegister(None)
        frame.SetName(axis.names[number] if axis.names else name)
        fill_volume(frame, single)
        stored = sequence.SetDataNodeAtValue(frame, value)
        if image.display is not None and inner is not None and stored is not None:
            apply_display(stored, image.display)
    if sequence.GetNumberOfDataNodes() != len(axis.values):
        raise UnsupportedImageError(f'The index values of "{name}" are too close for Slicer to tell frames apart.')
    return sequence


def _half_step(axis: FrameAxis) -> float:
    """Half the smallest difference of numeric index values: Slicer takes closer ones for the same frame."""
    if not axis.numeric or len(axis.values) < 2:
        return np.inf
    try:
        steps = np.diff(np.sort([float(value) for value in axis.values]))
    except ValueError:
        return np.inf
    return float(steps.min()) / 2
