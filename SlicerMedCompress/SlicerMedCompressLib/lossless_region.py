"""Which voxels of an image must be kept bit for bit: those of segments, with a margin around them.

A segmentation seldom has the image's grid: Slicer stores the box around the segments only, and
segments may have been drawn on another volume.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .errors import UnsupportedImageError
from .image import Geometry, Image, Kind
from .libraries import library
from .segments import Segment

_Box = tuple[slice, slice, slice]
_LISTED = 20
_SINGULAR = 1e-6
_NOT_ORTHONORMAL = 1e-3
# Distances come as 32 bit floats; a voxel at exactly the margin is within it.
_ROUNDING = 1e-6


def region_mask(segmentation: Image, image: Image, segments: Sequence[str] = (), margin: float = 0.0) -> np.ndarray:
    """The voxels of an image that are inside chosen segments or near them, the same for all frames.

    A voxel is inside if its centre is in a voxel of a chosen segment, or if it holds the centre of
    one, so that a structure finer than the image's grid does not fall between voxel centres.

    Args:
        segmentation: a segmentation or a label volume on any grid; a voxel of a label sequence counts
            if it is labelled in any frame. Outside of it there is no segment.
        image: gives the grid; its voxels are not read.
        segments: names or identifiers of segments (all segments that have one are meant), or label
            values as text ("1") for a label volume; empty for every label but 0.
        margin: in mm, at least 0: voxels whose centre is at most this far from the centre of an
            inside voxel are also chosen.

    Returns:
        bool array (slice, row, column) of the image's shape, with at least one true voxel.

    Raises:
        UnsupportedImageError: there is no such segment, none has a voxel inside the volume, the margin
            is no length, a geometry cannot be mapped to the other, or the image has no labels.
        MissingLibraryError: SimpleITK is needed (grids differ, or there is a margin) and missing.
    """
    segments = (segments,) if isinstance(segments, str) else segments
    if not (math.isfinite(margin) and margin >= 0):
        raise UnsupportedImageError(f"The margin around segments is {margin:g} mm; give 0 or a positive length in mm.")
    chosen = _chosen_voxels(segmentation, segments)
    mask = np.zeros(image.voxels.shape[1:4], np.bool_)
    box = _bounding_box(chosen)
    if box is not None:
        _mark(mask, chosen[box], box, _index_map(segmentation, image))
    if not mask.any():
        raise UnsupportedImageError(
            f"{_title(segmentation, segments)} has no voxel inside the volume; nothing would be kept lossless. "
            "Choose other segments, or a segmentation of this volume."
        )
    return _grown(mask, image.geometry, margin)


@dataclass(frozen=True, eq=False)
class _IndexMap:
    """Positions (column, row, slice) on one grid as positions on another: ``matrix @ p + offset``."""

    matrix: np.ndarray
    offset: np.ndarray

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """Map positions of shape (3, count)."""
        mapped: np.ndarray = self.matrix @ positions + self.offset[:, np.newaxis]
        return mapped

    @property
    def inverse(self) -> _IndexMap:
        matrix = np.linalg.inv(self.matrix)
        return _IndexMap(matrix, -matrix @ self.offset)


def _chosen_voxels(segmentation: Image, segments: Sequence[str]) -> np.ndarray:
    """Bool (slice, row, column) on the segmentation's own grid: the voxels of the chosen segments."""
    if segmentation.kind not in (Kind.LABEL, Kind.SEGMENTATION):
        raise UnsupportedImageError(
            f'"{segmentation.name or "The region"}" is a {segmentation.kind.value} volume; give a segmentation or '
            "a label volume as the region that is kept lossless."
        )
    chosen = np.zeros(segmentation.voxels.shape[1:4], np.bool_)
    if not segments:
        for frame, layer in itertools.product(*(range(segmentation.voxels.shape[axis]) for axis in (0, 4))):
            chosen |= segmentation.voxels[frame, ..., layer] != 0
    elif segmentation.segmentation is not None:
        for segment in _named(segmentation, segmentation.segmentation.segments, segments):
            chosen |= segmentation.voxels[0, ..., segment.layer] == segment.label_value
    else:
        for name in segments:
            chosen |= _labelled(segmentation, name)
    return chosen


def _named(segmentation: Image, described: Sequence[Segment], names: Sequence[str]) -> list[Segment]:
    found = []
    for name in names:
        same = [segment for segment in described if name in (segment.identifier, segment.name)]
        if not same:
            raise _no_such(segmentation, name, (segment.name or segment.identifier for segment in described))
        found += same
    return found


def _labelled(labels: Image, name: str) -> np.ndarray:
    """Bool (slice, row, column): where a label volume has a value, given as text, in any frame."""
    limits = np.iinfo(labels.voxels.dtype)
    try:
        value = int(name)
    except ValueError:
        value = 0
    found = np.zeros(labels.voxels.shape[1:4], np.bool_)
    if value and limits.min <= value <= limits.max:
        for frame in labels.voxels[..., 0]:
            found |= frame == value
    if not found.any():
        present = {int(label) for frame in labels.voxels for label in np.unique(frame)} - {0}
        raise _no_such(labels, name, (str(label) for label in sorted(present)))
    return found


def _no_such(segmentation: Image, name: str, available: Iterable[str]) -> UnsupportedImageError:
    listed = [f'"{text}"' for text in itertools.islice(available, _LISTED + 1)]
    if len(listed) > _LISTED:
        listed[-1] = "and more"
    return UnsupportedImageError(
        f'{_title(segmentation, ())} has no segment "{name}"; '
        + (f"choose from {', '.join(listed)}." if listed else "it has none at all.")
    )


def _title(segmentation: Image, segments: Sequence[str]) -> str:
    whole = f'"{segmentation.name}"' if segmentation.name else f"The {segmentation.kind.value}"
    if not segments:
        return whole
    return " or ".join(f'"{name}"' for name in segments) + f" of {whole[:1].lower() + whole[1:]}"


def _bounding_box(mask: np.ndarray) -> _Box | None:
    """The smallest box (slices, rows, columns) that holds all true voxels, or None without any."""
    ends = []
    for others in ((1, 2), (0, 2), (0, 1)):
        hits = np.flatnonzero(np.any(mask, axis=others))
        if not len(hits):
            return None
        ends.append(slice(int(hits[0]), int(hits[-1]) + 1))
    return ends[0], ends[1], ends[2]


def _index_map(segmentation: Image, image: Image) -> _IndexMap:
    """From voxel indices of a segmentation to those of an image; any invertible directions will do."""
    for part in (segmentation, image):
        if abs(np.linalg.det(np.array(part.geometry.directions))) < _SINGULAR:
            raise UnsupportedImageError(
                f'"{part.name or part.kind.value}" has axes that lie in one plane, so that segments cannot be placed; '
                "correct its directions in the Volumes module."
            )
    matrix = np.linalg.solve(image.geometry.ijk_to_ras, segmentation.geometry.ijk_to_ras)
    return _IndexMap(matrix[:3, :3], matrix[:3, 3])


def _mark(mask: np.ndarray, part: np.ndarray, box: _Box, to_image: _IndexMap) -> None:
    """Set the voxels of an image that a part of a segmentation covers.

    Args:
        part: bool (slice, row, column), the voxels in ``box`` of the segmentation's grid.
    """
    shift = _whole_shift(box, to_image)
    if shift is not None:
        _paste(mask, part, [axis.start + step for axis, step in zip(box, shift, strict=True)])
        return
    _mark_centres_in_part(mask, part, box, to_image)
    _mark_holders_of_centres(mask, part, box, to_image)


def _corners(box: _Box, beyond: float) -> np.ndarray:
    """The eight corners (column, row, slice) of a box of voxels, shape (3, 8).

    Args:
        beyond: how far outside the centres of the voxels at the ends, in voxels.
    """
    ends = [(axis.start - beyond, axis.stop - 1 + beyond) for axis in reversed(box)]
    return np.array(list(itertools.product(*ends)), np.float64).T


def _whole_shift(box: _Box, to_image: _IndexMap) -> tuple[int, int, int] | None:
    """Whole voxels (slices, rows, columns) from a segmentation's grid to an image's, or None.

    Where the two have the same axes and spacing and no centre in the box is half a voxel from that
    of the shifted one, the nearest neighbour is the shifted one, so nothing needs resampling.
    """
    if np.abs(to_image.matrix - np.eye(3)).max() > 1e-3:
        return None
    corners = _corners(box, 0.0)
    away = to_image(corners) - corners
    shift = np.rint(away.mean(axis=1))
    if np.abs(away - shift[:, np.newaxis]).max() > 0.49:
        return None
    return int(shift[2]), int(shift[1]), int(shift[0])


def _paste(mask: np.ndarray, part: np.ndarray, start: Sequence[int]) -> None:
    """Set the voxels of a part that starts at (slice, row, column), which may be outside."""
    target, source = [], []
    for first, length, room in zip(start, part.shape, mask.shape, strict=True):
        begin, end = max(first, 0), min(first + length, room)
        if begin >= end:
            return
        target.append(slice(begin, end))
        source.append(slice(begin - first, end - first))
    mask[tuple(target)] |= part[tuple(source)]


def _mark_centres_in_part(mask: np.ndarray, part: np.ndarray, box: _Box, to_image: _IndexMap) -> None:
    """Set the voxels whose centre is in a voxel of the part: nearest neighbour resampling by SimpleITK.

    Both grids are given to it in voxels, with the map between them as the transform, so that
    it sees no origin, spacing or directions that it might refuse.
    """
    reached = to_image(_corners(box, 0.5))
    first = np.maximum(np.floor(reached.min(axis=1)), 0).tolist()
    last = np.minimum(np.ceil(reached.max(axis=1)), np.array(mask.shape[::-1]) - 1).tolist()
    if any(begin > end for begin, end in zip(first, last, strict=True)):
        return
    sitk = library("SimpleITK", "SimpleITK", "A lossless region on another grid")
    source = sitk.GetImageFromArray(part.astype(np.uint8))
    source.SetOrigin([float(axis.start) for axis in reversed(box)])
    back = to_image.inverse
    transform = sitk.AffineTransform(back.matrix.ravel().tolist(), back.offset.tolist())
    size = [int(end - begin) + 1 for begin, end in zip(first, last, strict=True)]
    sampled = sitk.Resample(
        source, size, transform, sitk.sitkNearestNeighbor, first, (1.0, 1.0, 1.0), np.eye(3).ravel().tolist(), 0
    )
    _paste(mask, sitk.GetArrayViewFromImage(sampled).astype(np.bool_), [int(begin) for begin in reversed(first)])


def _mark_holders_of_centres(mask: np.ndarray, part: np.ndarray, box: _Box, to_image: _IndexMap) -> None:
    """Set the voxels that hold the centre of a voxel of the part, a slice of the part at a time."""
    room = np.array(mask.shape[::-1])[:, np.newaxis]
    for number, plane in enumerate(part):
        rows, columns = plane.nonzero()
        slices = np.full(len(rows), box[0].start + number)
        held = np.floor(to_image(np.stack([columns + box[2].start, rows + box[1].start, slices])) + 0.5)
        held = held[:, ((held >= 0) & (held < room)).all(axis=0)].astype(np.intp)
        mask[held[2], held[1], held[0]] = True


def _grown(mask: np.ndarray, geometry: Geometry, margin: float) -> np.ndarray:
    """A mask (slice, row, column) and all voxels within a margin in mm, by the exact Euclidean distance.

    The distance transform is that of Maurer, Qi and Raghavan, "A Linear Time Algorithm for Computing
    Exact Euclidean Distance Transforms of Binary Images in Arbitrary Dimensions", IEEE TPAMI 25(2), 2003.
    """
    box = _bounding_box(mask)
    if margin == 0 or box is None:
        return mask
    axes = np.array(geometry.directions)
    if np.abs(axes.T @ axes - np.eye(3)).max() > _NOT_ORTHONORMAL:
        raise UnsupportedImageError(
            "The volume's axes are not at right angles, so a margin in mm cannot be measured along them; resample "
            "the volume to a regular grid first, or choose a margin of 0."
        )
    sitk = library("SimpleITK", "SimpleITK", "A margin around a lossless region")
    reach = [
        math.ceil(min(margin / step, length)) for step, length in zip(geometry.spacing[::-1], mask.shape, strict=True)
    ]
    wide = tuple(slice(max(0, axis.start - more), axis.stop + more) for axis, more in zip(box, reach, strict=True))
    near = mask[wide]
    source = sitk.GetImageFromArray(near.astype(np.uint8))
    source.SetSpacing(geometry.spacing)
    distances = sitk.SignedMaurerDistanceMap(
        source, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    near |= sitk.GetArrayViewFromImage(distances) <= np.float64(margin * (1 + _ROUNDING))
    return mask
