"""One tile to its payloads and back: transforms, constant blocks, checksums, corrections."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ..codecs import Codec
from ..errors import CorruptStreamError
from ..image import little_endian
from ..tiling import Region
from ..tolerance import NO_DEVIATION, Deviation, Tolerance, deviation_of
from ..transforms import Pipeline
from ..transforms.corrections import corrected, correction_planes, corrections_of
from .header import Entry


@dataclass(frozen=True, eq=False)
class CodedTile:
    """What ``encode`` makes of a tile.

    Attributes:
        blocks: table entry and payload of each plane, those of the corrections last.
        decoded: the voxels (slice, row, column, component) that a reader will get; None where they
            are the original's. deviation: how far they are from it. decoded_crc: their CRC-32, by which a
            reader knows that it gets the same.
    """

    blocks: tuple[tuple[Entry, bytes], ...]
    decoded: np.ndarray | None = None
    deviation: Deviation = NO_DEVIATION
    decoded_crc: int = 0


@dataclass(frozen=True)
class TileCoder:
    """How every tile of a file is coded.

    Attributes:
        dtype, components: of the voxels.
        corrections: the lossless codec of what the decoded voxels lack; None where nothing is corrected.
    """

    codec: Codec
    pipeline: Pipeline
    dtype: np.dtype
    components: int
    corrections: Codec | None = None

    def encode(self, voxels: np.ndarray, region: Region, tolerance: Tolerance | None = None) -> CodedTile:
        """Code a tile; with a tolerance also decode, correct and measure it.

        Args:
            voxels: (frame, slice, row, column, component), the whole image.
            tolerance: what a lossy codec must keep; None for a lossless one.
        """
        original = region.of(voxels)
        planes = self.pipeline.forward(original, region)
        blocks = [_encode_block(self.codec, planes[..., plane]) for plane in range(planes.shape[-1])]
        if tolerance is None:
            return CodedTile(tuple(blocks))
        entries, payloads = tuple(entry for entry, _ in blocks), [payload for _, payload in blocks]
        decoded = self._decode_base(entries, payloads, region)
        if self.corrections is not None:
            lacking = corrections_of(original, decoded, tolerance.allowed(original, region))
            decoded = corrected(decoded, lacking)
            blocks += [_encode_block(self.corrections, lacking[..., plane]) for plane in range(lacking.shape[-1])]
        deviation = deviation_of(original, decoded, tolerance, region)
        return CodedTile(tuple(blocks), decoded, deviation, zlib.crc32(little_endian(decoded)))

    def decode(self, entries: tuple[Entry, ...], payloads: list[bytes], region: Region) -> np.ndarray:
        """The tile (slice, row, column, component) from its entries and payloads.

        Raises CorruptStreamError if a checksum differs or a payload does not decode to this tile.
        """
        planes = self.pipeline.output(self.dtype, self.components)[1]
        tile = self._decode_base(entries[:planes], payloads[:planes], region)
        if self.corrections is None:
            return tile
        coded = correction_planes(self.dtype, self.components)
        return corrected(
            tile, _decode_planes(self.corrections, entries[planes:], payloads[planes:], region.shape, coded)
        )

    def _decode_base(self, entries: tuple[Entry, ...], payloads: list[bytes], region: Region) -> np.ndarray:
        coded = self.pipeline.output(self.dtype, self.components)
        return self.pipeline.inverse(_decode_planes(self.codec, entries, payloads, region.shape, coded), region)


def _encode_block(codec: Codec, plane: np.ndarray) -> tuple[Entry, bytes]:
    block = np.ascontiguousarray(plane)
    bits = block.view(f"u{block.dtype.itemsize}")
    if bits.flat[0] == bits.flat[-1] and np.all(bits == bits.flat[0]):
        return (int(bits.flat[0]),), b""
    payload = codec.encode(block)
    if len(payload) < block.nbytes:
        return (len(payload), zlib.crc32(payload)), payload
    raw = block.astype(block.dtype.newbyteorder("<"), copy=False).tobytes()
    return (len(raw), zlib.crc32(raw), 1), raw


def _decode_planes(
    codec: Codec,
    entries: tuple[Entry, ...],
    payloads: list[bytes],
    shape: tuple[int, int, int],
    coded: tuple[np.dtype, int],
) -> np.ndarray:
    dtype, planes = coded
    if planes == 1:
        return _decode_block(codec, entries[0], payloads[0], shape, dtype)[..., np.newaxis]
    tile = np.empty((*shape, planes), dtype)
    for plane, (entry, payload) in enumerate(zip(entries, payloads, strict=True)):
        tile[..., plane] = _decode_block(codec, entry, payload, shape, dtype)
    return tile


def _decode_block(
    codec: Codec, entry: Entry, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype
) -> np.ndarray:
    if len(entry) == 1:
        bits = np.dtype(f"u{dtype.itemsize}")
        if entry[0] > np.iinfo(bits).max:
            raise CorruptStreamError("A constant tile has a value that its type cannot hold.")
        return np.full(shape, entry[0], bits).view(dtype)
    if zlib.crc32(payload) != entry[1]:
        raise CorruptStreamError("The checksum of a tile is wrong: the file was damaged.")
    if len(entry) == 2:
        return codec.decode(payload, shape, dtype)
    if len(payload) != shape[0] * shape[1] * shape[2] * dtype.itemsize:
        raise CorruptStreamError("A tile of raw samples has another length than its samples.")
    return np.frombuffer(payload, dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)
