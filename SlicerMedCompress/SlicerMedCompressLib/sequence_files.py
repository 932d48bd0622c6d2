"""Slicer's `.seq.nrrd`, and other NRRD files with an axis of frames, to images with frames and back.

Slicer writes the frames last (``kinds: domain domain domain list``); older versions and other programs
write them first. The fields are those of the developer guide's page on sequences: ``axis 3 index type``,
``axis 3 index values``, ``axis 3 item 0000 NAME``, ``DataNodeClassName``. The 3 counts the axes but
that of components; in files with the frames first it is a 0.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from .container.atomic import replacing
from .errors import InputError, OutputError, UnsupportedImageError
from .frame_times import evenly_spaced
from .image import VECTOR_TYPE, FrameAxis, Geometry, Image, Kind, check_voxel_type
from .nrrd_header import INTERNAL_KEYS, SIGNS_TO_RAS, TYPE_NAMES, Axis, Header, Vector, escaped, quoted, read_header
from .nrrd_voxels import holds_voxels, read_voxels, write_voxels

SEQUENCE_SUFFIXES = (".seq.nrrd", ".seq.nhdr")
_CLASS_KEY = "DataNodeClassName"
_CLASSES = {Kind.SCALAR: "vtkMRMLScalarVolumeNode", Kind.LABEL: "vtkMRMLLabelMapVolumeNode"}
_VECTOR_CLASS = "vtkMRMLVectorVolumeNode"
_FRAME_KINDS = ("list", "time")
_COMPONENT_KINDS = {
    "vector": "undefined",
    "covariant-vector": "spatialCovariant",
    "rgb-color": "colorRGB",
    "rgba-color": "colorRGBA",
    "2-vector": "undefined",
    "3-vector": "undefined",
    "4-vector": "undefined",
}
_KIND_OF_VECTOR_TYPE = {"colorRGB": "RGB-color", "colorRGBA": "RGBA-color", "spatialCovariant": "covariant-vector"}
_SPATIAL = ("spatial", "spatialCovariant")
_INDEX = re.compile(r"axis \d+ index (type|values)")
_BLANKS = re.compile(r"[ \t\n\r\f\v]+")
_RESERVED = re.compile(r'[\x00-\x20\x7f%<>"]')
"""What Slicer escapes in index values; of other characters it finds no escapes."""
_ITEM = re.compile(r"axis \d+ item (\d+) (.+)", re.DOTALL)
_SLICER_TOLERANCE = 0.001
"""Slicer takes numeric index values that differ by less for the same frame, where it loads a file."""
_MOST_COMPONENTS_IN_SLICER = 4
_logger = logging.getLogger(__name__)


def sequence_header(path: Path, kind: Kind | None) -> Header | None:
    """The header of an NRRD file with an axis of frames; None for any other file.

    Layers of a segmentation and directions of diffusion are lists too, but no frames; nor are the items
    of a list where ``kind`` says that voxels have components, and no other axis has them.
    """
    try:
        header = read_header(path)
    except InputError:
        return None
    axes = _axes_of(header)
    is_other = header.pairs.get("modality") == "DWMRI" or any(key.startswith("Segment0_") for key in header.pairs)
    if axes is None or is_other:
        return None
    are_components = kind in (Kind.VECTOR, Kind.COLOR, Kind.SEGMENTATION) and axes[2] is None
    return None if are_components else header


def _axes_of(header: Header) -> tuple[int, list[int], int | None] | None:
    """Which axes are frames, the three of space, and components; None if there are not such ones."""
    numbers = range(len(header.axes))
    in_space = [number for number in numbers if header.axes[number].direction is not None]
    space = in_space or [number for number in numbers if header.axes[number].kind in ("domain", "space")]
    components = [number for number in numbers if header.axes[number].kind in _COMPONENT_KINDS]
    frames = [number for number in numbers if number not in (*space, *components)]
    if len(space) != 3 or len(frames) != 1 or len(components) > 1:
        return None
    kind = header.axes[frames[0]].kind
    if kind in _FRAME_KINDS or any(_INDEX.fullmatch(key) for key in header.pairs):
        return frames[0], space, components[0] if components else None
    return None


def read_sequence(path: Path, header: Header, name: str, kind: Kind | None, fallback: Kind) -> Image:
    """The image with frames in a file that ``sequence_header`` took.

    Args:
        kind: what the voxels are, or None to take what the file says.
        fallback: what they are where the file does not say either.

    Raises:
        InputError, UnsupportedImageError: naming the file and the problem.
    """
    try:
        check_voxel_type(header.voxel_type)
        found = _axes_of(header)
        assert found is not None
        frames, space, components = found
        voxels = _frames_first(read_voxels(path, header), frames, space, components)
        vector_type = _vector_type(header, components)
        attributes, of_frames = _attributes(header, len(voxels))
        if vector_type:
            attributes[VECTOR_TYPE] = vector_type
            fallback = Kind.COLOR if vector_type.startswith("color") else Kind.VECTOR
        elif header.pairs.get(_CLASS_KEY) == _CLASSES[Kind.LABEL] and voxels.dtype.kind != "f":
            fallback = Kind.LABEL
        if vector_type in _SPATIAL:
            _flip_vectors(voxels, header.signs)
        return Image(
            voxels,
            geometry=_geometry(header, space),
            kind=kind or fallback,
            name=name,
            dimension=4,
            attributes=attributes,
            frame_axis=replace(_frame_axis(header, header.axes[frames]), attributes=of_frames),
        )
    except UnsupportedImageError as error:
        raise UnsupportedImageError(f'"{path}": {error}') from error


def _frames_first(stored: np.ndarray, frames: int, space: list[int], components: int | None) -> np.ndarray:
    """The axes frame, slice, row, column, component; without a copy if the file has them in this order."""
    last = stored.ndim - 1
    order = [last - frames, *(last - number for number in reversed(space))]
    if components is not None:
        order.append(last - components)
    voxels = np.ascontiguousarray(stored.transpose(order))
    return voxels if components is not None else voxels[..., np.newaxis]


def _vector_type(header: Header, components: int | None) -> str:
    """MRML's name of what the components are; empty where there is no axis of components."""
    if components is None:
        return ""
    axis = header.axes[components]
    if axis.kind == "vector" and axis.size == 3 and "measurement frame" in header.fields:
        return "spatial"
    found = _COMPONENT_KINDS[axis.kind]
    if found == "spatialCovariant" and axis.size != 3:
        return "undefined"
    return found


def _flip_vectors(voxels: np.ndarray, signs: Vector) -> None:
    """Turn spatial vectors from the file's space to RAS, or back, in place; Slicer turns none of integers."""
    if voxels.dtype.kind != "f":
        return
    for component, sign in enumerate(signs):
        if sign < 0:
            np.negative(voxels[..., component], out=voxels[..., component])


def _geometry(header: Header, space: list[int]) -> Geometry:
    signs = header.signs
    spacings: list[float] = []
    columns: list[list[float]] = []
    origin = list(header.origin)
    for number, axis in enumerate(header.axes[index] for index in space):
        if axis.direction is None:
            spacings.append(axis.spacing or 1.0)
            origin[number] = axis.minimum
            columns.append([signs[number] if number == row else 0.0 for row in range(3)])
        else:
            spacings.append(math.hypot(*axis.direction))
            # An axis without a length is an error that Geometry tells.
            length = spacings[-1] or 1.0
            columns.append([sign * part / length for sign, part in zip(signs, axis.direction, strict=True)])
    first, second, third = ((columns[0][row] + 0.0, columns[1][row] + 0.0, columns[2][row] + 0.0) for row in range(3))
    right, anterior, superior = (sign * part + 0.0 for sign, part in zip(signs, origin, strict=True))
    return Geometry((right, anterior, superior), (spacings[0], spacings[1], spacings[2]), (first, second, third))


def _frame_axis(header: Header, axis: Axis) -> FrameAxis:
    """Index values as the file has them; else evenly spaced ones, or numbers from 0."""
    found = {match[1]: text for key, text in header.pairs.items() if (match := _INDEX.fullmatch(key))}
    values = tuple(unquote(part) for part in _BLANKS.split(found.get("values", "")) if part)
    if len(values) != axis.size:
        if values:
            _logger.warning("%d index values for %d frames; the frames are numbered instead.", len(values), axis.size)
        values = evenly_spaced(repr(axis.minimum), repr(axis.spacing or 1.0), axis.size)
    return FrameAxis(
        values,
        axis.label or ("time" if axis.kind == "time" else "frame"),
        axis.unit,
        found.get("type", "numeric") != "text",
    )


def _attributes(header: Header, count: int) -> tuple[dict[str, str], tuple[dict[str, str], ...]]:
    """The attributes of the whole file and those that all frames have alike; and what each frame has beside them."""
    shared: dict[str, str] = {}
    own: list[dict[str, str]] = [{} for _ in range(count)]
    for key, text in header.pairs.items():
        match = _ITEM.fullmatch(key)
        if match and int(match[1]) < count:
            own[int(match[1])][match[2]] = text
        elif not match and not _INDEX.fullmatch(key) and key != _CLASS_KEY and not key.startswith(INTERNAL_KEYS):
            shared[key] = text
    alike = {key: text for key, text in own[0].items() if all(frame.get(key) == text for frame in own)}
    own = [{key: text for key, text in frame.items() if key not in alike} for frame in own]
    return shared | alike, tuple(own) if any(own) else ()


def write_sequence(image: Image, path: str | os.PathLike[str], compress: bool = True) -> None:
    """Write an image with frames as Slicer's `.seq.nrrd`, and read it again before it replaces a file.

    Raises OutputError if the file cannot be written or the format cannot hold the image.
    """
    header = _header_text(image, compress, Path(path).name).encode()
    with replacing(Path(path)) as stream:
        stream.write(header)
        write_voxels(stream, _frames_to_store(image), compress)
        stream.flush()
        stream.seek(0)
        if stream.read(len(header)) != header or not holds_voxels(stream, _frames_to_store(image), compress):
            raise OutputError(f'Cannot write "{path}": it does not read back to the same voxels; is the disk full?')


def _frames_to_store(image: Image) -> Iterator[np.ndarray]:
    """Frames in the order and byte order of the file; spatial vectors in LPS, as Slicer stores them."""
    is_spatial = _stored_vector_type(image) in _SPATIAL
    for frame in image.voxels:
        stored = frame.copy() if is_spatial else frame
        if is_spatial:
            _flip_vectors(stored, SIGNS_TO_RAS["left-posterior-superior"])
        yield stored.astype(stored.dtype.newbyteorder("<"), copy=False)


def _stored_vector_type(image: Image) -> str:
    """MRML's type of the vectors as far as the file can tell it; empty for images of one component."""
    components = image.voxels.shape[-1]
    if image.kind not in (Kind.VECTOR, Kind.COLOR):
        return ""
    wanted = image.attributes.get(VECTOR_TYPE, "undefined")
    if image.kind is Kind.COLOR:
        wanted = "colorRGB" if components == 3 else "colorRGBA"
        # Slicer reads colours of other types only as plain vectors.
        return wanted if image.voxels.dtype == np.uint8 and components in (3, 4) else "undefined"
    return wanted if wanted in _SPATIAL and components == 3 else "undefined"


def _header_text(image: Image, compress: bool, name: str) -> str:
    axis, vector_type = image.frame_axis, _stored_vector_type(image)
    assert axis is not None
    first = [""] if vector_type else []
    frames, slices, rows, columns, components = image.voxels.shape
    sizes = [*([components] if vector_type else []), columns, rows, slices, frames]
    directions = [_vector_text(vector) for vector in _directions(image.geometry)]
    kind = [_KIND_OF_VECTOR_TYPE.get(vector_type, "vector")] if vector_type else []
    lines = [
        "NRRD0005",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        f"type: {TYPE_NAMES[image.voxels.dtype.name]}",
        f"dimension: {len(sizes)}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {' '.join([*(['none'] if vector_type else []), *directions, 'none'])}",
        f"kinds: {' '.join([*kind, 'domain', 'domain', 'domain', 'list'])}",
        f"labels: {' '.join(map(quoted, [*first, '', '', '', axis.name]))}",
        f"units: {' '.join(map(quoted, [*first, '', '', '', axis.unit]))}",
        "endian: little",
        f"encoding: {'gzip' if compress else 'raw'}",
        f"space origin: {_vector_text(_to_lps(image.geometry.origin))}",
    ]
    if vector_type in _SPATIAL:
        # How Slicer tells vectors in space from any other components.
        lines.append("measurement frame: (1,0,0) (0,1,0) (0,0,1)")
    lines += [f"{key}:={escaped(text)}" for key, text in _pairs(image, axis, name)]
    return "\n".join(lines) + "\n\n"


def _pairs(image: Image, axis: FrameAxis, name: str) -> Iterator[tuple[str, str]]:
    """The key/value pairs: those of the index, then the attributes of each frame."""
    yield _CLASS_KEY, _CLASSES.get(image.kind, _VECTOR_CLASS)
    values = [_RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", value) for value in axis.values]
    if not all(values):
        raise OutputError(f'Cannot write "{name}": a frame has an empty index value, which the format cannot hold.')
    _warn_of_slicer(image, axis, name)
    yield "axis 3 index type", "numeric" if axis.numeric else "text"
    yield "axis 3 index values", " ".join(values)
    yield from _item_pairs(image, axis, name)


def _item_pairs(image: Image, axis: FrameAxis, name: str) -> Iterator[tuple[str, str]]:
    """The attributes of each frame, those of the image among them, as Slicer keeps them."""
    left_out: set[str] = set()
    for number in range(len(axis.values)):
        attributes = {**image.attributes, **(axis.attributes[number] if axis.attributes else {})}
        for key, text in attributes.items():
            if key == VECTOR_TYPE:
                # The kind of the axis of components tells it.
                continue
            if _fits_header(key, text):
                yield f"axis 3 item {number:04d} {key}", text
            else:
                left_out.add(key)
    if left_out:
        _logger.warning(
            "%s: %d attributes are left out: the format keeps no names with line breaks or colons.",
            name,
            len(left_out),
        )


def _fits_header(key: str, text: str) -> bool:
    """Whether readers of NRRD find an attribute's name and text again as they were."""
    plain = key and key.strip() == key and key.isprintable() and not set(key) & set(":=#\\")
    return bool(plain) and text.strip() == text and not set(text) & set("\r\0")


def _warn_of_slicer(image: Image, axis: FrameAxis, name: str) -> None:
    """Tell what Slicer itself would not load from the file as it is."""
    if image.voxels.shape[-1] > _MOST_COMPONENTS_IN_SLICER:
        _logger.warning("%s: Slicer loads no sequences of %d components.", name, image.voxels.shape[-1])
    try:
        steps = np.diff(np.sort([float(value) for value in axis.values])) if axis.numeric else np.empty(0)
    except ValueError:
        return
    if steps.size and steps.min() < _SLICER_TOLERANCE:
        _logger.warning(
            "%s: Slicer takes frames whose index values differ by less than %g for one frame; "
            "load the .mcz itself, or give the index a smaller unit.",
            name,
            _SLICER_TOLERANCE,
        )


def _directions(geometry: Geometry) -> list[Vector]:
    """The step along each axis (column, row, slice) in LPS, mm."""
    steps = [[row[axis] * geometry.spacing[axis] for row in geometry.directions] for axis in range(3)]
    return [_to_lps((step[0], step[1], step[2])) for step in steps]


def _to_lps(ras: Vector) -> Vector:
    """Minus zero is what the change of sign makes of the zeros of an axis-aligned image."""
    return (-ras[0] + 0.0, -ras[1] + 0.0, ras[2] + 0.0)


def _vector_text(vector: Vector) -> str:
    return f"({','.join(repr(float(part)) for part in vector)})"
