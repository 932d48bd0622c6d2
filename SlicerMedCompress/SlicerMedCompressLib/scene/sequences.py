"""Sequence nodes of volumes and segmentations to images with frames, and back.

Frames that are alike make one image; where they differ, each run of frames that are alike is a part of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import slicer

from ..errors import UnsupportedImageError
from ..frames import frame_of
from ..image import FrameAxis, Image, Kind
from ..mixed_sequence import Content, MixedSequence
from .browsers import browser_of, new_browser, settings_of
from .display import apply_display, display_of
from .segmentations import fill_segmentation, segmentation_to_image, show_segments
from .volumes import NODE_CLASSES, fill_volume, volume_to_image

_BASE_NAME = "Sequences.BaseName"
"""Where Slicer keeps the name a frame had; it sets it itself when a frame is stored."""
_FRAME_CLASS = "DataNodeClassName"
"""Where Slicer notes on a sequence node by itself of which class its frames are."""


def sequence_to_content(node: Any, browser: Any = None) -> Content:
    """All frames of a sequence node: one image if they are alike, else parts; voxels of images are copied.

    Frames are shown as the node is that the browser shows them with, if there is one; else those that are alike as the
    first of them is.

    Args:
        browser: the node that plays it; by default the one in the scene that does, if no other does too.

    Raises UnsupportedImageError if a frame is neither a volume nor a segmentation.
    """
    name = node.GetName() or ""
    count = node.GetNumberOfDataNodes()
    if count == 0:
        raise UnsupportedImageError(f'The sequence "{name}" has no frames; load or record some first.')
    browser = browser or browser_of(node)
    proxy = browser.GetProxyNode(node) if browser is not None else None
    settings = settings_of(browser, node) if browser is not None else None
    frames = [_frame_to_image(node.GetNthDataNode(number), proxy, number, name) for number in range(count)]
    axis, runs = _axis_of(node), _runs(frames)
    of_part = replace(axis, sequence_attributes={})
    if len(runs) == 1 and frames[0].kind is not Kind.SEGMENTATION:
        return replace(_joined(frames, axis, name), browser=settings)
    parts = []
    for run in runs:
        alike = [frames[number] for number in run]
        single = len(run) == 1
        parts.append(replace(alike[0], name=axis.names[run[0]]) if single else _joined(alike, of_part.part(run), name))
    return MixedSequence(tuple(parts), tuple(runs), axis, name, settings)


def content_to_sequence(content: Content, scene: Any, name: str) -> Any:
    """A new sequence node in the scene, a data node a frame, and a browser node that plays it if one did."""
    axis = content.frame_axis
    assert axis is not None
    sequence = slicer.vtkMRMLSequenceNode()
    sequence.SetName(name)
    sequence.SetIndexName(axis.name)
    sequence.SetIndexUnit(axis.unit)
    for key, text in axis.sequence_attributes.items():
        sequence.SetAttribute(key, text)
    kind = slicer.vtkMRMLSequenceNode.NumericIndex if axis.numeric else slicer.vtkMRMLSequenceNode.TextIndex
    sequence.SetIndexType(kind)
    sequence.SetNumericIndexValueTolerance(min(sequence.GetNumericIndexValueTolerance(), _half_step(axis)))
    scene.AddNode(sequence)
    frames = _frames_of(content)
    for number, (value, frame) in enumerate(zip(axis.values, frames, strict=True)):
        _add_frame(sequence, scene, frame, value, axis.names[number] if axis.names else name)
    if sequence.GetNumberOfDataNodes() != len(axis.values):
        raise UnsupportedImageError(f'The index values of "{name}" are too close for Slicer to tell frames apart.')
    if content.browser is not None:
        settings, shown = content.browser, content.browser.selected_item
        # Slicer sorts frames by their index value.
        settings = replace(settings, selected_item=sequence.GetItemNumberFromIndexValue(axis.values[shown], True))
        if settings.proxy_name == content.name:
            settings = replace(settings, proxy_name=name)
        browser = new_browser(settings, sequence, scene)
        _show_proxy(browser.GetProxyNode(sequence), frames[shown])
    return sequence


def _axis_of(node: Any) -> FrameAxis:
    numbers = range(node.GetNumberOfDataNodes())
    frames = [node.GetNthDataNode(number) for number in numbers]
    return FrameAxis(
        tuple(node.GetNthIndexValue(number) for number in numbers),
        node.GetIndexName() or "",
        node.GetIndexUnit() or "",
        node.GetIndexType() == slicer.vtkMRMLSequenceNode.NumericIndex,
        tuple(frame.GetAttribute(_BASE_NAME) or frame.GetName() or "" for frame in frames),
        sequence_attributes={
            key: node.GetAttribute(key) or "" for key in node.GetAttributeNames() or () if key != _FRAME_CLASS
        },
    )


def _frame_to_image(frame: Any, proxy: Any, number: int, name: str) -> Image:
    """One frame, shown as the proxy node is if that is of its class."""
    shown = proxy if proxy is not None and proxy.GetClassName() == frame.GetClassName() else frame
    try:
        if frame.IsA("vtkMRMLSegmentationNode"):
            image = segmentation_to_image(frame, shown, may_be_blank=True)
        elif frame.IsA("vtkMRMLVolumeNode"):
            image = replace(volume_to_image(frame), display=display_of(shown))
        else:
            raise UnsupportedImageError("it is not a volume or segmentation; save the sequence as .seq.mrb.")
    except UnsupportedImageError as error:
        raise UnsupportedImageError(f'Frame {number} of the sequence "{name}" cannot be compressed: {error}') from error
    attributes = {key: text for key, text in image.attributes.items() if key != _BASE_NAME}
    return replace(image, attributes=attributes)


def _runs(frames: Sequence[Image]) -> list[tuple[int, ...]]:
    """Numbers of frames that follow one another and are alike; a segmentation is like no other."""
    starts = [
        number
        for number, frame in enumerate(frames)
        if number == 0 or frame.kind is Kind.SEGMENTATION or not _alike(frames[number - 1], frame)
    ]
    return [tuple(range(start, stop)) for start, stop in zip(starts, [*starts[1:], len(frames)], strict=True)]


def _alike(one: Image, other: Image) -> bool:
    """Whether two frames can be frames of one image."""
    fields = ("geometry", "kind", "quantity", "units")
    return (one.voxels.shape, one.voxels.dtype) == (other.voxels.shape, other.voxels.dtype) and all(
        getattr(one, field) == getattr(other, field) for field in fields
    )


def _joined(frames: Sequence[Image], axis: FrameAxis, name: str) -> Image:
    """Frames that are alike as one image; what their attributes have in common is kept once."""
    first = frames[0]
    voxels = np.empty((len(frames), *first.voxels.shape[1:]), first.voxels.dtype)
    for number, frame in enumerate(frames):
        voxels[number] = frame.voxels[0]
    common = {
        key: text
        for key, text in first.attributes.items()
        if all(frame.attributes.get(key) == text for frame in frames)
    }
    own = tuple({key: text for key, text in frame.attributes.items() if key not in common} for frame in frames)
    axis = replace(axis, attributes=own if any(own) else ())
    return replace(first, voxels=voxels, name=name, dimension=4, attributes=common, frame_axis=axis)


def _frames_of(content: Content) -> list[Image]:
    """Every frame as an image of its own, in order; voxels are not copied."""
    if isinstance(content, Image):
        return [frame_of(content, number) for number in range(len(content.voxels))]
    frames = {
        number: frame_of(part, place)
        for part, numbers in zip(content.parts, content.numbers, strict=True)
        for place, number in enumerate(numbers)
    }
    return [frames[number] for number in range(content.frame_count)]


def _add_frame(sequence: Any, scene: Any, image: Image, value: str, name: str) -> None:
    """Store a frame in a sequence node; how it is shown goes into the scene that the sequence keeps its frames in."""
    if image.kind is Kind.SEGMENTATION:
        frame = slicer.vtkMRMLSegmentationNode()
        fill_segmentation(frame, image)
    else:
        frame = scene.CreateNodeByClass(NODE_CLASSES[image.kind])
        frame.UnRegister(None)
        fill_volume(frame, image)
    frame.SetName(name)
    stored = sequence.SetDataNodeAtValue(frame, value)
    if stored is None or sequence.GetSequenceScene() is None:
        return
    if image.segmentation is None:
        if image.display is not None:
            apply_display(stored, image.display)
    elif any(segment.opacity != 1 or not segment.visible for segment in image.segmentation.segments):
        stored.CreateDefaultDisplayNodes()
        show_segments(stored, image)


def _show_proxy(proxy: Any, image: Image) -> None:
    """Show the node that a browser shows frames with as it was shown; Slicer has made it and its default display."""
    if proxy is None:
        return
    if image.kind is Kind.SEGMENTATION:
        proxy.CreateDefaultDisplayNodes()
        show_segments(proxy, image)
    elif image.display is not None:
        default = proxy.GetDisplayNode()
        apply_display(proxy, image.display)
        if default is not None:
            proxy.GetScene().RemoveNode(default)


def _half_step(axis: FrameAxis) -> float:
    """Half the smallest difference of numeric index values: Slicer takes closer ones for the same frame."""
    if not axis.numeric or len(axis.values) < 2:
        return np.inf
    try:
        steps = np.diff(np.sort([float(value) for value in axis.values]))
    except ValueError:
        return np.inf
    return float(steps.min()) / 2
