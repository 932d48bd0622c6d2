"""The header of an archive, checked against the members that it tells of."""

from __future__ import annotations

from .archive import ArchiveReader
from .header import (
    DEFLATED_SINCE,
    EXPANSION,
    FREE_BYTES,
    HEADER_NAME,
    MAXIMUM_HEADER_BYTES,
    MODEL_NAME,
    PADDING_NAME,
    PREVIEW_NAME,
    Header,
    parse_header,
    slab_name,
)


def read_header(archive: ArchiveReader) -> Header:
    """The header of an archive; CorruptFileError unless it is one and every member is there, and of its size."""
    header = _parsed_header(archive)
    if header.voxel_bytes > max(FREE_BYTES, archive.size * EXPANSION):
        raise archive.corrupt(
            f"it announces {header.voxel_bytes:,} bytes of voxels, far more than its {archive.size:,} bytes can hold"
        )
    known = {HEADER_NAME, PADDING_NAME}
    for name, announced in ((MODEL_NAME, header.model), (PREVIEW_NAME, header.preview)):
        if announced is not None:
            known.add(name)
            if archive.member_size(name) != announced[0]:
                raise archive.corrupt(f'"{name}" does not have the size that the header tells')
    known = {*known, *(slab_name(slab) for slab in range(header.grid.slab_count))}
    for name in archive.names():
        if name not in known:
            raise archive.corrupt(f'it has a member "{name[:60]}" that does not belong there')
    for slab, entries in enumerate(header.tiles):
        stored = sum(entry[0] for entry in entries if len(entry) > 1)
        if stored != archive.member_size(slab_name(slab)):
            raise archive.corrupt(f'"{slab_name(slab)}" does not have the size of its tiles')
    return header


def _parsed_header(archive: ArchiveReader) -> Header:
    if HEADER_NAME not in archive:
        raise archive.corrupt("it is not a MedCompress file (no header.json)")
    if archive.member_size(HEADER_NAME) > MAXIMUM_HEADER_BYTES:
        raise archive.corrupt("its header is unreasonably large")
    try:
        header = parse_header(archive.read_checked(HEADER_NAME))
    except ValueError as error:
        raise archive.corrupt(str(error)) from error
    if archive.is_deflated(HEADER_NAME) and header.version < DEFLATED_SINCE:
        raise archive.corrupt("its header is compressed, as in no file of its version")
    return header
