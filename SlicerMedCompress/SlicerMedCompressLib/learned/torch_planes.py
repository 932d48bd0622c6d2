"""The planes of a tile as tables on a device: a step of the decoder reads one row of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from .tile_geometry import TileGeometry
from .torch_prediction import on_device

_EXTENTS = 8
"""So many lengths of planes at most get a CUDA graph of their own."""


@dataclass(frozen=True)
class Extent:
    """How much of a row of the tables a step looks at; several planes may share one.

    Attributes:
        certain: so many voxels each of the planes has at least. most: so many at most. edges: cells of padding at most.
    """

    certain: int
    most: int
    edges: int


@dataclass(frozen=True, eq=False)
class PlaneTables:
    """Which cells each plane decodes and copies. Planes without voxels are left out.

    Attributes:
        counts: int64 (plane,), voxels of each plane.
        addresses: int32 (plane, widest), of the voxels; then the first voxel's again.
        edge, edge_source: int32 (plane, most edges), padding and what it copies; then the spare cell.
        spare: address of a cell that nothing looks at.
        voxel_counts, edge_counts: (plane,), the same for the host.
    """

    counts: Tensor
    addresses: Tensor
    edge: Tensor
    edge_source: Tensor
    spare: int
    voxel_counts: np.ndarray
    edge_counts: np.ndarray

    @property
    def planes(self) -> int:
        """How many planes have voxels."""
        return len(self.voxel_counts)

    def exact_extents(self) -> list[Extent]:
        """The extent of each plane, its own."""
        pairs = zip(self.voxel_counts.tolist(), self.edge_counts.tolist(), strict=True)
        return [Extent(count, count, edges) for count, edges in pairs]

    def shared_extents(self, lanes: int) -> list[Extent]:
        """The extent of each plane, few different ones: by how many times its voxels fill the lanes."""
        rounds = -(-self.voxel_counts // lanes)
        group = -(-rounds // -(-int(rounds.max()) // _EXTENTS))
        extents = {
            int(number): Extent(
                int(self.voxel_counts[group == number].min()),
                int(self.voxel_counts[group == number].max()),
                int(self.edge_counts[group == number].max()),
            )
            for number in np.unique(group)
        }
        return [extents[int(number)] for number in group]


@lru_cache(maxsize=4)
def plane_tables(geometry: TileGeometry, device: torch.device) -> PlaneTables:
    """The tables of a geometry, kept for other tiles of its shape."""
    counts, edges = np.diff(geometry.plane_starts), np.diff(geometry.edge_starts)
    filled = counts > 0
    # Padding copies voxels, so a plane without voxels has none.
    counts, edges = counts[filled], edges[filled]
    spare = int(np.prod(geometry.padded_shape))

    def table(entries: np.ndarray, lengths: np.ndarray, filler: int) -> Tensor:
        rows = np.full((len(lengths), int(lengths.max(initial=0))), filler, np.int32)
        rows[np.arange(rows.shape[1]) < lengths[:, np.newaxis]] = entries
        return on_device(rows, torch.int32, device)

    return PlaneTables(
        on_device(counts, torch.int64, device),
        table(geometry.order, counts, int(geometry.order[0])),
        table(geometry.edge, edges, spare),
        table(geometry.edge_source, edges, spare),
        spare,
        counts,
        edges,
    )
