"""`medcompress bench`, `medcompress sweep`, `medcompress frames` and `medcompress demo`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ..codecs import CODECS, codec_named
from ..container import Reader
from ..errors import InputError, OutputError
from ..frames import all_frames
from ..image import Image
from ..libraries import library
from ..presets import PRESETS, QUICK_PRESETS
from ..sweep import DEFAULT_POINTS, sweep, write_csv
from .arguments import Command, add_common, add_rounding, positive
from .progress_line import ProgressLine
from .sweep_views import draw_sweep, sweep_table

DEFAULT_SWEEP = "jpeg2000,htj2k,jpegxl,sperr,hevc"


def add_commands(command: Command) -> None:
    """Declare the commands."""
    added = command("bench", _bench, "Measure presets and codecs against Slicer's NRRD on your own files.")
    added.add_argument("paths", type=Path, nargs="+", help="image files, or folders to search")
    added.add_argument(
        "--methods",
        help="comma-separated presets and codecs; default: all lossless ones but smallest, which takes minutes",
    )
    added.add_argument("--repeats", type=positive, default=3, help="runs of which the median counts (default 3)")
    added.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    add_common(added)

    added = command("sweep", _sweep, "Measure rate against quality of codecs on one image.")
    added.add_argument("input", type=Path, help="an image SimpleITK reads, or the folder of one DICOM series")
    added.add_argument("--codecs", default=DEFAULT_SWEEP, help=f"comma-separated; default: {DEFAULT_SWEEP}")
    added.add_argument("--points", type=positive, default=DEFAULT_POINTS, help="settings a codec (default 5)")
    added.add_argument("--reference", metavar="ID", help="the codec that BD-rates refer to; default: the first")
    added.add_argument("--csv", type=Path, metavar="FILE", help="write all figures there")
    added.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves there (needs matplotlib)")
    add_common(added)

    added = command("frames", _frames, "Compare a sequence with its original: each frame, and the voxels' time curves.")
    added.add_argument("original", type=Path, help="a 4D image or a .mcz")
    added.add_argument("reconstructed", type=Path, help="the same")
    added.add_argument("--json", action="store_true", help="figures as JSON")
    add_rounding(added)
    add_common(added)

    added = command("demo", _demo, "Compress and reload a real volume in a MRML scene, and prove it identical.")
    added.add_argument("path", type=Path, nargs="?", help="an image; default: the MNI152 T1 that nilearn ships")
    add_common(added)


def _frames(options: argparse.Namespace) -> None:
    from ..quality.temporal import temporal_fidelity

    with ExitStack() as files:
        (original, frames), (reconstructed, other_frames) = (
            _sequence(path, options, files) for path in (options.original, options.reconstructed)
        )
        if original.geometry != reconstructed.geometry:
            logging.getLogger(__name__).warning("The two lie at different places; only their voxels are compared.")
        values = original.frame_axis.values if original.frame_axis is not None else ()
        found = temporal_fidelity(frames, other_frames, values)
    print(json.dumps(found.to_json()) if options.json else found)


def _sequence(path: Path, options: argparse.Namespace, files: ExitStack) -> tuple[Image, Iterable[np.ndarray]]:
    """A sequence, and its frames; of a .mcz they are decoded as they are asked for, and the image holds none."""
    from ..files import read_image

    if path.suffix.lower() == ".mcz":
        reader = files.enter_context(Reader(path, options.threads, options.accept_rounding, options.device))
        stand_in = np.broadcast_to(np.zeros((), reader.header.dtype), reader.header.shape)
        return reader.header.image(stand_in), all_frames(reader)
    image = read_image(path)
    return image, image.voxels


def _bench(options: argparse.Namespace) -> None:
    from ..benchmark import bench, summary_table, table
    from ..benchmark.measure import JPEGXL7, NRRD, REFERENCES
    from ..benchmark.sides import image_files, make_side

    methods = [method.strip() for method in (options.methods or "").split(",") if method.strip()]
    for method in methods:
        if method not in (NRRD, *REFERENCES, *PRESETS) and codec_named(method).guarantee != "lossless":
            raise InputError(f'bench compares what is lossless, and "{method}" is not; see medcompress sweep.')
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

        lossless = [name for name, codec in CODECS.items() if codec.guarantee == "lossless"]
        methods = methods or [NRRD, JPEGXL7, *QUICK_PRESETS, *lossless]
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
    from ..demo import run_demo

    return run_demo(options.path, options.threads)


def _sweep(options: argparse.Namespace) -> None:
    from ..files import read_image

    for path in (options.csv, options.plot):
        if path is not None:
            _check_writable(path)
    drawing = library("matplotlib", "matplotlib", "A plot") if options.plot is not None else None
    codecs = [codec.strip() for codec in options.codecs.split(",") if codec.strip()]
    with ProgressLine(options.quiet) as line:
        image = read_image(options.input)
        found = sweep(image, codecs, options.points, options.reference, options.threads, line.update)
    print(sweep_table(found))
    if options.csv is not None:
        with options.csv.open("w", encoding="utf-8", newline="") as stream:
            write_csv(found, stream)
    if drawing is not None:
        draw_sweep(found, options.plot, image.name)
