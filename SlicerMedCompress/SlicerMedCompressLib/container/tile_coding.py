"""One tile to its payloads and back: transforms, constant blocks, checksums."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ..codecs import Codec
from ..errors import CorruptStreamError
from ..tiling import Region
from ..transforms import Pipeline
from .header import Entry


@dataclass(frozen=True)
class TileCoder:
    """How every tile of a file is coded.

    Attributes:
        dtype, components: of the voxels.
    """

    codec: Codec
    pipeline: Pipeline
    dtype: np.dtype
    components: int

    def encode(self, voxels: np.ndarray, region: Region) -> list[tuple[Entry, bytes]]:
        """Table entry and payload of each plane of a tile.

        Args:
            voxels: (frame, slice, row, column, component), the whole image.
        """
        planes = self.pipeline.forward(region.of(voxels), region)
        return [self._encode_block(np.ascontiguousarray(planes[..., plane])) for plane in range(planes.shape[-1])]

    def _encode_block(self, block: np.ndarray) -> tuple[Entry, bytes]:
        bits = block.view(f"u{block.dtype.itemsize}")
        if bits.flat[0] == bits.flat[-1] and np.all(bits == bits.flat[0]):
            return (int(bits.flat[0]),), b""
        payload = self.codec.encode(block)
        if len(payload) < block.nbytes:
            return (len(payload), zlib.crc32(payload)), payload
        raw = block.astype(block.dtype.newbyteorder("<"), copy=False).tobytes()
        return (len(raw), zlib.crc32(raw), 1), raw

    def decode(self, entries: tuple[Entry, ...], payloads: list[bytes], region: Region) -> np.ndarray:
        """The tile (slice, row, column, component) from its entries and payloads.

        Raises CorruptStreamError if a checksum differs or a payload does not decode to this tile.
        """
        dtype, planes = self.pipeline.output(self.dtype, self.components)
        if planes == 1:
            tile = self._decode_block(entries[0], payloads[0], region.shape, dtype)[..., np.newaxis]
        else:
            tile = np.empty((*region.shape, planes), dtype)
            for plane, (entry, payload) in enumerate(zip(entries, payloads, strict=True)):
                tile[..., plane] = self._decode_block(entry, payload, region.shape, dtype)
        return self.pipeline.inverse(tile, region)

    def _decode_block(self, entry: Entry, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        if len(entry) == 1:
            bits = np.dtype(f"u{dtype.itemsize}")
            if entry[0] > np.iinfo(bits).max:
                raise CorruptStreamError("A constant tile has a value that its type cannot hold.")
            return np.full(shape, entry[0], bits).view(dtype)
        if zlib.crc32(payload) != entry[1]:
            raise CorruptStreamError("The checksum of a tile is wrong: the file was damaged.")
        if len(entry) == 2:
            return self.codec.decode(payload, shape, dtype)
        if len(payload) != shape[0] * shape[1] * shape[2] * dtype.itemsize:
            raise CorruptStreamError("A tile of raw samples has another length than its samples.")
        return np.frombuffer(payload, dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)
