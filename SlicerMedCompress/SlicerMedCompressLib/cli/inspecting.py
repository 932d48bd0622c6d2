"""`medcompress info`, `medcompress verify` and `medcompress codecs`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..codecs import CODECS, describe
from ..container import PartsReader, Reader, holds_parts
from ..container.parts import VERSION as PARTS_VERSION
from ..errors import MedCompressError
from ..progress import Progress
from .arguments import Command, add_common
from .progress_line import ProgressLine


def add_commands(command: Command) -> None:
    """Declare the three commands."""
    added = command("info", _info, "Show what an .mcz holds, without decoding it.")
    added.add_argument("input", type=Path)
    added.add_argument("--json", action="store_true")

    added = command("verify", _verify, "Decode .mcz files and check every checksum.")
    added.add_argument("input", type=Path, nargs="+")
    add_common(added)

    added = command("codecs", _codecs, "List codecs, what they promise and take, and why one is missing.")
    added.add_argument("--json", action="store_true")


def _info(options: argparse.Namespace) -> None:
    if holds_parts(options.input):
        with PartsReader(options.input) as reader:
            _show_parts(parts_facts(reader), options.json)
        return
    with Reader(options.input) as single:
        facts = file_facts(single)
    if options.json:
        print(json.dumps(facts))
        return
    errors = {key: value for key, value in facts.pop("errors").items() if key != "kind"}
    _show({**facts, **errors})


def _show(facts: dict[str, Any]) -> None:
    for key, value in facts.items():
        if value not in (None, "", {}):
            print(f"{key.replace('_', ' '):<24} {_readable(value)}")


def _show_parts(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    parts = facts.pop("parts")
    _show({**facts, "parts": len(parts)})
    for number, part in enumerate(parts):
        held, size = part["frames_held"], " x ".join(map(str, part["shape"][1:4]))
        frames = f"frame {held[0]}" if len(held) == 1 else f"frames {held[0]} to {held[-1]}"
        told = f"{frames}, {part['kind']} {part['type']} {size}, {part['codec']['id']}, {part['guarantee']}"
        print(f"{f'part {number}':<24} {_readable(told)}")


def parts_facts(reader: PartsReader) -> dict[str, Any]:
    """What an `.mcz` of parts says of itself, as JSON values; ``parts`` are the facts of each, and its frames."""
    contents, parts = reader.contents, []
    for number, listed in enumerate(contents.parts):
        with reader.part(number) as part:
            parts.append({**file_facts(part), "frames_held": list(listed.numbers)})
    return {
        "name": contents.name,
        "frames": asdict(contents.frame_axis),
        "browser": None if contents.browser is None else asdict(contents.browser),
        "file": reader.name,
        "bytes": reader.size,
        "voxel_bytes": reader.voxel_bytes,
        "ratio": reader.voxel_bytes / reader.size,
        "format_version": PARTS_VERSION,
        "writer": contents.writer,
        "parts": parts,
    }


def file_facts(reader: Reader) -> dict[str, Any]:
    """What an `.mcz` says of itself, as JSON values; the tile table is left out."""
    header = reader.header
    return {
        **header.described,
        "attributes": header.described.get("attributes", {}),
        "file": reader.name,
        "bytes": reader.size,
        "voxel_bytes": header.voxel_bytes,
        "ratio": header.voxel_bytes / reader.size,
        "bits_per_voxel": 8 * reader.size / (header.voxel_bytes // header.dtype.itemsize // header.shape[-1]),
        "guarantee": header.guarantee.sentence,
        "errors": header.guarantee.to_json(),
        "codec": header.codec.config,
        "corrections": header.corrections.config if header.corrections else None,
        "library": header.library,
        "transforms": [step.id for step in header.pipeline.steps],
        "frames_in_a_group": header.group if header.group > 1 else None,
        "coded_over_time": header.over_time or None,
        "tiles": header.grid.slab_count * header.grid.tiles_in_slab,
        "format_version": header.version,
        "writer": header.writer,
        "voxel_sha256": header.voxel_sha256,
    }


def _readable(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (dict, list)):
        text = json.dumps(value)
        return text if len(text) <= 100 else text[:97] + "..."
    # A file's texts must not move the cursor or add lines of their own.
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))


def _verify(options: argparse.Namespace) -> int:
    failed = 0
    for path in options.input:
        try:
            opened = PartsReader if holds_parts(path) else Reader
            with ProgressLine(options.quiet) as line, opened(path, options.threads) as reader:
                reader.verify(progress=Progress(line.update))
            print(f"{path}: good")
        except MedCompressError as error:
            failed += 1
            print(f"medcompress: {error}", file=sys.stderr)
    return 1 if failed else 0


def _codecs(options: argparse.Namespace) -> None:
    found = [describe(codec) for codec in CODECS.values()]
    if options.json:
        print(json.dumps(found))
        return
    rows: list[tuple[str, ...]] = [("id", "title", "family", "promises", "setting", "samples", "library", "license")]
    rows += [_codec_row(codec) for codec in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for codec in found:
        if codec["unavailable"]:
            print(f"\n{codec['id']} is missing: {codec['unavailable']}")


def _codec_row(codec: dict[str, Any]) -> tuple[str, ...]:
    knob = codec["knob"]
    setting = f"{knob['name']} {knob['minimum']:g} to {knob['maximum']:g} {knob['unit']}".rstrip() if knob else "-"
    return (
        codec["id"],
        codec["title"],
        codec["family"],
        codec["guarantee"],
        setting,
        "labels" if codec["labels_only"] else _types(codec["sample_types"]),
        "missing" if codec["unavailable"] else f"{codec['library']} {codec['version']}",
        codec["license"],
    )


def _types(names: list[str]) -> str:
    """uint8, uint16, float32 as "u8 u16 f32"."""
    short = [name[0] + name.lstrip("uintfloa") for name in names]
    return " ".join(sorted(short, key=lambda name: (name[0] == "f", int(name[1:]))))
