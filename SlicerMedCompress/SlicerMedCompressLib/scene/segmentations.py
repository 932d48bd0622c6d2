"""Segmentation nodes to images and back: layers of labels, and what each segment is."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk

from ..errors import UnsupportedImageError
from ..image import Geometry, Image, Kind
from ..segments import Segment, Segmentation
from .voxels import image_data_of, voxels_of

LABELMAP = "Binary labelmap"
Extent = tuple[int, int, int, int, int, int]


def segmentation_to_image(node: Any, shown: Any = None, may_be_blank: bool = False) -> Image:
    """All binary label maps of a segmentation node as one image, a component for each layer.

    The block is the box that holds every layer.

    Args:
        shown: the node whose segments of the same identifiers tell how they are shown; by default the node itself.
        may_be_blank: whether nothing need be drawn, as in some frames of a sequence; the block is then one voxel of 0.

    Raises UnsupportedImageError if the node has no binary label map, or layers on different grids.
    """
    name = node.GetName() or ""
    segmentation = node.GetSegmentation()
    layers = [] if may_be_blank and not segmentation.GetNumberOfSegments() else _layers_of(segmentation, name)
    drawn = [layer for layer in layers if not layer.IsEmpty()]
    if not drawn and not may_be_blank:
        raise UnsupportedImageError(f'"{name}" has segments but no voxel of any is set; draw something first.')
    if not all(_same_grid(layer, drawn[0]) for layer in drawn):
        raise UnsupportedImageError(
            f'"{name}" has segments on different grids; resample them to one reference geometry first.'
        )
    extent = _union([layer.GetExtent() for layer in drawn]) if drawn else (0, 0, 0, 0, 0, 0)
    offset, grid = (extent[0], extent[2], extent[4]), next(iter(drawn or layers), None)
    blank = np.zeros((1, 1, 1, 1, max(1, len(layers))), np.uint8)
    return Image(
        _merged(layers, extent, name) if drawn else blank,
        geometry=_block_geometry(grid, offset) if grid is not None else Geometry(),
        kind=Kind.SEGMENTATION,
        name=name,
        attributes={key: node.GetAttribute(key) or "" for key in node.GetAttributeNames() or ()},
        segmentation=Segmentation(
            segments=_segments_of(node, shown or node),
            source_representation=segmentation.GetSourceRepresentationName(),
            representations=_representations_of(segmentation),
            conversion_parameters=segmentation.SerializeAllConversionParameters(),
            extent_offset=offset,
            reference_origin=tuple(drawn[0].GetOrigin()) if any(offset) else None,
        ),
    )


def _layers_of(segmentation: Any, name: str) -> list[Any]:
    """The label maps of a segmentation; UnsupportedImageError where it has none of its own."""
    if segmentation.GetNumberOfSegments() == 0:
        raise UnsupportedImageError(f'"{name}" has no segments; add one first.')
    if not segmentation.ContainsRepresentation(LABELMAP):
        raise UnsupportedImageError(
            f'"{name}" has no binary label map; in the Segmentations module create that representation first.'
        )
    if segmentation.GetSourceRepresentationName() != LABELMAP:
        raise UnsupportedImageError(
            f'"{name}" is kept as {segmentation.GetSourceRepresentationName().lower()}, '
            "from which its label map is made; in the Segmentations module make the binary label map its source "
            "representation first."
        )
    return [
        segmentation.GetLayerDataObject(layer, LABELMAP) for layer in range(segmentation.GetNumberOfLayers(LABELMAP))
    ]


def image_to_segmentation(image: Image, scene: Any, name: str) -> Any:
    """A new segmentation node in the scene with all segments, shown as they were."""
    node = slicer.vtkMRMLSegmentationNode()
    node.SetName(name)
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    fill_segmentation(node, image)
    show_segments(node, image)
    return node


def fill_segmentation(node: Any, image: Image) -> None:
    """Give an empty segmentation node, not necessarily in a scene, the segments and attributes of an image."""
    described = image.segmentation
    assert described is not None
    for key, text in image.attributes.items():
        node.SetAttribute(key, text)
    segmentation = node.GetSegmentation()
    if described.conversion_parameters:
        segmentation.DeserializeConversionParameters(described.conversion_parameters)
    segmentation.SetSourceRepresentationName(LABELMAP)
    layers = [_labelmap(image, layer) for layer in range(image.voxels.shape[-1])]
    for stored in described.segments:
        segmentation.AddSegment(_segment(stored, layers[stored.layer]), stored.identifier)
    for representation in described.representations:
        if representation != LABELMAP and not segmentation.ContainsRepresentation(representation):
            segmentation.CreateRepresentation(representation)


def show_segments(node: Any, image: Image) -> None:
    """Show each segment of a node that has a display node as the image says."""
    display, described = node.GetDisplayNode(), image.segmentation
    assert described is not None
    for stored in described.segments:
        display.SetSegmentVisibility(stored.identifier, stored.visible)
        display.SetSegmentOpacity3D(stored.identifier, stored.opacity)


def _merged(layers: list[Any], extent: Extent, name: str) -> np.ndarray:
    shape = (extent[5] - extent[4] + 1, extent[3] - extent[2] + 1, extent[1] - extent[0] + 1)
    arrays = [None if layer.IsEmpty() else voxels_of(layer, name)[..., 0] for layer in layers]
    dtype = np.result_type(*(array.dtype for array in arrays if array is not None))
    if len(layers) == 1 and arrays[0] is not None:
        return arrays[0][np.newaxis, ..., np.newaxis]
    merged = np.zeros((1, *shape, len(layers)), dtype)
    for number, (layer, array) in enumerate(zip(layers, arrays, strict=True)):
        if array is not None:
            own = layer.GetExtent()
            slices, rows, columns = (
                slice(own[2 * axis] - extent[2 * axis], own[2 * axis + 1] - extent[2 * axis] + 1) for axis in (2, 1, 0)
            )
            merged[0, slices, rows, columns, number] = array
    return merged


def _union(extents: list[Extent]) -> Extent:
    joined = [
        min(extent[i] for extent in extents) if i % 2 == 0 else max(extent[i] for extent in extents) for i in range(6)
    ]
    return (joined[0], joined[1], joined[2], joined[3], joined[4], joined[5])


def _matrix(labelmap: Any) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def _same_grid(first: Any, second: Any) -> bool:
    return bool(np.allclose(_matrix(first), _matrix(second), rtol=0, atol=1e-9))


def _directions(labelmap: Any) -> tuple[tuple[float, float, float], ...]:
    rows = [[0.0] * 3, [0.0] * 3, [0.0] * 3]
    labelmap.GetDirections(rows)
    return tuple((a, b, c) for a, b, c in rows)


def _block_geometry(labelmap: Any, offset: tuple[int, int, int]) -> Geometry:
    """Geometry whose origin is the first stored voxel."""
    origin = tuple(labelmap.GetOrigin())
    if any(offset):
        origin = tuple(float(value) for value in (_matrix(labelmap) @ np.array([*offset, 1.0]))[:3])
    return Geometry(origin, tuple(labelmap.GetSpacing()), _directions(labelmap))  # type: ignore[arg-type]


def _labelmap(image: Image, layer: int) -> Any:
    """One layer as an oriented image data on the original grid, empty where the image is one voxel of 0."""
    described = image.segmentation
    assert described is not None
    labelmap = slicer.vtkOrientedImageData()
    if image.voxel_count > 1 or image.voxels.any():
        labelmap.DeepCopy(image_data_of(image.voxels[0, ..., layer : layer + 1]))
        slices, rows, columns = image.voxels.shape[1:4]
        i, j, k = described.extent_offset
        labelmap.SetExtent(i, i + columns - 1, j, j + rows - 1, k, k + slices - 1)
    labelmap.SetOrigin(described.reference_origin or image.geometry.origin)
    labelmap.SetSpacing(image.geometry.spacing)
    labelmap.SetDirections([list(row) for row in image.geometry.directions])
    return labelmap


def _segments_of(node: Any, shown: Any) -> tuple[Segment, ...]:
    segmentation, display = node.GetSegmentation(), shown.GetDisplayNode()
    known = set(shown.GetSegmentation().GetSegmentIDs()) if display else set()
    found = []
    for number in range(segmentation.GetNumberOfSegments()):
        identifier = segmentation.GetNthSegmentID(number)
        segment = segmentation.GetNthSegment(number)
        red, green, blue = segment.GetColor()
        found.append(
            Segment(
                identifier=identifier,
                name=segment.GetName() or "",
                label_value=int(segment.GetLabelValue()),
                layer=segmentation.GetLayerIndex(identifier, LABELMAP),
                color=(red, green, blue),
                color_auto_generated=bool(segment.GetColorAutoGenerated()),
                name_auto_generated=bool(segment.GetNameAutoGenerated()),
                tags=tags_of(segment),
                opacity=float(display.GetSegmentOpacity3D(identifier)) if identifier in known else 1.0,
                visible=bool(display.GetSegmentVisibility(identifier)) if identifier in known else True,
            )
        )
    return tuple(found)


def _segment(stored: Segment, labelmap: Any) -> Any:
    segment = slicer.vtkSegment()
    segment.SetName(stored.name)
    segment.SetColor(stored.color)
    segment.SetColorAutoGenerated(stored.color_auto_generated)
    segment.SetNameAutoGenerated(stored.name_auto_generated)
    segment.SetLabelValue(stored.label_value)
    for key, text in stored.tags.items():
        segment.SetTag(key, text)
    segment.AddRepresentation(LABELMAP, labelmap)
    return segment


def tags_of(segment: Any) -> dict[str, str]:
    """All tags of a vtkSegment.

    Python sees no list of a segment's tags, so keys are taken from its printed form, where each
    starts a line and a colon ends it, and every candidate is confirmed and read through GetTag.
    """
    tags: dict[str, str] = {}
    lines = str(segment).partition("\n  Tags:\n")[2].split("\n")
    for line in lines:
        candidate = line[6:]
        for end in (place for place, letter in enumerate(candidate) if letter == ":"):
            value = vtk.reference("")
            if segment.GetTag(candidate[:end], value):
                tags[candidate[:end]] = str(value.get())
                break
    return tags


def _representations_of(segmentation: Any) -> tuple[str, ...]:
    names: list[str] = []
    segmentation.GetContainedRepresentationNames(names)
    return tuple(names)
