"""Writing an image as an `.mcz` archive, slab after slab, tiles in parallel."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Executor
from itertools import islice
from typing import BinaryIO

import numpy as np

from .. import __version__
from ..codecs import Codec
from ..errors import UnsupportedImageError
from ..image import Image
from ..parallel import ordered_map
from ..progress import Progress
from ..tiling import Grid, Region
from ..transforms import Pipeline
from .archive import ArchiveWriter
from .description import image_to_json
from .header import (
    EXPANSION,
    FREE_BYTES,
    HEADER_NAME,
    MAXIMUM_HEADER_BYTES,
    PADDING_NAME,
    Entry,
    Header,
    parse_header,
    slab_name,
)
from .tile_coding import TileCoder


def write_archive(
    stream: BinaryIO,
    image: Image,
    codec: Codec,
    pipeline: Pipeline,
    grid: Grid,
    pool: Executor,
    threads: int,
    progress: Progress,
) -> Header:
    """Write the whole archive to a seekable stream and return its header.

    Memory beside the image: a few tiles a thread and the payloads of one slab.
    """
    coder = TileCoder(codec, pipeline, image.voxels.dtype, image.voxels.shape[-1])
    with ArchiveWriter(stream) as archive:
        return _write(archive, stream, image, coder, grid, pool, threads, progress)


def _write(
    archive: ArchiveWriter,
    stream: BinaryIO,
    image: Image,
    coder: TileCoder,
    grid: Grid,
    pool: Executor,
    threads: int,
    progress: Progress,
) -> Header:
    codec, pipeline = coder.codec, coder.pipeline
    hashing = pool.submit(voxel_sha256, image.voxels)
    regions: Iterator[Region] = (tile for slab in range(grid.slab_count) for tile in grid.tiles_of_slab(slab))
    coded = ordered_map(pool, lambda region: coder.encode(image.voxels, region), regions, 3 * threads + 1)
    tables: list[tuple[Entry, ...]] = []
    try:
        for slab in range(grid.slab_count):
            blocks = []
            for done, tile in enumerate(islice(coded, grid.tiles_in_slab), 1):
                blocks.extend(tile)
                progress.report((slab + done / grid.tiles_in_slab) / grid.slab_count, f"Compressing with {codec.title}")
            tables.append(tuple(entry for entry, _ in blocks))
            archive.add(slab_name(slab), (payload for _, payload in blocks))
    finally:
        coded.close()
        sha256 = hashing.result()
    header = Header(image_to_json(image), codec, pipeline, grid, tuple(tables), sha256, f"MedCompress {__version__}")
    archive.add(HEADER_NAME, [_checked_header(header)])
    if header.voxel_bytes > FREE_BYTES:
        # Keeps what readers may refuse as a bomb apart from honest volumes of a single value.
        missing = header.voxel_bytes // EXPANSION + 1 - stream.tell()
        if missing > 0:
            archive.add(PADDING_NAME, [bytes(missing)])
    return header


def _checked_header(header: Header) -> bytes:
    """The header's bytes, once a reader would take them; UnsupportedImageError says what it would not."""
    try:
        text = header.to_bytes()
        parse_header(text)
    except (TypeError, ValueError) as error:
        raise UnsupportedImageError(f"The description of the image cannot be kept: {error}.") from error
    if len(text) > MAXIMUM_HEADER_BYTES:
        raise UnsupportedImageError(
            f"The name and attributes of the image take {len(text):,} bytes, more than a .mcz keeps; remove some."
        )
    return text


def voxel_sha256(voxels: np.ndarray) -> str:
    """SHA-256 of the voxels in C order (frame, slice, row, column, component), little endian."""
    digest = hashlib.sha256()
    for volume in voxels:
        for plane in volume:
            digest.update(np.ascontiguousarray(plane.astype(plane.dtype.newbyteorder("<"), copy=False)).data)
    return digest.hexdigest()
