"""The text at the start of an NRRD file: its fields, its key/value pairs, and what they say of each axis.

Read by hand and not through SimpleITK, which takes an axis of frames for the components of vectors.
The format: https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import InputError

MAXIMUM_HEADER_BYTES = 1 << 25
MAXIMUM_AXES = 16
MAXIMUM_VALUES = 1 << 48
SIGNS_TO_RAS = {
    "right-anterior-superior": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0),
    "left-posterior-superior": (-1.0, -1.0, 1.0),
}
"""What turns a position in a space of NRRD into RAS; ITK takes every other space for LPS, and so does this."""

INTERNAL_KEYS = ("NRRD_", "ITK_", "Segment", "ModalityWorklist", "space", "kinds", "measurement frame")
"""How keys begin that say how a file is read, or whose it is, and are no attributes of an image."""

_SPACES = {"ras": "right-anterior-superior", "las": "left-anterior-superior", "lps": "left-posterior-superior"}
_TYPES = {
    "int8": ("signed char", "int8", "int8_t"),
    "uint8": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "int16": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "uint16": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "int32": ("int", "signed int", "int32", "int32_t"),
    "uint32": ("uint", "unsigned int", "uint32", "uint32_t"),
    "int64": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "uint64": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "float32": ("float",),
    "float64": ("double",),
}
_TYPE_OF_NAME = {name: dtype for dtype, names in _TYPES.items() for name in names}
TYPE_NAMES = {
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "float32": "float",
    "float64": "double",
}
"""What this and Slicer write for each type of voxel."""

_ALIASES = {"datafile": "data file", "byteskip": "byte skip", "lineskip": "line skip", "axismins": "axis mins"}
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_VECTOR = re.compile(r"none|\(([^()]*)\)")
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Axis:
    """One axis of the stored array. ``direction`` is the step along it in mm, None where it is not in space."""

    size: int
    kind: str = ""
    label: str = ""
    unit: str = ""
    direction: Vector | None = None
    spacing: float | None = None
    minimum: float = 0.0


@dataclass(frozen=True)
class Header:
    """What an NRRD file says before its data.

    Attributes:
        axes: fastest first, the other way round than a numpy shape.
        voxel_type: in the byte order of the data.
        signs: what the first, second and third coordinate are multiplied with to get RAS.
        origin: of the first voxel, in the file's space, mm.
        pairs: the ``key:=value`` lines, unescaped.
        fields: the ``name: text`` lines, names in lower case.
        data_start: bytes before the data, if they follow the header.
    """

    axes: tuple[Axis, ...]
    voxel_type: np.dtype
    signs: Vector
    origin: Vector
    pairs: Mapping[str, str]
    fields: Mapping[str, str]
    data_start: int

    @property
    def data_bytes(self) -> int:
        """Bytes of the array, decompressed."""
        return math.prod(axis.size for axis in self.axes) * self.voxel_type.itemsize


def read_header(path: str | os.PathLike[str]) -> Header:
    """The header of an NRRD file.

    Raises InputError, naming the file and the problem, if it is none, or not one that can be read here.
    """
    source = Path(path)
    try:
        fields, pairs, data_start = _lines(source)
        return _header(fields, pairs, data_start)
    except (ValueError, OverflowError) as error:
        raise InputError(f'Cannot read "{source}": its NRRD header is damaged or unusual ({error}).') from error
    except OSError as error:
        raise InputError(f'Cannot read "{source}": {error.strerror or error}.') from error


def _lines(source: Path) -> tuple[dict[str, str], dict[str, str], int]:
    """The fields and pairs up to the first empty line, and where it ends."""
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    with source.open("rb") as stream:
        if not stream.readline(16).startswith(b"NRRD000"):
            raise ValueError("it does not begin with NRRD")
        while True:
            raw = stream.readline(MAXIMUM_HEADER_BYTES)
            if stream.tell() > MAXIMUM_HEADER_BYTES:
                raise ValueError("it is too long")
            line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
            if not line:
                return fields, pairs, stream.tell()
            if line.startswith("#"):
                continue
            key, pair, text = line.partition(":=")
            name, field, rest = line.partition(": ")
            if pair and (not field or len(key) < len(name)):
                pairs[key] = _unescaped(text)
            elif field or line.endswith(":"):
                name = name.rstrip(":").strip().lower()
                fields[_ALIASES.get(name, name)] = rest.strip()
            # Other lines name the files of "data file: LIST", which cannot be read here.


def _unescaped(text: str) -> str:
    return re.sub(r"\\([n\\])", lambda found: "\n" if found[1] == "n" else "\\", text)


def escaped(text: str) -> str:
    """Text as the value of a ``key:=value`` line."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def quoted(text: str) -> str:
    """Text as one of the quoted strings of `labels` and `units`; line breaks become spaces."""
    plain = " ".join(text.split())
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _header(fields: dict[str, str], pairs: dict[str, str], data_start: int) -> Header:
    count = int(fields.get("dimension", "0"))
    if not 1 <= count <= MAXIMUM_AXES:
        raise ValueError(f"{count} dimensions")
    space = fields.get("space", "").lower()
    origin = _vectors(fields.get("space origin", ""))
    return Header(
        axes=_axes(fields, count),
        voxel_type=_voxel_type(fields),
        signs=SIGNS_TO_RAS.get(_SPACES.get(space, space), SIGNS_TO_RAS["left-posterior-superior"]),
        origin=origin[0] if origin and origin[0] is not None else (0.0, 0.0, 0.0),
        pairs=pairs,
        fields=fields,
        data_start=data_start,
    )


def _axes(fields: Mapping[str, str], count: int) -> tuple[Axis, ...]:
    sizes = [int(part) for part in fields.get("sizes", "").split()]
    if len(sizes) != count or min(sizes) < 1 or math.prod(sizes) > MAXIMUM_VALUES:
        raise ValueError(f'its sizes are "{fields.get("sizes", "")[:100]}"')
    kinds = _for_each_axis(fields.get("kinds", "").split(), count, "")
    directions = _for_each_axis(_vectors(fields.get("space directions", "")), count, None)
    spacings = _for_each_axis([float(part) for part in fields.get("spacings", "").split()], count, math.nan)
    minima = _for_each_axis([float(part) for part in fields.get("axis mins", "").split()], count, math.nan)
    labels = _for_each_axis(_strings(fields.get("labels", "")), count, "")
    units = _for_each_axis(_strings(fields.get("units", "")), count, "")
    return tuple(
        Axis(
            size=sizes[number],
            kind=kinds[number].lower(),
            label=labels[number],
            unit=units[number],
            direction=directions[number],
            spacing=spacings[number] if math.isfinite(spacings[number]) else None,
            minimum=minima[number] if math.isfinite(minima[number]) else 0.0,
        )
        for number in range(count)
    )


def _for_each_axis(values: list, count: int, absent: object) -> list:
    if values and len(values) != count:
        raise ValueError(f"a field has {len(values)} values for {count} axes")
    return values or [absent] * count


def _vectors(text: str) -> list[Vector | None]:
    """Vectors of three coordinates; None for `none`, and for NaN, which pynrrd writes."""
    found: list[Vector | None] = []
    for match in _VECTOR.finditer(text):
        parts = [float(part) for part in match[1].split(",")] if match[1] is not None else []
        if any(math.isnan(part) for part in parts):
            parts = []
        if parts and len(parts) != 3:
            raise ValueError(f"a vector of {len(parts)} coordinates, where 3 are known")
        found.append((parts[0], parts[1], parts[2]) if parts else None)
    return found


def _strings(text: str) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", found) for found in _QUOTED.findall(text)]


def _voxel_type(fields: Mapping[str, str]) -> np.dtype:
    name = " ".join(fields.get("type", "").lower().split())
    if name not in _TYPE_OF_NAME:
        raise ValueError(f'its type is "{name[:40]}"')
    found = np.dtype(_TYPE_OF_NAME[name])
    endian = fields.get("endian", "little").lower()
    if endian not in ("little", "big"):
        raise ValueError(f'its endian is "{endian[:40]}"')
    return found.newbyteorder("<" if endian == "little" else ">")
