"""`medcompress compress`, `medcompress decompress` and `medcompress recover`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from ..compression import compress, decompress
from ..container import Reader
from ..errors import InputError, OutputError
from ..frames import read_frame, recover
from ..image import Image, Kind
from ..presets import DEFAULT_PRESET, LOSSY_PRESETS, PRESETS
from ..targets import BitsPerVoxel, MaxError, MaxRelativeError, Psnr, Ratio, Target
from .arguments import Command, add_common, add_rounding
from .progress_line import ProgressLine

SUFFIX = ".mcz"
MOST_LABELS = 1000
TARGETS: dict[str, tuple[type[Target], str]] = {
    "max_error": (MaxError, "no voxel may differ by more, in stored units (HU for CT)"),
    "max_relative_error": (MaxRelativeError, "no voxel may differ by more than this share of its own magnitude"),
    "psnr": (Psnr, "PSNR in dB over the image's range, largest minus smallest voxel"),
    "ratio": (Ratio, "bytes of voxels a byte of file"),
    "bpv": (BitsPerVoxel, "bits of file a voxel"),
}


def add_commands(command: Command) -> None:
    """Declare the commands."""
    added = command("compress", _compress, "Compress an image file or a DICOM folder to .mcz.")
    added.add_argument(
        "input",
        type=Path,
        help="an image SimpleITK reads, a .seq.nrrd, a .mrb of one sequence, or the folder of one DICOM series",
    )
    added.add_argument("output", type=Path, help="a name that ends in .mcz; an existing file is replaced")
    how = added.add_mutually_exclusive_group()
    how.add_argument(
        "--preset",
        choices=[*PRESETS, *LOSSY_PRESETS],
        help=f"default: {DEFAULT_PRESET}; with a largest error bounded, with another target lossy",
    )
    how.add_argument("--codec", metavar="ID", help="a codec instead, see `medcompress codecs`; jpegxl:7 sets its knob")
    _add_loss(added)
    added.add_argument(
        "--kind", choices=[kind.value for kind in Kind], help="what the voxels are, if the name does not tell"
    )
    added.add_argument("--no-verify", action="store_true", help="do not decode and compare what was written")
    added.add_argument("--json", action="store_true", help="figures as JSON")
    add_common(added)

    added = command(
        "decompress", _decompress, "Decompress .mcz to .nrrd, .seg.nrrd, .seq.nrrd, NIfTI, MetaImage, TIFF."
    )
    added.add_argument("input", type=Path)
    added.add_argument("output", type=Path, help="the ending chooses the format; an existing file is replaced")
    add_rounding(added)
    added.add_argument(
        "--preview",
        action="store_true",
        help="only the small picture that files of the learned codec keep (preset smallest), at once",
    )
    added.add_argument("--frame", type=int, metavar="N", help="only this frame of a sequence, counted from 0, at once")
    add_common(added)

    added = command("recover", _recover, "Write the frames of a damaged .mcz that are intact as a shorter sequence.")
    added.add_argument("input", type=Path)
    added.add_argument("output", type=Path, help="the ending chooses the format, .mcz or what decompress writes")
    add_rounding(added)
    add_common(added)


def _add_loss(parser: argparse.ArgumentParser) -> None:
    loss = parser.add_argument_group("what may be lost", "nothing, unless one of these is given")
    targets = loss.add_mutually_exclusive_group()
    for name, (_, text) in TARGETS.items():
        targets.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="X", help=text)
    region = parser.add_argument_group("what stays exact within a loss")
    region.add_argument("--segmentation", type=Path, help="a .seg.nrrd or label volume over the image")
    region.add_argument("--roi-lossless", action="store_true", help="keep its segments bit for bit")
    region.add_argument(
        "--segment", action="append", default=[], metavar="NAME", help="only this one (name, id or label); repeatable"
    )
    region.add_argument("--roi-margin", type=float, default=0.0, metavar="MM", help="and so far around them, in mm")


def target_of(options: argparse.Namespace) -> Target | None:
    """The target that was given, or None."""
    for name, (kind, _) in TARGETS.items():
        if getattr(options, name) is not None:
            return kind(getattr(options, name))
    return None


def exact_region(options: argparse.Namespace, image: Image) -> np.ndarray | None:
    """Where the image stays exact, bool (slice, row, column); None for nowhere."""
    if not options.roi_lossless:
        if options.segmentation is not None or options.segment or options.roi_margin:
            raise InputError("What is to be done with the segmentation? --roi-lossless keeps its segments bit for bit.")
        return None
    if options.segmentation is None:
        raise InputError("--roi-lossless needs --segmentation, a .seg.nrrd or label volume over the image.")
    from ..lossless_region import region_mask

    return region_mask(_labels(options.segmentation), image, options.segment, options.roi_margin)


def _labels(path: Path) -> Image:
    """A segmentation or label volume; InputError for a file that is more likely an image."""
    from ..files import read_image

    if path.suffix.lower() == SUFFIX:
        found = decompress(path)
    else:
        found = read_image(path, None if path.name.lower().endswith(".seg.nrrd") else Kind.LABEL)
    if len(np.unique(found.voxels)) > MOST_LABELS:
        raise InputError(f'"{path}" has over {MOST_LABELS} different values, as an image has; name a segmentation.')
    return found


def _compress(options: argparse.Namespace) -> None:
    if options.output.suffix.lower() != SUFFIX:
        raise OutputError(f'"{options.output}": the name must end in {SUFFIX}.')
    from ..files import read_image

    with ProgressLine(options.quiet) as line:
        line.update(0, "Reading")
        image = read_image(options.input, Kind(options.kind) if options.kind else None)
        result = compress(
            image,
            options.output,
            preset=options.preset,
            codec=options.codec,
            target=target_of(options),
            exact=exact_region(options, image),
            threads=options.threads,
            verify=not options.no_verify,
            progress=line.update,
            device=options.device,
        )
    print(json.dumps(result.to_json()) if options.json else result)


def _decompress(options: argparse.Namespace) -> None:
    from ..files import write_image

    if options.preview:
        with Reader(options.input) as reader:
            preview = reader.preview()
        if preview is None:
            raise InputError(f'"{options.input}" keeps no preview; decompress it without --preview.')
        write_image(preview, options.output)
        return
    if options.frame is not None:
        how = {"threads": options.threads, "accept_rounding": options.accept_rounding, "device": options.device}
        write_image(read_frame(options.input, options.frame, **how), options.output)
        return
    with ProgressLine(options.quiet) as line:
        image = decompress(
            options.input,
            threads=options.threads,
            progress=line.update,
            accept_rounding=options.accept_rounding,
            device=options.device,
        )
        line.update(1, "Writing")
        write_image(image, options.output)


def _recover(options: argparse.Namespace) -> None:
    from ..files import write_image

    with ProgressLine(options.quiet) as line:
        found = recover(
            options.input,
            threads=options.threads,
            progress=line.update,
            accept_rounding=options.accept_rounding,
            device=options.device,
        )
        if options.output.suffix.lower() == SUFFIX:
            compress(found.image, options.output, threads=options.threads)
        else:
            write_image(found.image, options.output)
    for lost in found.lost:
        print(f"frame {lost.number}{f' ({lost.value})' if lost.value else ''} is lost: {lost.reason}")
    print(f"{len(found.numbers)} of {len(found.numbers) + len(found.lost)} frames are intact and were written")
