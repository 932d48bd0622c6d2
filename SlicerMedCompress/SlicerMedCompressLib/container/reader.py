"""Reading an `.mcz` archive: whole, or any box of it, or checking it."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate
from types import TracebackType
from typing import BinaryIO

import numpy as np

from ..codecs import Codec, FittedCodec
from ..errors import CorruptStreamError, InputError, MissingLibraryError, VerificationError
from ..image import Image, little_endian, same_voxels
from ..parallel import ordered_map, thread_count, thread_pool
from ..progress import Progress
from ..tiling import Region, Span
from ..tolerance import Tolerance, deviation_of
from .archive import ArchiveReader, opened
from .coding_axes import coding_view
from .frame_access import FrameAccess
from .frame_order import FrameOrder
from .frame_planes import FramePlanes
from .header import HEADER_NAME, MODEL_NAME, PREVIEW_NAME, slab_name
from .header_reading import read_header
from .preview import preview_image
from .tile_coding import StoredTile, TileCoder

_logger = logging.getLogger(__name__)


class Reader:
    """An open `.mcz`. Use as a context manager; safe to read from several threads.

    Opening reads the header only. Every claim of the file is checked before memory is taken for
    it, and every error is a CorruptFileError that names the file and the problem.

    Args:
        accept_rounding: decode a file with loss even where this decoder rounds otherwise than the one its
            bound or exact region was checked with, which is refused by default; nothing is vouched for then.
        device: where a learned codec works, see ``learned.backends``.
        name: what errors call a source that is not a path.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        threads: int | None = None,
        accept_rounding: bool = False,
        device: str = "auto",
        name: str = "the compressed image in memory",
    ) -> None:
        self._accept_rounding, self._is_rounded = accept_rounding, False
        self._threads = thread_count(threads)
        self._owned = isinstance(source, (str, os.PathLike))
        self.name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else name
        self._stream = opened(source) if isinstance(source, (str, os.PathLike)) else source
        try:
            self._archive = ArchiveReader(self._stream, self.name, HEADER_NAME)
            self.header = read_header(self._archive)
        except BaseException:
            self.close()
            raise
        self._starts = [
            list(accumulate((entry[0] if len(entry) > 1 else 0 for entry in slab), initial=0))
            for slab in self.header.tiles
        ]
        header = self.header
        codec = self._codec(device)
        order = FrameOrder.of(codec, header.coded_shape[0], header.group)
        self.access = FrameAccess(header.grid, order, header.over_time)
        self._coder = TileCoder(
            codec, header.pipeline, header.dtype, header.shape[-1], order, corrections=header.corrections
        )
        # Frames that others are coded after are kept until no tile in flight can ask for them.
        tiles = header.grid.slabs * header.grid.tiles_in_slab
        self._frames = FramePlanes(self._decode_planes, order.kept * tiles + 4 * self._threads)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._archive.size

    def close(self) -> None:
        """Close the file, if this reader opened it."""
        if self._owned:
            self._stream.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, progress: Progress | None = None) -> Image:
        """The whole image; its voxels are checked against the recorded SHA-256."""
        progress = progress or Progress()
        voxels = self._allocate(self.header.shape)
        coded = coding_view(voxels, self.header.over_time)
        digest = hashlib.sha256()
        hashed = 0

        def place(region: Region, tile: np.ndarray) -> None:
            region.of(coded)[...] = tile

        for slab in self._slabs(place, progress, "Decompressing"):
            frame, part = divmod(slab, self.header.grid.slabs)
            stop = coded.shape[1] * (part + 1) // self.header.grid.slabs
            block = coded[frame, hashed:stop]
            digest.update(little_endian(block))
            hashed = stop % coded.shape[1]
        self._check_digest(digest.hexdigest())
        return self._image(voxels)

    @property
    def frame_count(self) -> int:
        """Number of frames; 1 for an image without a frame axis."""
        return self.header.shape[0]

    def read_region(
        self, frame: int = 0, slices: Span | None = None, rows: Span | None = None, columns: Span | None = None
    ) -> np.ndarray:
        """Voxels (slice, row, column, component) of a box of one frame, decoding only the tiles it touches.

        Spans are half-open; None is the whole axis. IndexError if the box is not inside the image.
        """
        shape = self.header.shape
        spans = [span or (0, length) for span, length in zip((slices, rows, columns), shape[1:4], strict=True)]
        if not 0 <= frame < shape[0] or any(
            not 0 <= start < stop <= length for (start, stop), length in zip(spans, shape[1:4], strict=True)
        ):
            raise IndexError(f"Frame {frame} and spans {spans} are not inside an image of shape {shape[:4]}.")
        box: np.ndarray = self._read_boxes((frame, frame + 1), *spans)[0]
        return box

    def read_frames(self, frames: Span) -> np.ndarray:
        """Voxels (frame, slice, row, column, component) of some frames, each tile decoded once.

        Args:
            frames: half-open. Raises InputError if some are not in the file.
        """
        start, stop = frames
        self.check_frame_number(start)
        self.check_frame_number(stop - 1)
        slices, rows, columns = self.header.shape[1:4]
        return self._read_boxes(frames, (0, slices), (0, rows), (0, columns))

    def check_frame_number(self, frame: int) -> None:
        """Raise InputError, which tells how many frames there are, if this is none of them."""
        if not 0 <= frame < self.frame_count:
            count = self.frame_count
            raise InputError(
                f'"{self.name}" has no frame {frame}; its {count} frames are counted from 0 to {count - 1}.'
            )

    def check_frame(self, frame: int) -> None:
        """Compare the checksums of the tiles that hold a frame, without decoding; CorruptFileError if one differs."""
        self.check_frame_number(frame)
        slices, rows, columns = self.header.shape[1:4]
        for box in self.access.boxes((frame, frame + 1), (0, slices), (0, rows), (0, columns)):
            for slab, number, _ in self.access.tiles(box):
                stored = self._stored(slab, number)
                for entry, payload in zip(stored.entries, stored.payloads, strict=True):
                    if len(entry) > 1 and zlib.crc32(payload) != entry[1]:
                        raise self._archive.corrupt("the checksum of a tile is wrong: the file was damaged")

    def _read_boxes(self, frames: Span, slices: Span, rows: Span, columns: Span) -> np.ndarray:
        """Voxels (frame, slice, row, column, component) of a box of some frames."""
        boxes = self.access.boxes(frames, slices, rows, columns)
        result = self._allocate((len(boxes), *boxes[0].shape, self.header.shape[-1]))
        jobs = [(box, part, tile) for box, part in zip(boxes, result, strict=True) for tile in self.access.tiles(box)]

        def place(job: tuple[Region, np.ndarray, tuple[int, int, Region]]) -> None:
            box, part, found = job
            region, tile = self._decode(*found)
            common = region.intersection(box)
            assert common is not None
            part[common.relative_to(box)] = tile[common.relative_to(region)]

        with thread_pool(self._threads) as pool:
            for _ in ordered_map(pool, place, jobs, 3 * self._threads + 1):
                pass
        return coding_view(result, self.header.over_time)

    def verify(
        self,
        original: np.ndarray | None = None,
        progress: Progress | None = None,
        tolerance: Tolerance | None = None,
    ) -> None:
        """Decode everything and compare, without holding it.

        With ``original``, compare every voxel: every bit of it, or with a tolerance whether it is kept;
        else compare the recorded SHA-256.

        Raises VerificationError if a voxel differs from the original by more than it may.
        """
        progress = progress or Progress()
        if original is None:
            self._verify_digest(progress)
            return
        if original.shape != self.header.shape or original.dtype != self.header.dtype:
            raise VerificationError(f'"{self.name}" holds another shape or type than the original.')
        coded = coding_view(original, self.header.over_time)

        def compare(region: Region, tile: np.ndarray) -> None:
            if tolerance is None:
                kept = same_voxels(tile, region.of(coded))
            else:
                found = deviation_of(region.of(coded), tile, tolerance, region)
                kept = found.broken == 0 and found.maximum <= self.header.guarantee.maximum_error
            if not kept:
                raise VerificationError(
                    f'"{self.name}" did not decode to the original with {self.header.codec.title}; nothing was kept. '
                    "If the image was not changed meanwhile, choose another codec and report this."
                )

        for _ in self._slabs(compare, progress, "Verifying"):
            pass

    def _verify_digest(self, progress: Progress) -> None:
        """Compare the SHA-256 of all voxels, a few slabs in memory at a time."""
        digest = hashlib.sha256()
        slabs: dict[tuple[int, Span], np.ndarray] = {}
        lock = threading.Lock()
        rows, columns, components = self.header.shape[2:]

        def place(region: Region, tile: np.ndarray) -> None:
            key, (start, stop) = (region.frame, region.slices), region.slices
            with lock:
                slab = slabs.setdefault(key, np.empty((stop - start, rows, columns, components), tile.dtype))
            slab[:, slice(*region.rows), slice(*region.columns)] = tile

        for number in self._slabs(place, progress, "Verifying"):
            tile = self.header.grid.tiles_of_slab(number)[0]
            slab = slabs.pop((tile.frame, tile.slices))
            digest.update(little_endian(slab))
        self._check_digest(digest.hexdigest())

    def _allocate(self, shape: tuple[int, ...]) -> np.ndarray:
        try:
            return np.empty(shape, self.header.dtype)
        except MemoryError as error:
            raise InputError(
                f'"{self.name}" holds {self.header.voxel_bytes / 2**30:.1f} GiB of voxels, more than this computer '
                "has free; close other data, or read a region of it."
            ) from error

    def _stored(self, slab: int, number: int) -> StoredTile:
        table = self.header.tiles[slab]
        planes = len(table) // self.header.grid.tiles_in_slab
        first = number * planes
        start = self._starts[slab][first]
        entries, payloads = table[first : first + planes], []
        for entry in entries:
            length = entry[0] if len(entry) > 1 else 0
            payloads.append(self._archive.read(slab_name(slab), start, length) if length else b"")
            start += length
        return StoredTile(entries, payloads, self.header.decoded[slab][number] if self.header.decoded else None)

    def _codec(self, device: str) -> Codec:
        """The codec of the file, with its model if it has one."""
        codec = self.header.codec
        if not isinstance(codec, FittedCodec) or self.header.model is None:
            return codec
        try:
            return codec.on_device(device).with_model(self._checked(MODEL_NAME, self.header.model[1]))
        except CorruptStreamError as error:
            raise self._archive.corrupt(str(error).rstrip(".")) from error

    def preview(self) -> Image | None:
        """A small picture of the first frame, float32; None where the file keeps none, as those of quick codecs."""
        if self.header.preview is None:
            return None
        data = self._checked(PREVIEW_NAME, self.header.preview[1])
        whole = self.header.image(np.broadcast_to(np.zeros((), self.header.dtype), self.header.shape))
        try:
            return preview_image(data, whole)
        except CorruptStreamError as error:
            raise self._archive.corrupt(str(error).rstrip(".")) from error

    def _checked(self, name: str, crc: int) -> bytes:
        """A member whose checksum the header tells."""
        data = self._archive.read(name)
        if zlib.crc32(data) != crc:
            raise self._archive.corrupt(f'the checksum of "{name}" is wrong: the file was damaged')
        return data

    def _decode(self, slab: int, number: int, region: Region) -> tuple[Region, np.ndarray]:
        try:
            if self._follows_frames:
                planes, stored = self._frames.planes(slab, number), self._stored(slab, number)
            else:
                stored = self._stored(slab, number)
                planes = self._coder.decode_planes(stored.entries, stored.payloads, region)
            tile = self._coder.finish(planes, stored.entries, stored.payloads, region)
        except CorruptStreamError as error:
            raise self._archive.corrupt(str(error).rstrip(".")) from error
        except MissingLibraryError as error:
            raise MissingLibraryError(f'Cannot read "{self.name}": {error}') from error
        if stored.decoded_crc not in (None, zlib.crc32(little_endian(tile))):
            self._notice_rounding()
        return region, tile

    @property
    def _follows_frames(self) -> bool:
        """Whether some frames are decoded with others at hand."""
        return self._coder.order.group > 1 and self.header.coded_shape[0] > 1

    def _decode_planes(self, slab: int, number: int) -> np.ndarray:
        """The planes of a tile, those of the frames that it follows first if it needs them."""
        grid, stored = self.header.grid, self._stored(slab, number)
        region = grid.tiles_of_slab(slab)[number]
        references: list[np.ndarray] = []
        if self._coder.needs_frames(stored.entries):
            slabs = [slab + (other.frame - region.frame) * grid.slabs for other in self._coder.references_of(region)]
            references = [self._frames.planes(other, number) for other in slabs]
        return self._coder.decode_planes(stored.entries, stored.payloads, region, references)

    def _notice_rounding(self) -> None:
        """All payloads had their checksums, so other voxels than those written mean another decoder."""
        header = self.header
        here = f"{header.codec.package} {header.codec.library_version()}"
        there = header.library or "an unknown library"
        promises = header.guarantee.kind == "bounded" or header.corrections is not None
        if promises and not self._accept_rounding:
            raise self._archive.corrupt(
                f"it was coded with {there}, and this {here} rounds otherwise, so what it promises cannot be vouched "
                "for; decode it where it was written, or accept the rounding (--accept-rounding; in Slicer "
                "acceptRounding=True)"
            )
        if not self._is_rounded:
            self._is_rounded = True
            _logger.warning(
                '"%s" was coded with %s, and this %s rounds otherwise: errors may be larger than recorded.',
                self.name,
                there,
                here,
            )

    def _slabs(self, use: Callable[[Region, np.ndarray], None], progress: Progress, stage: str) -> Iterator[int]:
        """Decode all tiles in parallel, give each to ``use`` on its thread, yield slabs as they are complete."""
        grid = self.header.grid

        def decode(job: tuple[int, int, Region]) -> None:
            use(*self._decode(*job))

        jobs = (
            (slab, number, tile)
            for slab in range(grid.slab_count)
            for number, tile in enumerate(grid.tiles_of_slab(slab))
        )
        with thread_pool(self._threads) as pool:
            tiles = ordered_map(pool, decode, jobs, 3 * self._threads + 1)
            try:
                for slab in range(grid.slab_count):
                    for number in range(grid.tiles_in_slab):
                        next(tiles)
                        progress.report((slab + (number + 1) / grid.tiles_in_slab) / grid.slab_count, stage)
                    yield slab
            finally:
                tiles.close()

    def _check_digest(self, digest: str) -> None:
        if digest != self.header.voxel_sha256 and not self._is_rounded:
            raise self._archive.corrupt("the decoded voxels do not have the recorded SHA-256")

    def _image(self, voxels: np.ndarray) -> Image:
        try:
            image = self.header.image(voxels)
            return replace(image, attributes=self.header.guarantee.told(image.attributes, self._is_rounded))
        except (KeyError, TypeError, ValueError) as error:
            raise self._archive.corrupt(f"its description is malformed ({error})") from error
