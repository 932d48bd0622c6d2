"""`medcompress` on a terminal.

Exit status: 0 done, 1 a problem told in one sentence on standard error, 2 wrong usage,
130 interrupted. Results go to standard output, progress and problems to standard error.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import __version__
from .codecs import CODECS, codec_named, describe
from .compression import compress, decompress
from .container import Reader
from .errors import InputError, MedCompressError, OutputError
from .image import Kind
from .presets import DEFAULT_PRESET, PRESETS
from .progress import Progress

SUFFIX = ".mcz"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show must not turn a success into a failure.
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="medcompress: %(message)s", level=logging.WARNING)
    try:
        return int(options.run(options) or 0)
    except MedCompressError as error:
        print(f"medcompress: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nmedcompress: interrupted; nothing was left half written.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        print(
            f"medcompress: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr
        )
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="medcompress", description="Lossless compression of medical images, verified after every write."
    )
    parser.add_argument("--version", action="version", version=f"medcompress {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int | None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    added = command("compress", _compress, "Compress an image file or a DICOM folder to .mcz.")
    added.add_argument("input", type=Path, help="an image SimpleITK reads, or the folder of one DICOM series")
    added.add_argument("output", type=Path, help="a name that ends in .mcz; an existing file is replaced")
    how = added.add_mutually_exclusive_group()
    how.add_argument("--preset", choices=list(PRESETS), help=f"default: {DEFAULT_PRESET}")
    how.add_argument("--codec", metavar="ID", help="a codec instead, see `medcompress codecs`; jpegxl:7 sets its knob")
    added.add_argument(
        "--kind", choices=[kind.value for kind in Kind], help="what the voxels are, if the name does not tell"
    )
    added.add_argument("--no-verify", action="store_true", help="do not decode and compare what was written")
    added.add_argument("--json", action="store_true", help="figures as JSON")
    _common(added)

    added = command("decompress", _decompress, "Decompress .mcz to NRRD, NIfTI, MetaImage, TIFF or .seg.nrrd.")
    added.add_argument("input", type=Path)
    added.add_argument("output", type=Path, help="the ending chooses the format; an existing file is replaced")
    _common(added)

    added = command("info", _info, "Show what an .mcz holds, without decoding it.")
    added.add_argument("input", type=Path)
    added.add_argument("--json", action="store_true")

    added = command("verify", _verify, "Decode .mcz files and check every checksum.")
    added.add_argument("input", type=Path, nargs="+")
    _common(added)

    added = command("codecs", _codecs, "List codecs, what they take, and why one is missing.")
    added.add_argument("--json", action="store_true")

    _add_measuring(command)
    return parser


def _add_measuring(command: Callable[..., argparse.ArgumentParser]) -> None:
    added = command("bench", _bench, "Measure presets and codecs against Slicer's NRRD on your own files.")
    added.add_argument("paths", type=Path, nargs="+", help="image files, or folders to search")
    added.add_argument("--methods", help="comma-separated presets and codecs; default: all")
    added.add_argument("--repeats", type=_positive, default=3, help="runs of which the median counts (default 3)")
    added.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    _common(added)

    added = command("demo", _demo, "Compress and reload a real volume in a MRML scene, and prove it identical.")
    added.add_argument("path", type=Path, nargs="?", help="an image; default: the MNI152 T1 that nilearn ships")
    _common(added)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=_positive, help="default: all processors")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return int(text)


def _compress(options: argparse.Namespace) -> None:
    if options.output.suffix.lower() != SUFFIX:
        raise OutputError(f'"{options.output}": the name must end in {SUFFIX}.')
    from .files import read_image

    with ProgressLine(options.quiet) as line:
        line.update(0, "Reading")
        image = read_image(options.input, Kind(options.kind) if options.kind else None)
        result = compress(
            image,
            options.output,
            preset=options.preset,
            codec=options.codec,
            threads=options.threads,
            verify=not options.no_verify,
            progress=line.update,
        )
    print(json.dumps(result.to_json()) if options.json else result)


def _decompress(options: argparse.Namespace) -> None:
    from .files import write_image

    with ProgressLine(options.quiet) as line:
        image = decompress(options.input, threads=options.threads, progress=line.update)
        line.update(1, "Writing")
        write_image(image, options.output)


def _info(options: argparse.Namespace) -> None:
    with Reader(options.input) as reader:
        facts = file_facts(reader)
    if options.json:
        print(json.dumps(facts))
        return
    for key, value in facts.items():
        print(f"{key.replace('_', ' '):<16} {_readable(value)}")


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
        "guarantee": "identical to the original",
        "codec": header.codec.config,
        "transforms": [step.id for step in header.pipeline.steps],
        "tiles": header.grid.slab_count * header.grid.tiles_in_slab,
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
            with ProgressLine(options.quiet) as line, Reader(path, options.threads) as reader:
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
    for codec in found:
        knob = codec["knob"]
        setting = f"{knob['name']} {knob['minimum']} to {knob['maximum']}" if knob else "-"
        state = codec["unavailable"] or f"{codec['library']} {codec['version']}"
        print(
            f"{codec['id']:<9} {codec['title']:<14} {codec['family']:<14} {codec['guarantee']:<9} {setting:<20} {state}"
        )


def _bench(options: argparse.Namespace) -> None:
    from .benchmark import bench, summary_table, table
    from .benchmark.measure import JPEGXL7, NRRD
    from .benchmark.sides import image_files, make_side

    methods = [method.strip() for method in (options.methods or "").split(",") if method.strip()]
    for method in methods:
        if method not in (NRRD, JPEGXL7, *PRESETS):
            codec_named(method)
    files = image_files(options.paths)
    for file in files:
        if not os.path.exists(file):
            raise InputError(f'There is no file or folder "{file}".')
    if options.json:
        _check_writable(options.json)
    side = make_side()
    rows: list[Any] = []
    passed_over: list[str] = []
    with ProgressLine(options.quiet) as line:

        def tell(text: str) -> None:
            if "passed over" in text:
                passed_over.append(text)
            line.update(None, text)

        methods = methods or [NRRD, JPEGXL7, *PRESETS, *CODECS]
        rows.extend(bench(files, methods, options.repeats, options.threads, tell, side))
    for text in passed_over:
        print(f"medcompress: {text}", file=sys.stderr)
    if not rows:
        raise InputError("Nothing could be measured.")
    for file in dict.fromkeys(row.file for row in rows):
        print(f"{file}\n{table([row for row in rows if row.file == file])}\n")
    print(f"{summary_table(rows)}\n\nnrrd is {side.label}.")
    if options.json:
        options.json.write_text(json.dumps([row.to_json() for row in rows], indent=1) + "\n")


def _check_writable(path: Path) -> None:
    """Raise OutputError now rather than after an hour of measuring."""
    try:
        with path.open("a"):
            pass
    except OSError as error:
        raise OutputError(f'Cannot write "{path}": {error.strerror}.') from error


def _demo(options: argparse.Namespace) -> int:
    from .demo import run_demo

    return run_demo(options.path, options.threads)


class ProgressLine:
    """One line on standard error that shows a fraction and a stage; silent where that is no terminal."""

    def __init__(self, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._last = 0.0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def update(self, fraction: float | None, stage: str) -> None:
        """Show it, at most ten times a second."""
        now = time.monotonic()
        if self._shown and (now - self._last > 0.1 or fraction == 1 or fraction is None):
            self._last = now
            done = "" if fraction is None else f"{fraction:4.0%} "
            print(f"\r\x1b[K{done}{stage}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
