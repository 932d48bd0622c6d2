"""`header.json`: what the file holds and where each tile is. FORMAT.md specifies it."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..codecs import Codec, FittedCodec, codec_from_config
from ..errors import MedCompressError
from ..image import Image, check_voxel_type
from ..tiling import Grid
from ..transforms import Pipeline
from ..transforms.corrections import correction_planes
from .description import image_from_json, shape_from_json, tells_of_playback
from .frame_order import LARGEST_GROUP
from .guarantee import LOSSLESS, Guarantee

FORMAT = "MedCompress"
VERSIONS = (1, 2, 3, 4)
"""1 for lossless files, so that MedCompress 0.1 reads them; 2 for the others; 3 where the codec has a model; 4 where
frames are coded after others, a browser plays them, they have attributes of their own, or the file holds parts."""
HEADER_NAME = "header.json"
SEQUENCE_KEY = "sequence"
"""In the header of an archive of parts, see ``parts``."""
DEFLATED_SINCE = 3
"""Version of the format from which on the header may be deflated."""
MODEL_NAME = "model"
PREVIEW_NAME = "preview"
PADDING_NAME = "padding"
MAXIMUM_HEADER_BYTES = 1 << 24
MAXIMUM_MODEL_BYTES = 1 << 20
MAXIMUM_PREVIEW_BYTES = 1 << 20
MAXIMUM_TILE_VOXELS = 1 << 24
MAXIMUM_TILE_SAMPLES = 1 << 26
"""Of all planes of a tile, in version 2, whose decoding takes several times the memory of the tile."""
EXPANSION = 1 << 16
FREE_BYTES = 1 << 30
"""A file of n bytes may decode to n * EXPANSION bytes, or to FREE_BYTES if that is more."""

RAW, AFTER_FRAMES = 1, 2
_FLAGS = ((), (RAW,), (AFTER_FRAMES,))
Entry = tuple[int, ...]
"""(value,) of a constant block; (length, CRC-32) of a payload; (length, CRC-32, RAW) of raw samples; (length, CRC-32,
AFTER_FRAMES) of a block coded after other frames, see ``frame_coding``."""


@dataclass(frozen=True, eq=False)
class Header:
    """A parsed or to be written header; ``described`` is the image without voxels, as JSON values.

    ``corrections`` is the codec of what decoded voxels lack, None where nothing is corrected; ``library``
    the library and version that coded with loss, whose decoder the recorded errors were measured with;
    ``decoded`` the CRC-32 of the voxels of every tile as they were then, slab by slab, none for lossless;
    ``model`` length and CRC-32 of the codec's model, as read, None where the codec has none; ``preview`` those
    of the preview, None where there is none; ``group`` how many frames are coded after one another, see
    ``frame_order``, 1 where none are (or where the codec itself looks at frames);
    ``over_time`` whether time was coded in the place of slices: grid and pipeline are for that.
    """

    described: dict[str, Any]
    codec: Codec
    pipeline: Pipeline
    grid: Grid
    tiles: tuple[tuple[Entry, ...], ...]
    voxel_sha256: str
    writer: str
    guarantee: Guarantee = LOSSLESS
    corrections: Codec | None = None
    library: str = ""
    decoded: tuple[tuple[int, ...], ...] = ()
    model: tuple[int, int] | None = None
    preview: tuple[int, int] | None = None
    group: int = 1
    over_time: bool = False

    @property
    def version(self) -> int:
        """Format version of the file."""
        if self.group > 1 or self.over_time or tells_of_playback(self.described):
            return 4
        if isinstance(self.codec, FittedCodec):
            return 3
        return 1 if self.guarantee.is_lossless else 2

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Voxels along (frame, slice, row, column, component)."""
        return shape_from_json(self.described)

    @property
    def coded_shape(self) -> tuple[int, int, int, int, int]:
        """Voxels along (frame, slice, row, column, component) as they were coded, see ``coding_axes``."""
        return _coded_shape(self.shape, self.over_time)

    @property
    def dtype(self) -> np.dtype:
        """Type of the voxels."""
        return np.dtype(str(self.described["type"]))

    @property
    def voxel_bytes(self) -> int:
        """Size of the decoded voxels."""
        count = self.dtype.itemsize
        for length in self.shape:
            count *= length
        return count

    def coded(self) -> tuple[np.dtype, int]:
        """Type and number of planes that the codec was given."""
        return self.pipeline.output(self.dtype, self.shape[-1])

    def image(self, voxels: np.ndarray) -> Image:
        """The image with these voxels."""
        return image_from_json(self.described, voxels)

    def to_bytes(self) -> bytes:
        """The JSON text, UTF-8."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "version": self.version,
            "writer": self.writer,
            "image": self.described,
            "guarantee": self.guarantee.to_json(),
            "voxel_sha256": self.voxel_sha256,
            "codec": self.codec.config,
            "transforms": self.pipeline.to_json(),
            "grid": [self.grid.slabs, self.grid.bands, self.grid.stripes],
            "tiles": self.tiles,
        }
        if not self.guarantee.is_lossless:
            content["library"] = self.library
            content["decoded"] = self.decoded
        if self.corrections is not None:
            content["corrections"] = self.corrections.config
        if isinstance(self.codec, FittedCodec):
            content["model"] = [len(self.codec.model), zlib.crc32(self.codec.model)]
        if self.preview is not None:
            content["preview"] = self.preview
        if self.group > 1:
            content["group"] = self.group
        if self.over_time:
            content["over_time"] = True
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def slab_name(slab: int) -> str:
    """Member that holds the payloads of a slab, in the order of its tiles and planes."""
    return f"tiles/{slab:06d}"


def parse_content(text: bytes) -> dict[str, Any]:
    """The JSON of a header of a version that is known; ValueError as of ``parse_header``."""
    try:
        content = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ValueError(f"header.json is not valid JSON ({_brief(error)})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError("header.json is not that of a MedCompress file")
    if type(content.get("version")) is not int or content["version"] not in VERSIONS:
        raise ValueError(
            f"it has format version {str(content.get('version'))[:20]}, this MedCompress reads versions "
            f"{VERSIONS[0]} to {VERSIONS[-1]}; update MedCompress"
        )
    return dict(content)


def parse_header(text: bytes) -> Header:
    """The header from its bytes; ValueError with the problem in a few words for anything wrong."""
    content = parse_content(text)
    if SEQUENCE_KEY in content:
        raise ValueError(
            "it holds a sequence whose frames differ, as an archive of parts; load it in Slicer, or take its parts "
            "out with any ZIP program and decompress those"
        )
    try:
        header = _build(content)
        _check(header, content["version"])
    except MedCompressError as error:
        raise ValueError(str(error).rstrip(".")) from error
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ValueError(f"header.json is malformed ({_brief(error)})") from error
    return header


def _build(content: dict[str, Any]) -> Header:
    described = content["image"]
    shape = shape_from_json(described)
    check_voxel_type(np.dtype(str(described["type"])))
    parts = content["grid"]
    if len(parts) != 3 or not all(type(part) is int for part in parts):
        raise ValueError("the grid needs three whole numbers")
    over_time = content.get("over_time", False)
    if over_time not in (False, True):
        raise ValueError("it is coded neither over time nor not")
    grid, pipeline = Grid(_coded_shape(shape, over_time)[:4], *parts), Pipeline.from_json(content["transforms"])
    dtype = np.dtype(str(described["type"]))
    planes = pipeline.output(dtype, shape[4])[1]
    corrections = codec_from_config(content["corrections"]) if "corrections" in content else None
    if corrections is not None:
        planes += correction_planes(dtype, shape[4])[1]
    # Before the table is gone through: it may be long and not belong to this image.
    if [len(slab) for slab in content["tiles"]] != [grid.tiles_in_slab * planes] * grid.slab_count:
        raise ValueError("the table of tiles does not fit the image")
    return Header(
        described=described,
        codec=codec_from_config(content["codec"]),
        pipeline=pipeline,
        grid=grid,
        tiles=tuple(tuple(_entry(entry) for entry in slab) for slab in content["tiles"]),
        voxel_sha256=str(content["voxel_sha256"]),
        writer=str(content["writer"])[:200],
        guarantee=Guarantee.from_json(content["guarantee"]),
        corrections=corrections,
        model=_length_and_crc(content["model"], MAXIMUM_MODEL_BYTES) if "model" in content else None,
        preview=_length_and_crc(content["preview"], MAXIMUM_PREVIEW_BYTES) if "preview" in content else None,
        group=_group(content["group"]) if "group" in content else 1,
        over_time=bool(over_time),
        **_added_by_loss(content, grid),
    )


def _coded_shape(shape: tuple[int, int, int, int, int], over_time: bool) -> tuple[int, int, int, int, int]:
    return (shape[1], shape[0], *shape[2:]) if over_time else shape


def _group(value: Any) -> int:
    if type(value) is not int or value not in (2, 4, 8, LARGEST_GROUP):
        raise ValueError("its groups of frames have an impossible length")
    return value


def _length_and_crc(values: Any, most: int) -> tuple[int, int]:
    length, crc = values
    if type(length) is not int or type(crc) is not int or not 0 <= length <= most:
        raise ValueError("its model or preview has an impossible size")
    return length, crc


def _added_by_loss(content: dict[str, Any], grid: Grid) -> dict[str, Any]:
    if content["guarantee"]["kind"] == LOSSLESS.kind:
        return {}
    library, decoded = content["library"], content["decoded"]
    if not isinstance(library, str):
        raise TypeError("the library needs to be a text")
    if [len(slab) for slab in decoded] != [grid.tiles_in_slab] * grid.slab_count:
        raise ValueError("the table of decoded tiles does not fit the image")
    if not all(type(crc) is int and 0 <= crc < 1 << 32 for slab in decoded for crc in slab):
        raise ValueError("a decoded tile has an impossible checksum")
    return {"library": library[:200], "decoded": tuple(tuple(slab) for slab in decoded)}


def _entry(values: Any) -> Entry:
    entry = tuple(values)
    if (
        not 1 <= len(entry) <= 3
        or entry[2:] not in _FLAGS
        or not all(type(value) is int and 0 <= value < 1 << 64 for value in entry)
    ):
        raise ValueError("a tile has an impossible entry in the table")
    return entry


def _check(header: Header, version: int) -> None:
    if (
        version != header.version
        or (header.model is not None) != isinstance(header.codec, FittedCodec)
        or (header.preview is not None and header.model is None)
    ):
        raise ValueError(f"format version {version} does not go with what it holds")
    if header.group > 1 and (header.model is not None or header.codec.guarantee != "lossless"):
        raise ValueError(f"frames that {header.codec.title} codes cannot follow others")
    if header.over_time and (header.group > 1 or isinstance(header.codec, FittedCodec)):
        raise ValueError("it is coded over time and after other frames at once")
    coded = [(header.codec, header.coded()[0])]
    if header.corrections is not None:
        coded.append((header.corrections, correction_planes(header.dtype, header.shape[4])[0]))
    for codec, dtype in coded:
        if dtype.name not in codec.sample_types:
            raise ValueError(f"{codec.title} cannot have coded {dtype.name} samples")
    exact = header.pipeline.is_exact and header.codec.guarantee == "lossless" and header.corrections is None
    if not header.guarantee.is_lossless:
        _check_loss(header)
    if header.guarantee.is_lossless and not exact:
        raise ValueError("it claims to be lossless, but how it was coded loses")
    if header.corrections is not None and header.corrections.guarantee != "lossless":
        raise ValueError("its corrections are coded by a codec that loses")
    shape, grid = header.coded_shape, header.grid
    # Cuts of an axis differ by one at the most.
    largest = -(-shape[1] // grid.slabs) * -(-shape[2] // grid.bands) * -(-shape[3] // grid.stripes)
    if largest > MAXIMUM_TILE_VOXELS:
        raise ValueError("a tile is larger than MedCompress writes")
    # Builds the image on a stand-in of no memory, so that what is wrong with it is found now.
    header.image(np.broadcast_to(np.zeros((), header.dtype), header.shape))


def _check_loss(header: Header) -> None:
    samples = math.prod(header.shape)
    if header.guarantee.compared + header.guarantee.exact > samples:
        raise ValueError("its guarantee tells of more samples than it has")
    shape, grid = header.coded_shape, header.grid
    planes = max(header.coded()[1] + correction_planes(header.dtype, shape[4])[1], shape[4])
    tile = -(-shape[1] // grid.slabs) * -(-shape[2] // grid.bands) * -(-shape[3] // grid.stripes)
    if tile * planes > MAXIMUM_TILE_SAMPLES:
        raise ValueError("a tile has more samples than MedCompress codes with loss")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _brief(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:120]
