"""Damaged and hand-made `.mcz` files for the fuzz run and the tests."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

Edit = Callable[[dict[str, Any]], None]


def put(*path: Any) -> Edit:
    """An edit of the header: the last argument goes where the others lead."""

    def edit(header: dict[str, Any]) -> None:
        target: Any = header
        for key in path[:-2]:
            target = target[key]
        target[path[-2]] = path[-1]

    return edit


def rebuilt(
    data: bytes,
    edit: Edit | None = None,
    members: Callable[[dict[str, bytes]], None] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """The archive with its header or its members edited and all ZIP checksums right again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    if edit is not None:
        header = json.loads(content["header.json"])
        edit(header)
        content["header.json"] = json.dumps(header).encode()
    if members is not None:
        members(content)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return stream.getvalue()


def with_valid_checksums(data: bytes, random: np.random.Generator) -> bytes:
    """Payload bytes changed and every checksum made right, so that the codec itself meets the damage."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        header = json.loads(archive.read("header.json"))
        names = [name for name in archive.namelist() if name.startswith("tiles/")]
        slabs = [bytearray(archive.read(name)) for name in names]
    for slab, entries in zip(slabs, header["tiles"], strict=True):
        start = 0
        for entry in entries:
            if len(entry) > 1:
                for _ in range(random.integers(1, 4)):
                    slab[start + random.integers(entry[0])] ^= 1 << int(random.integers(8))
                entry[1] = zlib.crc32(bytes(slab[start : start + entry[0]]))
                start += entry[0]

    def replace(content: dict[str, bytes]) -> None:
        content.update({name: bytes(slab) for name, slab in zip(names, slabs, strict=True)})

    return rebuilt(data, lambda old: old.update(header), replace)


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """One mutation of one of many kinds: bits, bytes, cuts, insertions, numbers, header values, payloads."""
    kind = random.integers(9)
    damaged = bytearray(data)
    place = int(random.integers(len(damaged)))
    if kind == 0:
        damaged[place] ^= 1 << int(random.integers(8))
    elif kind == 1:
        damaged[place] = int(random.integers(256))
    elif kind == 2:
        del damaged[place:]
    elif kind == 3:
        del damaged[place : place + int(random.integers(1, 64))]
    elif kind == 4:
        damaged[place:place] = random.bytes(int(random.integers(1, 64)))
    elif kind == 5:
        wild = [0, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40]
        damaged[place : place + 4] = struct.pack("<Q", int(random.choice(wild)))[:4]
    elif kind == 6:
        return rebuilt(data, lambda header: _spoil(header, random))
    elif kind == 7:
        return with_valid_checksums(data, random)
    else:
        for _ in range(20):
            damaged[int(random.integers(len(damaged)))] = int(random.integers(256))
    return bytes(damaged)


def _spoil(value: Any, random: np.random.Generator) -> None:
    """Replace a random value somewhere in a JSON tree."""
    wild = [
        None,
        True,
        -1,
        0,
        1,
        2**31,
        2**63,
        1e308,
        -0.5,
        "",
        "x",
        "../../etc/passwd",
        [],
        {},
        [[]],
        "float64",
        "uint8",
    ]
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[random.integers(len(keys))]
        inner = value[key]
        if isinstance(inner, (dict, list)) and inner and random.random() < 0.8:
            value = inner
            continue
        value[key] = wild[random.integers(len(wild))]
        return
