"""Any node that MedCompress takes to an image, and any image to a node."""

from __future__ import annotations

from typing import Any

from ..errors import UnsupportedImageError
from ..image import Image, Kind
from .segmentations import image_to_segmentation, segmentation_to_image
from .sequences import image_to_sequence, sequence_to_image
from .volumes import image_to_volume, volume_to_image

NODE_TYPES = ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLSequenceNode")


def node_to_image(node: Any) -> Image:
    """The image of a volume, segmentation or sequence node.

    Raises UnsupportedImageError with what to do for any other node.
    """
    if node is None:
        raise UnsupportedImageError("There is no node to compress; select a volume or a segmentation.")
    if node.IsA("vtkMRMLSegmentationNode"):
        return segmentation_to_image(node)
    if node.IsA("vtkMRMLSequenceNode"):
        return sequence_to_image(node)
    if node.IsA("vtkMRMLVolumeNode"):
        return volume_to_image(node)
    raise UnsupportedImageError(
        f'"{node.GetName()}" is a {node.GetNodeTagName()}; MedCompress takes volumes, label volumes, '
        "segmentations and sequences of volumes."
    )


def is_supported(node: Any) -> bool:
    """Whether a node is of a kind that ``node_to_image`` takes; its content may still be refused."""
    return node is not None and any(node.IsA(kind) for kind in NODE_TYPES)


def image_to_node(image: Image, scene: Any, name: str | None = None) -> Any:
    """A new node in the scene, named as the image or as given, made unique.

    If it cannot be completed, what was begun is removed from the scene before the error goes on.
    """
    before = {scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes())}
    unique = name or image.name or "Volume"
    if scene.GetFirstNodeByName(unique) is not None:
        unique = scene.GenerateUniqueName(unique)
    try:
        if image.kind is Kind.SEGMENTATION:
            return image_to_segmentation(image, scene, unique)
        if image.frame_axis is not None:
            return image_to_sequence(image, scene, unique)
        return image_to_volume(image, scene, unique)
    except BaseException as error:
        for node in [scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes())]:
            if node not in before:
                scene.RemoveNode(node)
        if isinstance(error, (TypeError, ValueError, OverflowError)):
            raise UnsupportedImageError(f'"{unique}" cannot become a node: {error}.') from error
        raise
