"""One tile to its payloads and back: transforms, constant blocks, checksums, corrections."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from ..codecs import BlockContext, Codec, FittedCodec
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
        planes, contexts = self.planes(voxels, region), self.contexts(voxels, region)
        blocks = [_encode_block(self.codec, planes[..., plane], context) for plane, context in enumerate(contexts)]
        if tolerance is None:
            return CodedTile(tuple(blocks))
        if isinstance(self.codec, FittedCodec):
            # It is lossless, and decoding takes as long as coding; what was written is read once more in the end.
            decoded = self.pipeline.inverse(planes, region)
        else:
            entries, payloads = tuple(entry for entry, _ in blocks), [payload for _, payload in blocks]
            decoded = self.pipeline.inverse(self.decode_planes(entries, payloads, region), region)
        if self.corrections is not None:
            lacking = corrections_of(original, decoded, tolerance.allowed(original, region))
            decoded = corrected(decoded, lacking)
            blocks += [_encode_block(self.corrections, lacking[..., plane]) for plane in range(lacking.shape[-1])]
        deviation = deviation_of(original, decoded, tolerance, region)
        return CodedTile(tuple(blocks), decoded, deviation, zlib.crc32(little_endian(decoded)))

    @property
    def plane_count(self) -> int:
        """Planes that reach the codec."""
        return self.pipeline.output(self.dtype, self.components)[1]

    def planes(self, voxels: np.ndarray, region: Region) -> np.ndarray:
        """What reaches the codec of a region: (slice, row, column, plane)."""
        return self.pipeline.forward(region.of(voxels), region)

    def contexts(self, voxels: np.ndarray, region: Region) -> list[BlockContext]:
        """What coder and decoder know beside each plane of a region."""
        reference = self.reference_of(region)
        return self._contexts(region, None if reference is None else self.planes(voxels, reference))

    def reference_of(self, region: Region) -> Region | None:
        """The region of the frame before that must be decoded first, or None."""
        if not isinstance(self.codec, FittedCodec) or region.frame % self.codec.group == 0:
            return None
        return replace(region, frame=region.frame - 1)

    def _contexts(self, region: Region, reference: np.ndarray | None) -> list[BlockContext]:
        slopes = self.pipeline.slopes_of(region)
        return [
            BlockContext(None if reference is None else reference[..., plane], slopes)
            for plane in range(self.plane_count)
        ]

    def decode_planes(
        self, entries: tuple[Entry, ...], payloads: list[bytes], region: Region, reference: np.ndarray | None = None
    ) -> np.ndarray:
        """The planes (slice, row, column, plane) as the codec gives them.

        Args:
            reference: the planes of ``reference_of(region)``, where there is one.

        Raises CorruptStreamError if a checksum differs or a payload does not decode to this tile.
        """
        dtype, planes = self.pipeline.output(self.dtype, self.components)
        contexts = self._contexts(region, reference)
        return _decode_planes(self.codec, entries[:planes], payloads[:planes], region.shape, dtype, contexts)

    def finish(
        self, decoded: np.ndarray, entries: tuple[Entry, ...], payloads: list[bytes], region: Region
    ) -> np.ndarray:
        """The tile (slice, row, column, component) from its decoded planes and its corrections."""
        tile = self.pipeline.inverse(decoded, region)
        if self.corrections is None:
            return tile
        first = self.plane_count
        dtype, planes = correction_planes(self.dtype, self.components)
        contexts = [BlockContext()] * planes
        lacking = _decode_planes(self.corrections, entries[first:], payloads[first:], region.shape, dtype, contexts)
        return corrected(tile, lacking)


def _encode_block(codec: Codec, plane: np.ndarray, context: BlockContext | None = None) -> tuple[Entry, bytes]:
    block = np.ascontiguousarray(plane)
    bits = block.view(f"u{block.dtype.itemsize}")
    if bits.flat[0] == bits.flat[-1] and np.all(bits == bits.flat[0]):
        return (int(bits.flat[0]),), b""
    known = context or BlockContext()
    payload = codec.encode(block, known) if isinstance(codec, FittedCodec) else codec.encode(block)
    if len(payload) < block.nbytes:
        return (len(payload), zlib.crc32(payload)), payload
    raw = block.astype(block.dtype.newbyteorder("<"), copy=False).tobytes()
    return (len(raw), zlib.crc32(raw), 1), raw


def _decode_planes(
    codec: Codec,
    entries: tuple[Entry, ...],
    payloads: list[bytes],
    shape: tuple[int, int, int],
    dtype: np.dtype,
    contexts: list[BlockContext],
) -> np.ndarray:
    if len(contexts) == 1:
        return _decode_block(codec, entries[0], payloads[0], shape, dtype, contexts[0])[..., np.newaxis]
    tile = np.empty((*shape, len(contexts)), dtype)
    for plane, (entry, payload, context) in enumerate(zip(entries, payloads, contexts, strict=True)):
        tile[..., plane] = _decode_block(codec, entry, payload, shape, dtype, context)
    return tile


def _decode_block(
    codec: Codec,
    entry: Entry,
    payload: bytes,
    shape: tuple[int, int, int],
    dtype: np.dtype,
    context: BlockContext,
) -> np.ndarray:
    if len(entry) == 1:
        bits = np.dtype(f"u{dtype.itemsize}")
        if entry[0] > np.iinfo(bits).max:
            raise CorruptStreamError("A constant tile has a value that its type cannot hold.")
        return np.full(shape, entry[0], bits).view(dtype)
    if zlib.crc32(payload) != entry[1]:
        raise CorruptStreamError("The checksum of a tile is wrong: the file was damaged.")
    if len(entry) == 2 and isinstance(codec, FittedCodec):
        return codec.decode(payload, shape, dtype, context)
    if len(entry) == 2:
        return codec.decode(payload, shape, dtype)
    if len(payload) != shape[0] * shape[1] * shape[2] * dtype.itemsize:
        raise CorruptStreamError("A tile of raw samples has another length than its samples.")
    return np.frombuffer(payload, dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)
