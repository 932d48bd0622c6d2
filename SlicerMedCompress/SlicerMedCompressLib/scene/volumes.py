"""Volume nodes to images and images to volume nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from ..errors import UnsupportedImageError
from ..image import VECTOR_TYPE, Geometry, Image, Kind
from .display import apply_display, display_of
from .voxels import image_data_of, voxels_of

NODE_CLASSES = {
    Kind.SCALAR: "vtkMRMLScalarVolumeNode",
    Kind.LABEL: "vtkMRMLLabelMapVolumeNode",
    Kind.VECTOR: "vtkMRMLVectorVolumeNode",
    Kind.COLOR: "vtkMRMLVectorVolumeNode",
}


def volume_to_image(node: Any) -> Image:
    """An image over the memory of a scalar, vector or label volume node (no copy).

    A parent transform is not part of it. Raises UnsupportedImageError for diffusion tensors and
    other volumes whose meaning would be lost.
    """
    name = node.GetName() or ""
    kind = _kind_of(node)
    voxels = voxels_of(node.GetImageData(), name)[np.newaxis]
    attributes = {key: node.GetAttribute(key) or "" for key in node.GetAttributeNames() or ()}
    if kind is Kind.VECTOR or kind is Kind.COLOR:
        attributes[VECTOR_TYPE] = node.GetVoxelVectorTypeAsString(node.GetVoxelVectorType())
    return Image(
        voxels,
        geometry=geometry_of(node),
        kind=kind,
        name=name,
        quantity=_coded_text(node.GetVoxelValueQuantity()),
        units=_coded_text(node.GetVoxelValueUnits()),
        attributes=attributes,
        display=display_of(node),
    )


def fill_volume(node: Any, image: Image) -> None:
    """Give an empty volume node, not necessarily in a scene, an image's voxels, geometry and attributes."""
    attributes = dict(image.attributes)
    vector_type = attributes.pop(VECTOR_TYPE, None)
    if node.IsA("vtkMRMLVectorVolumeNode"):
        if vector_type is None:
            vector_type = "colorRGB" if image.kind is Kind.COLOR else "spatial"
        node.SetVoxelVectorType(max(0, node.GetVoxelVectorTypeFromString(vector_type)))
    set_geometry(node, image.geometry)
    node.SetAndObserveImageData(image_data_of(image.voxels[0]))
    for key, text in attributes.items():
        node.SetAttribute(key, text)
    for text, setter in ((image.quantity, node.SetVoxelValueQuantity), (image.units, node.SetVoxelValueUnits)):
        if text:
            entry = slicer.vtkCodedEntry()
            if entry.SetFromString(text):
                setter(entry)


def image_to_volume(image: Image, scene: Any, name: str) -> Any:
    """A new volume node in the scene, shown as the image says."""
    node = scene.CreateNodeByClass(NODE_CLASSES[image.kind])
    node.UnRegister(None)
    node.SetName(name)
    fill_volume(node, image)
    scene.AddNode(node)
    apply_display(node, image.display)
    return node


def geometry_of(node: Any) -> Geometry:
    """Origin, spacing and directions of a volume node, bit for bit."""
    directions = [[0.0] * 3, [0.0] * 3, [0.0] * 3]
    node.GetIJKToRASDirections(directions)
    return Geometry(tuple(node.GetOrigin()), tuple(node.GetSpacing()), tuple((a, b, c) for a, b, c in directions))


def set_geometry(node: Any, geometry: Geometry) -> None:
    """The opposite of ``geometry_of``."""
    node.SetOrigin(geometry.origin)
    node.SetSpacing(geometry.spacing)
    node.SetIJKToRASDirections([list(row) for row in geometry.directions])


def _kind_of(node: Any) -> Kind:
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return Kind.LABEL
    if node.IsA("vtkMRMLDiffusionWeightedVolumeNode") or node.IsA("vtkMRMLDiffusionTensorVolumeNode"):
        raise UnsupportedImageError(
            f'"{node.GetName()}" is a diffusion volume, whose gradients a .mcz cannot keep; save it as NRRD.'
        )
    if node.IsA("vtkMRMLMultiVolumeNode"):
        raise UnsupportedImageError(f'"{node.GetName()}" is a multi-volume; convert it to a sequence first.')
    if node.IsA("vtkMRMLVectorVolumeNode"):
        color = node.GetVoxelVectorType() in (node.VoxelVectorTypeColorRGB, node.VoxelVectorTypeColorRGBA)
        return Kind.COLOR if color else Kind.VECTOR
    image_data = node.GetImageData()
    if image_data is not None and image_data.GetNumberOfScalarComponents() > 1:
        raise UnsupportedImageError(
            f'"{node.GetName()}" is a scalar volume with several components; convert it to a vector volume first.'
        )
    return Kind.SCALAR


def _coded_text(entry: Any) -> str:
    return entry.GetAsString() if entry is not None and not entry.IsEmpty() else ""
