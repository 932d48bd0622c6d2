"""What a reader of a file with loss will get, gathered while it is written."""

from __future__ import annotations

import hashlib

import numpy as np

from ..errors import VerificationError
from ..image import little_endian
from ..tiling import Region
from ..tolerance import Deviation
from .guarantee import LOSSLESS, Guarantee
from .plan import Plan
from .tile_coding import CodedTile


class DecodedVoxels:
    """Hash and errors of what a reader will get, gathered tile by tile; nothing for lossless tiles."""

    def __init__(self, original: np.ndarray) -> None:
        self._original = original
        self._digest = hashlib.sha256()
        self._slab: np.ndarray | None = None
        self._deviation = Deviation()
        self._tiles: list[int] = []
        self.checksums: list[tuple[int, ...]] = []
        """CRC-32 of the decoded tiles of each slab."""

    def add(self, region: Region, tile: CodedTile) -> None:
        """A tile of the slab in hand."""
        if tile.decoded is None:
            return
        if self._slab is None:
            shape = (region.slices[1] - region.slices[0], *self._original.shape[2:])
            self._slab = np.empty(shape, self._original.dtype)
        self._slab[:, slice(*region.rows), slice(*region.columns)] = tile.decoded
        self._deviation += tile.deviation
        self._tiles.append(tile.decoded_crc)

    def finish_slab(self) -> None:
        """All tiles of the slab were added."""
        if self._slab is not None:
            self._digest.update(little_endian(self._slab))
            self._slab = None
            self.checksums.append(tuple(self._tiles))
            self._tiles = []

    @property
    def sha256(self) -> str:
        """Of the slabs so far."""
        return self._digest.hexdigest()

    def guarantee(self, plan: Plan) -> Guarantee:
        """What was found; VerificationError if it is more than the plan allows."""
        if plan.tolerance is None:
            return LOSSLESS
        if self._deviation.broken:
            raise VerificationError(
                f"{plan.codec.title} left {self._deviation.broken:,} voxels further from the original than they may "
                "be, so nothing was kept; choose another codec and report this."
            )
        return Guarantee.measured(plan.tolerance, self._deviation, plan.data_range)
