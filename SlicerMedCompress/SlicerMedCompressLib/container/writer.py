"""Writing an image as an `.mcz` archive, slab after slab, tiles in parallel."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace
from itertools import islice
from typing import BinaryIO

import numpy as np

from .. import __version__
from ..codecs import FittedCodec
from ..errors import UnsupportedImageError
from ..image import Image, little_endian
from ..parallel import ordered_map
from ..progress import Progress
from ..tiling import Region
from .archive import ArchiveWriter
from .coding_axes import coding_view
from .decoded_voxels import DecodedVoxels
from .description import image_to_json
from .header import (
    DEFLATED_SINCE,
    EXPANSION,
    FREE_BYTES,
    HEADER_NAME,
    MAXIMUM_HEADER_BYTES,
    MODEL_NAME,
    PADDING_NAME,
    PREVIEW_NAME,
    Entry,
    Header,
    parse_header,
    slab_name,
)
from .plan import Plan
from .preview import preview_bytes


def write_archive(
    stream: BinaryIO, image: Image, plan: Plan, pool: Executor, threads: int, progress: Progress
) -> Header:
    """Write the whole archive to a seekable stream, from where it stands, and return its header.

    With a tolerance every tile is also decoded and compared; the header then tells what was measured.
    Memory beside the image: a few tiles a thread, the payloads of one slab, and one decoded slab.

    Raises VerificationError if a voxel differs by more than the plan's tolerance.
    """
    with ArchiveWriter(stream) as archive:
        return _write(archive, stream, image, plan, pool, threads, progress)


def _write(
    archive: ArchiveWriter,
    stream: BinaryIO,
    image: Image,
    plan: Plan,
    pool: Executor,
    threads: int,
    progress: Progress,
) -> Header:
    voxels = coding_view(image.voxels, plan.over_time)
    start, decoded = stream.tell(), DecodedVoxels(voxels)
    hashing = pool.submit(voxel_sha256, voxels) if plan.tolerance is None else None
    try:
        tables = _write_tiles(archive, voxels, plan, decoded, pool, threads, progress)
    finally:
        sha256 = hashing.result() if hashing is not None else decoded.sha256
    header = Header(
        image_to_json(image),
        plan.codec,
        plan.pipeline,
        plan.grid,
        tables,
        sha256,
        f"MedCompress {__version__}",
        decoded.guarantee(plan),
        plan.corrections,
        "" if plan.tolerance is None else f"{plan.codec.package} {plan.codec.library_version()}",
        tuple(decoded.checksums),
        group=plan.group,
        over_time=plan.over_time,
    )
    if isinstance(plan.codec, FittedCodec):
        archive.add(MODEL_NAME, [plan.codec.model])
        preview = preview_bytes(image, stream.tell() - start)
        if preview:
            archive.add(PREVIEW_NAME, [preview])
            header = replace(header, preview=(len(preview), zlib.crc32(preview)))
    archive.add(HEADER_NAME, [_checked_header(header)], deflated=header.version >= DEFLATED_SINCE)
    if header.voxel_bytes > FREE_BYTES:
        # Keeps what readers may refuse as a bomb apart from honest volumes of a single value.
        missing = header.voxel_bytes // EXPANSION + 1 - stream.tell()
        if missing > 0:
            archive.add(PADDING_NAME, [bytes(missing)])
    return header


def _write_tiles(
    archive: ArchiveWriter,
    voxels: np.ndarray,
    plan: Plan,
    decoded: DecodedVoxels,
    pool: Executor,
    threads: int,
    progress: Progress,
) -> tuple[tuple[Entry, ...], ...]:
    """Code and write all slabs, gather what their tiles decode to, and return their table."""
    grid, coder, stage = plan.grid, plan.coder(voxels), f"Compressing with {plan.codec.title}"
    regions: Iterator[Region] = (tile for slab in range(grid.slab_count) for tile in grid.tiles_of_slab(slab))
    coded = ordered_map(
        pool, lambda region: (region, coder.encode(voxels, region, plan.tolerance)), regions, 3 * threads + 1
    )
    tables: list[tuple[Entry, ...]] = []
    try:
        for slab in range(grid.slab_count):
            blocks: list[tuple[Entry, bytes]] = []
            for done, (region, tile) in enumerate(islice(coded, grid.tiles_in_slab), 1):
                blocks.extend(tile.blocks)
                decoded.add(region, tile)
                progress.report((slab + done / grid.tiles_in_slab) / grid.slab_count, stage)
            decoded.finish_slab()
            tables.append(tuple(entry for entry, _ in blocks))
            archive.add(slab_name(slab), (payload for _, payload in blocks))
    finally:
        coded.close()
    return tuple(tables)


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
            digest.update(little_endian(plane))
    return digest.hexdigest()
