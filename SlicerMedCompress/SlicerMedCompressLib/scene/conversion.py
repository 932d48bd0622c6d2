"""Any node that MedCompress takes to an image, and any image to a node."""

from __future__ import annotations

from typing import Any

from ..errors import UnsupportedImageError
from ..image import Image, Kind
from ..mixed_sequence import Content, MixedSequence
from .browsers import BROWSER_CLASS, sequence_played_by
from .segmentations import image_to_segmentation, segmentation_to_image
from .sequences import content_to_sequence, sequence_to_content
from .volumes import image_to_volume, volume_to_image

NODE_TYPES = ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLSequenceNode", BROWSER_CLASS)


def node_to_content(node: Any) -> Content:
    """What a volume, segmentation or sequence node holds, or the browser node that plays one sequence.

    Raises UnsupportedImageError with what to do for any other node.
    """
    if node is None:
        raise UnsupportedImageError("There is no node to compress; select a volume or a segmentation.")
    if node.IsA("vtkMRMLSegmentationNode"):
        return segmentation_to_image(node)
    if node.IsA("vtkMRMLSequenceNode"):
        return sequence_to_content(node)
    if node.IsA(BROWSER_CLASS):
        return sequence_to_content(sequence_played_by(node), node)
    if node.IsA("vtkMRMLVolumeNode"):
        return volume_to_image(node)
    raise UnsupportedImageError(
        f'"{node.GetName()}" is a {node.GetNodeTagName()}; MedCompress takes volumes, label volumes, '
        "segmentations and sequences of these."
    )


def node_to_image(node: Any) -> Image:
    """The image of a node, as ``node_to_content``; a sequence whose frames differ is no image and refused too."""
    content = node_to_content(node)
    if isinstance(content, MixedSequence):
        raise UnsupportedImageError(
            f'The frames of the sequence "{content.name}" differ in size, place, type or kind, or are segmentations; '
            "this needs a single image: choose one frame, or make the frames alike."
        )
    return content


def is_supported(node: Any) -> bool:
    """Whether a node is of a kind that ``node_to_content`` takes; its content may still be refused."""
    return node is not None and any(node.IsA(kind) for kind in NODE_TYPES)


def content_to_node(content: Content, scene: Any, name: str | None = None) -> Any:
    """A new node in the scene, named as the content or as given, made unique.

    For a sequence that a browser played it is the sequence node; the browser node is new beside it. If it cannot be
    completed, what was begun is removed from the scene before the error goes on.
    """
    before = set(_nodes(scene))
    unique = name or content.name or "Volume"
    if scene.GetFirstNodeByName(unique) is not None:
        unique = scene.GenerateUniqueName(unique)
    try:
        if content.frame_axis is not None and (isinstance(content, MixedSequence) or not content.segmentation):
            return content_to_sequence(content, scene, unique)
        assert isinstance(content, Image)
        if content.kind is Kind.SEGMENTATION:
            return image_to_segmentation(content, scene, unique)
        return image_to_volume(content, scene, unique)
    except BaseException as error:
        for node in _nodes(scene):
            # A browser node takes its proxy node with it.
            if node not in before and scene.IsNodePresent(node):
                scene.RemoveNode(node)
        if isinstance(error, (TypeError, ValueError, OverflowError)):
            raise UnsupportedImageError(f'"{unique}" cannot become a node: {error}.') from error
        raise


image_to_node = content_to_node
"""For callers that have an image."""


def _nodes(scene: Any) -> list[Any]:
    return [scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes())]
