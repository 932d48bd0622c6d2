"""Looking at the voxels once, to know which transforms could pay."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from ..image import Image, Kind
from ..tiling import Region
from .base import Transform
from .color import SubtractGreen
from .floats import NarrowFloat, OrderedBits
from .offset import Offset
from .palette import MAXIMUM_RANGE, Palette
from .pipeline import Pipeline
from .planes import SplitPlanes
from .slopes import RescaleSlopes, find_slopes

FULL_ENOUGH = 0.33
"""Share of the values in range that occur, above which closing the gaps gains under one percent."""
SAMPLE_STEP = 8
"""Every such slice is looked at before the values of all slices are gathered, which costs time."""


@dataclass(frozen=True, eq=False)
class Facts:
    """What one pass over the voxels found.

    Attributes:
        dtype: type of the voxels, or float32 where float64 ones all are float32 numbers.
        narrow: whether they are.
        slopes: rescale slopes of float voxels that are integers, or None.
        minimum, maximum: of the (rescaled) integers; 0 for other floats.
        occurs: which values of minimum to maximum occur, from all slices if they are few, else from
            some; None where the range exceeds 16 bits.
        components: samples a voxel.
    """

    dtype: np.dtype
    narrow: bool
    slopes: RescaleSlopes | None
    minimum: int
    maximum: int
    occurs: np.ndarray | None
    components: int
    color: bool

    @property
    def integral(self) -> bool:
        """Whether the voxels are, or exactly represent, integers."""
        return self.slopes is not None or self.dtype.kind in "iu"


def analyse(image: Image, pool: Executor) -> Facts:
    """Range, histogram support and rescale slopes of an image; ``pool`` runs slices in parallel."""
    voxels = image.voxels
    components = voxels.shape[-1]
    color = image.kind is Kind.COLOR or (image.kind is Kind.VECTOR and components in (3, 4))
    narrow, slopes = False, None
    if voxels.dtype.kind == "f":
        narrow = voxels.dtype == np.float64 and _all_float32(voxels)
        if narrow:
            voxels = voxels.astype(np.float32)
        slopes = find_slopes(voxels)
        if slopes is None:
            return Facts(voxels.dtype, narrow, None, 0, 0, None, components, color)
    slices = _IntegerSlices(voxels, slopes)
    minimum, maximum = slices.range(pool)
    occurs = slices.occurring(minimum, maximum, pool) if maximum - minimum < MAXIMUM_RANGE else None
    return Facts(voxels.dtype, narrow, slopes, minimum, maximum, occurs, components, color)


Index = tuple[int, int]


@dataclass(frozen=True, eq=False)
class _IntegerSlices:
    """The slices of all frames as integers: as they are, or divided by their slopes."""

    voxels: np.ndarray
    slopes: RescaleSlopes | None

    def range(self, pool: Executor) -> Index:
        """Smallest and largest value."""

        def extremes(group: list[Index]) -> Index:
            found = [self._integers(*index) for index in group]
            return min(int(plane.min()) for plane in found), max(int(plane.max()) for plane in found)

        ranges = list(pool.map(extremes, self._groups()))
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def occurring(self, minimum: int, maximum: int, pool: Executor) -> np.ndarray:
        """Which values of minimum to maximum occur: in all slices where some hold few, else in some."""
        packer = Offset(np.int32.__name__ if self.slopes else self.voxels.dtype.name, minimum, maximum)

        def support(group: list[Index]) -> np.ndarray:
            occurs = np.zeros(maximum - minimum + 1, np.bool_)
            for index in group:
                occurs[packer.packed_values(self._integers(*index)).ravel()] = True
            return occurs

        occurs = support(self._indices()[::SAMPLE_STEP])
        if occurs.mean() >= FULL_ENOUGH:
            return occurs
        return np.asarray(np.logical_or.reduce(list(pool.map(support, self._groups()))))

    def _integers(self, frame: int, part: int) -> np.ndarray:
        rows, columns = self.voxels.shape[2:4]
        region = Region(frame, (part, part + 1), (0, rows), (0, columns))
        tile = region.of(self.voxels)
        return tile if self.slopes is None else self.slopes.forward(tile, region)

    def _indices(self) -> list[Index]:
        return list(np.ndindex(self.voxels.shape[0], self.voxels.shape[1]))  # type: ignore[arg-type]

    def _groups(self) -> list[list[Index]]:
        # Some slices a task: a task has its cost.
        size, indices = max(1, (1 << 19) // self.voxels[0, 0].size), self._indices()
        return [indices[start : start + size] for start in range(0, len(indices), size)]


def _all_float32(voxels: np.ndarray) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return all(
            np.array_equal(plane.astype(np.float32).astype(np.float64).view(np.uint64), plane.view(np.uint64))
            for volume in voxels
            for plane in map(np.ascontiguousarray, volume)
        )


def pipelines(facts: Facts, sample_types: frozenset[str]) -> list[Pipeline]:
    """The pipelines worth trying for a codec that takes these types; plainest first, never none.

    Args:
        sample_types: numpy type names, at least one unsigned integer or float type.
    """
    steps: list[Transform] = [NarrowFloat()] if facts.narrow else []
    if not facts.integral:
        if facts.dtype.name in sample_types:
            return [Pipeline(tuple(steps))]
        steps.append(OrderedBits(facts.dtype.name))
        return [Pipeline((*steps, *_fitted(np.dtype(f"u{facts.dtype.itemsize}"), sample_types)))]
    source = facts.dtype
    if facts.slopes is not None:
        steps.append(facts.slopes)
        source = np.dtype(np.int32)
    offset = Offset(source.name, facts.minimum, facts.maximum)
    if facts.minimum != 0 or offset.packed != source:
        steps.append(offset)
    plain = Pipeline((*steps, *_fitted(offset.packed, sample_types)))
    found = [plain]
    if facts.occurs is not None and facts.occurs.mean() < FULL_ENOUGH:
        palette = Palette(np.flatnonzero(facts.occurs).astype(offset.packed))
        found.append(Pipeline((*steps, palette, *_fitted(palette.packed, sample_types))))
    if facts.color and offset.packed == np.uint8 and facts.components in (3, 4) and "uint8" in sample_types:
        found.append(Pipeline((*steps, SubtractGreen())))
    return found


def _fitted(dtype: np.dtype, sample_types: frozenset[str]) -> tuple[Transform, ...]:
    """What makes unsigned integers fit a codec: nothing, or cutting them into 16 bit planes."""
    if dtype.name in sample_types or dtype.itemsize <= 2:
        return ()
    return (SplitPlanes(dtype.name),)
