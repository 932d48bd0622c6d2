"""One tile to its payloads and back: transforms, constant blocks, checksums, corrections."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..codecs import BlockContext, Codec, FittedCodec
from ..image import little_endian
from ..tiling import Region
from ..tolerance import NO_DEVIATION, Deviation, Tolerance, deviation_of
from ..transforms import Pipeline
from ..transforms.corrections import corrected, correction_planes, corrections_of
from .block_coding import NOTHING, decode_block, encode_block
from .frame_order import FrameOrder
from .header import AFTER_FRAMES, Entry


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
class StoredTile:
    """A tile as the file has it, and the CRC-32 of its voxels as they decoded when written (None for lossless)."""

    entries: tuple[Entry, ...]
    payloads: list[bytes]
    decoded_crc: int | None


@dataclass(frozen=True)
class TileCoder:
    """How every tile of a file is coded.

    Attributes:
        dtype, components: of the voxels.
        order: which frames a frame is coded after.
        corrections: the lossless codec of what the decoded voxels lack; None where nothing is corrected.
    """

    codec: Codec
    pipeline: Pipeline
    dtype: np.dtype
    components: int
    order: FrameOrder
    corrections: Codec | None = None

    def encode(self, voxels: np.ndarray, region: Region, tolerance: Tolerance | None = None) -> CodedTile:
        """Code a tile; with a tolerance also decode, correct and measure it.

        Args:
            voxels: (frame, slice, row, column, component), the whole image.
            tolerance: what a lossy codec must keep; None for a lossless one.
        """
        original, planes = region.of(voxels), self.planes(voxels, region)
        references = [self.planes(voxels, reference) for reference in self.references_of(region)]
        contexts = self._contexts(region, references)
        blocks = [encode_block(self.codec, planes[..., plane], context) for plane, context in enumerate(contexts)]
        if tolerance is None:
            return CodedTile(tuple(blocks))
        if isinstance(self.codec, FittedCodec) or references:
            # They are lossless, and decoding takes as long as coding; what was written is read once more in the end.
            decoded = self.pipeline.inverse(planes, region)
        else:
            entries, payloads = tuple(entry for entry, _ in blocks), [payload for _, payload in blocks]
            decoded = self.pipeline.inverse(self.decode_planes(entries, payloads, region), region)
        if self.corrections is not None:
            lacking = corrections_of(original, decoded, tolerance.allowed(original, region))
            decoded = corrected(decoded, lacking)
            blocks += [encode_block(self.corrections, lacking[..., plane]) for plane in range(lacking.shape[-1])]
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
        return self._contexts(region, [self.planes(voxels, reference) for reference in self.references_of(region)])

    def references_of(self, region: Region) -> list[Region]:
        """The same region of the frames that must be decoded first."""
        return [replace(region, frame=frame) for frame in self.order.references(region.frame)]

    def needs_frames(self, entries: Sequence[Entry]) -> bool:
        """Whether a tile with these entries does not decode without its references."""
        return isinstance(self.codec, FittedCodec) or any(entry[2:] == (AFTER_FRAMES,) for entry in entries)

    def _contexts(self, region: Region, references: Sequence[np.ndarray]) -> list[BlockContext]:
        slopes = self.pipeline.slopes_of(region)
        return [
            BlockContext(tuple(reference[..., plane] for reference in references), slopes)
            for plane in range(self.plane_count)
        ]

    def decode_planes(
        self, entries: tuple[Entry, ...], payloads: list[bytes], region: Region, references: Sequence[np.ndarray] = ()
    ) -> np.ndarray:
        """The planes (slice, row, column, plane) as the codec gives them.

        Args:
            references: the planes of ``references_of(region)``.

        Raises CorruptStreamError if a checksum differs or a payload does not decode to this tile.
        """
        dtype, planes = self.pipeline.output(self.dtype, self.components)
        contexts = self._contexts(region, references)
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
        contexts = [NOTHING] * planes
        lacking = _decode_planes(self.corrections, entries[first:], payloads[first:], region.shape, dtype, contexts)
        return corrected(tile, lacking)


def _decode_planes(
    codec: Codec,
    entries: tuple[Entry, ...],
    payloads: list[bytes],
    shape: tuple[int, int, int],
    dtype: np.dtype,
    contexts: list[BlockContext],
) -> np.ndarray:
    if len(contexts) == 1:
        return decode_block(codec, entries[0], payloads[0], shape, dtype, contexts[0])[..., np.newaxis]
    tile = np.empty((*shape, len(contexts)), dtype)
    for plane, (entry, payload, context) in enumerate(zip(entries, payloads, contexts, strict=True)):
        tile[..., plane] = decode_block(codec, entry, payload, shape, dtype, context)
    return tile
