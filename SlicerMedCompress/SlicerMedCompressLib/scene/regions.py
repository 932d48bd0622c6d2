"""The region that stays exact, from nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UnsupportedImageError
from ..lossless_region import region_mask
from ..mixed_sequence import Content, MixedSequence
from .conversion import node_to_image


def exact_region(node: Any, image: Content, region: Any, segments: Sequence[str], margin: float) -> np.ndarray | None:
    """Where the image of a node stays exact: bool (slice, row, column); None without a region node.

    Raises UnsupportedImageError where the region is under another transform than the node, or frames differ.
    """
    if region is None:
        if segments or margin:
            raise UnsupportedImageError("Segments and a margin need the segmentation that they are of.")
        return None
    if isinstance(image, MixedSequence):
        raise UnsupportedImageError(
            f'The frames of the sequence "{image.name}" differ, so no region is the same in all; compress it without '
            "a lossless region."
        )
    if node.IsA("vtkMRMLTransformableNode") and region.GetTransformNodeID() != node.GetTransformNodeID():
        raise UnsupportedImageError(
            f'"{region.GetName()}" and "{node.GetName()}" are under different transforms; harden them, or put both '
            "under the same one."
        )
    return region_mask(node_to_image(region), image, segments, margin)
