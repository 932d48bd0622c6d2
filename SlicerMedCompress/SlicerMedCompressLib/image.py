"""The one thing that flows through MedCompress: voxels, where they are, what they mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from .appearance import Display
from .errors import UnsupportedImageError
from .playback import Browser
from .segments import Segmentation

SUPPORTED_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
VECTOR_TYPE = "MedCompress.VoxelVectorType"
"""The attribute in which an image keeps what MRML calls the type of a volume's vectors."""
AXES = ("frame", "slice", "row", "column", "component")


class Kind(str, Enum):
    """What a voxel's components are."""

    SCALAR = "scalar"
    LABEL = "label"
    VECTOR = "vector"
    COLOR = "color"
    SEGMENTATION = "segmentation"


@dataclass(frozen=True)
class Geometry:
    """Where voxels are in patient space (right, anterior, superior; millimetres).

    Kept as origin, spacing and directions, because both MRML and ITK keep it so and going
    through the 4x4 product and back changes last bits. ``directions[r][c]`` is the r-th RAS
    coordinate of the unit vector along the c-th index axis (I = column, J = row, K = slice).
    """

    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    directions: tuple[tuple[float, float, float], ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

    def __post_init__(self) -> None:
        numbers = [*self.origin, *self.spacing, *(value for row in self.directions for value in row)]
        if len(numbers) != 15 or len(self.directions) != 3 or any(len(row) != 3 for row in self.directions):
            raise UnsupportedImageError("The geometry needs 3 origin, 3 spacing and 3x3 direction values.")
        if not all(math.isfinite(number) for number in numbers):
            raise UnsupportedImageError(
                "The geometry holds NaN or infinity; set a finite origin, spacing and directions."
            )
        if min(self.spacing) <= 0:
            raise UnsupportedImageError(
                f"The voxel spacing {self.spacing} is not positive; set a positive spacing in mm."
            )

    @property
    def ijk_to_ras(self) -> np.ndarray:
        """The 4x4 matrix from (column, row, slice, 1) to (R, A, S, 1) in mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(self.directions) * np.array(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix


@dataclass(frozen=True)
class FrameAxis:
    """The fourth axis: one index value a frame, as text (the way MRML sequences keep it).

    ``names`` are those of the frames, or empty where they have none of their own. ``attributes`` are what each
    frame has beside the attributes of the image, key to text; they come before those; empty where no frame has any.
    ``sequence_attributes`` are those of the sequence itself, which are of no frame.
    """

    values: tuple[str, ...]
    name: str = "frame"
    unit: str = ""
    numeric: bool = True
    names: tuple[str, ...] = ()
    attributes: tuple[Mapping[str, str], ...] = ()
    sequence_attributes: Mapping[str, str] = field(default_factory=dict)

    def part(self, numbers: Sequence[int]) -> FrameAxis:
        """The axis of some of the frames."""
        return replace(
            self,
            values=tuple(self.values[number] for number in numbers),
            names=tuple(self.names[number] for number in numbers) if self.names else (),
            attributes=tuple(self.attributes[number] for number in numbers) if self.attributes else (),
        )


@dataclass(frozen=True, eq=False)
class Image:
    """A slice, volume, RGB volume, label volume, segmentation or sequence.

    Attributes:
        voxels: array of shape (frame, slice, row, column, component), one of SUPPORTED_TYPES,
            native byte order. It may be a view of a node's memory and is never written to.
        geometry: the same for all frames.
        kind: meaning of the components. For a segmentation they are layers of labels.
        name: what the user calls it.
        dimension: number of index axes in the file it came from: 2, 3 or 4 (with frames).
        quantity, units: coded entries as MRML writes them, empty if not stated.
        attributes: key to text, kept as they are; of a sequence those that all frames have alike.
        browser: how a sequence is played, if it is.
    """

    voxels: np.ndarray
    geometry: Geometry = field(default_factory=Geometry)
    kind: Kind = Kind.SCALAR
    name: str = ""
    dimension: int = 3
    quantity: str = ""
    units: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    frame_axis: FrameAxis | None = None
    display: Display | None = None
    segmentation: Segmentation | None = None
    browser: Browser | None = None

    def __post_init__(self) -> None:
        check_voxel_type(self.voxels.dtype, self.name)
        if self.voxels.ndim != len(AXES):
            raise UnsupportedImageError(f"Voxels need the five axes {', '.join(AXES)}; got {self.voxels.ndim}.")
        if self.voxels.size == 0:
            raise UnsupportedImageError(f'"{self.name or "The image"}" has no voxels; load or create an image first.')
        if not self.voxels.dtype.isnative:
            raise UnsupportedImageError("Voxels must be in native byte order; convert them with numpy's astype first.")
        self._check_frames()
        self._check_kind()

    def _check_frames(self) -> None:
        axis, count = self.frame_axis, len(self.voxels)
        if self.dimension not in (2, 3, 4):
            raise UnsupportedImageError(f"An image has 2, 3 or 4 dimensions, not {self.dimension}.")
        if axis is None:
            if count != 1:
                raise UnsupportedImageError(f"{count} frames need a frame axis that names them.")
            if self.browser is not None:
                raise UnsupportedImageError("Only a sequence is played; the image has no frame axis.")
            return
        check_frames(axis, count, self.browser)

    def _check_kind(self) -> None:
        components = self.voxels.shape[-1]
        if (self.kind is Kind.SEGMENTATION) != (self.segmentation is not None):
            raise UnsupportedImageError("A segmentation needs its segments described, and nothing else may have them.")
        if self.kind in (Kind.LABEL, Kind.SEGMENTATION) and self.voxels.dtype.kind == "f":
            raise UnsupportedImageError("Labels must be integers; cast the label volume to an integer type first.")
        if self.kind in (Kind.LABEL, Kind.SCALAR) and components != 1:
            raise UnsupportedImageError(f"A {self.kind.value} volume has one component a voxel, not {components}.")
        if self.segmentation is not None:
            if len(self.voxels) != 1:
                raise UnsupportedImageError("A segmentation has one frame; make a sequence of label volumes instead.")
            if any(segment.layer >= components for segment in self.segmentation.segments):
                raise UnsupportedImageError("A segment is on a layer that the image does not have.")

    @property
    def voxel_count(self) -> int:
        """Number of voxels: frames x slices x rows x columns, whatever the components."""
        return int(self.voxels.size // self.voxels.shape[-1])


def check_frames(axis: FrameAxis, count: int, browser: Browser | None) -> None:
    """Raise UnsupportedImageError unless an axis, and a browser if there is one, belong to so many frames."""
    if len(axis.values) != count:
        raise UnsupportedImageError(f"{count} frames need as many index values, not {len(axis.values)}.")
    if len(set(axis.values)) != count:
        raise UnsupportedImageError("Two frames have the same index value; give each its own.")
    if len(axis.names) not in (0, count):
        raise UnsupportedImageError("Either every frame has a name, or none.")
    if len(axis.attributes) not in (0, count):
        raise UnsupportedImageError("Either every frame has attributes of its own, none among them, or no frame.")
    if browser is not None and browser.selected_item >= count:
        raise UnsupportedImageError(f"Frame {browser.selected_item} is shown, of {count} frames counted from 0.")


def check_voxel_type(dtype: np.dtype, name: str = "") -> None:
    """Raise UnsupportedImageError unless voxels of this type can be kept exactly."""
    if dtype.name not in SUPPORTED_TYPES:
        subject = f'"{name}" has' if name else "The image has"
        raise UnsupportedImageError(
            f"{subject} voxels of type {dtype.name}, which is not supported; "
            f"cast it to one of {', '.join(SUPPORTED_TYPES)}."
        )


def finite_extremes(voxels: np.ndarray) -> tuple[float, float]:
    """Smallest and largest finite voxel of (frame, slice, ...); (0, 0) where none is finite."""
    lowest, highest = math.inf, -math.inf
    for volume in voxels:
        for plane in volume:
            finite = plane[np.isfinite(plane)] if plane.dtype.kind == "f" else plane
            if finite.size:
                lowest, highest = min(lowest, float(finite.min())), max(highest, float(finite.max()))
    return (lowest, highest) if lowest <= highest else (0.0, 0.0)


def same_voxels(first: np.ndarray, second: np.ndarray) -> bool:
    """True if both arrays have the same shape, type and bits (NaN payloads and signed zeros included)."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if first.dtype.kind == "f":
        bits = np.dtype(f"u{first.dtype.itemsize}")
        first, second = np.ascontiguousarray(first).view(bits), np.ascontiguousarray(second).view(bits)
    return bool(np.array_equal(first, second))


def little_endian(voxels: np.ndarray) -> memoryview:
    """The bytes of an array in C order, little endian; copied only where they are not so already."""
    return np.ascontiguousarray(voxels.astype(voxels.dtype.newbyteorder("<"), copy=False)).data
