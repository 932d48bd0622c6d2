"""What a segmentation says beside its labels, in the terms of Slicer's `.seg.nrrd`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Segment:
    """One segment: the voxels of one layer that hold one label value.

    Attributes:
        layer: index of the component that holds it; overlapping segments are in different layers.
        color: (red, green, blue) from 0 to 1.
        tags: terminology and whatever else was attached, key to text.
        opacity, visible: as shown in 2D and 3D.
    """

    identifier: str
    name: str
    label_value: int
    layer: int
    color: tuple[float, float, float]
    color_auto_generated: bool = False
    name_auto_generated: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    opacity: float = 1.0
    visible: bool = True


@dataclass(frozen=True)
class Segmentation:
    """All segments, in order, and how other representations are made of them.

    Attributes:
        representations: names of representations that were present and can be made again.
        conversion_parameters: Slicer's serialised text.
        extent_offset: (column, row, slice) of the first stored voxel in the grid the segments were
            drawn on; Slicer stores the box around the segments only.
        reference_origin: RAS position in mm of that grid's voxel (0, 0, 0), or None where the
            stored box starts the grid.
    """

    segments: tuple[Segment, ...]
    source_representation: str = "Binary labelmap"
    representations: tuple[str, ...] = ("Binary labelmap",)
    conversion_parameters: str = ""
    extent_offset: tuple[int, int, int] = (0, 0, 0)
    reference_origin: tuple[float, float, float] | None = None
