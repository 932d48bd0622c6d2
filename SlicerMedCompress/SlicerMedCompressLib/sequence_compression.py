"""A sequence whose frames differ, to an `.mcz` and back: each part compressed and verified on its own."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .codecs import Codec, codec_named
from .compression import compress_in_memory, decompress
from .container import PartsReader, PartsWriter, holds_parts, replacing
from .errors import UnsupportedImageError
from .image import Image, Kind
from .mixed_sequence import Content, MixedSequence
from .presets import check_suited
from .progress import Progress, ProgressCallback
from .request import Request
from .results import CompressResult
from .targets import BitsPerVoxel, Psnr, Ratio, Target

LABELS = (Kind.LABEL, Kind.SEGMENTATION)


@dataclass(frozen=True)
class PartsResult(CompressResult):
    """Totals of all parts, and in ``parts`` the figures of each.

    ``codec`` and ``transforms`` are those of all parts; ``psnr`` and, of a PSNR, ``reached`` are the least of any
    part, of an error ``reached`` is the largest. Times are sums.
    """

    parts: tuple[CompressResult, ...] = ()


def compress_parts(
    sequence: MixedSequence,
    path: str | os.PathLike[str],
    *,
    preset: str | None = None,
    codec: str | Codec | None = None,
    target: Target | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    device: str = "auto",
) -> PartsResult:
    """Write a sequence as `.mcz`, verified: lossless, or each part to the target.

    Parts of labels are always lossless. A codec that does not suit a part leaves it to the usual preset; one that
    suits no part is refused. Arguments are those of ``compression.compress``.

    Raises:
        MedCompressError: with a sentence that says what to do; ``path`` is then as it was.
    """
    options = _options(sequence.parts, preset, codec, target)
    with replacing(Path(path)) as stream:
        return _write(stream, sequence, options, target, os.fspath(path), progress, threads, device)


def compress_parts_in_memory(
    sequence: MixedSequence,
    *,
    preset: str | None = None,
    codec: str | Codec | None = None,
    target: Target | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    device: str = "auto",
) -> tuple[bytes, PartsResult]:
    """The bytes of the `.mcz` that ``compress_parts`` would write, and its figures."""
    stream = io.BytesIO()
    options = _options(sequence.parts, preset, codec, target)
    result = _write(stream, sequence, options, target, "", progress, threads, device)
    return stream.getvalue(), result


def read_parts(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    accept_rounding: bool = False,
    device: str = "auto",
) -> MixedSequence:
    """The sequence in an `.mcz` for which ``container.holds_parts``; arguments as of ``compression.decompress``.

    Raises CorruptFileError, which names the file, the part and the problem.
    """
    with PartsReader(source, threads, accept_rounding, device) as reader:
        return reader.read(Progress(progress))


def read_content(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    accept_rounding: bool = False,
    device: str = "auto",
) -> Content:
    """What an `.mcz` holds, of either kind; arguments and errors as of ``compression.decompress``."""
    read = read_parts if holds_parts(source) else decompress
    return read(source, threads=threads, progress=progress, accept_rounding=accept_rounding, device=device)


def _options(
    parts: Sequence[Image], preset: str | None, codec: str | Codec | None, target: Target | None
) -> list[dict[str, Any]]:
    """How each part is compressed; UnsupportedImageError, before any work, where none can be as asked."""
    if isinstance(target, (Ratio, BitsPerVoxel)):
        raise UnsupportedImageError(
            "The frames of the sequence differ, and how small each of them should be is not said by one size; ask for "
            "a largest error or a PSNR."
        )
    loses = Request.of(preset, codec, target, None).tolerance is not None
    named = codec_named(codec) if isinstance(codec, str) else codec
    if loses and all(part.kind in LABELS for part in parts):
        raise UnsupportedImageError("The sequence holds labels, which must not change; compress it without loss.")
    options: list[dict[str, Any]] = []
    misfits: list[UnsupportedImageError] = []
    for part in parts:
        if loses and part.kind in LABELS:
            options.append({})
            continue
        misfit = _misfit(named, part)
        if misfit is not None:
            misfits.append(misfit)
        options.append({"preset": preset, "codec": named if misfit is None else None, "target": target})
    if misfits and not any(option.get("codec") for option in options):
        raise misfits[0]
    return options


def _misfit(codec: Codec | None, part: Image) -> UnsupportedImageError | None:
    """Why a codec cannot code a part; None where it can."""
    if codec is None:
        return None
    try:
        check_suited(codec, part)
    except UnsupportedImageError as error:
        return error
    return None


def _write(
    stream: BinaryIO,
    sequence: MixedSequence,
    options: Sequence[dict[str, Any]],
    target: Target | None,
    path: str,
    callback: ProgressCallback | None,
    threads: int | None,
    device: str,
) -> PartsResult:
    progress, results, done = Progress(callback), [], 0
    with PartsWriter(stream) as writer:
        for part, numbers, how in zip(sequence.parts, sequence.numbers, options, strict=True):
            share = progress.part(done / sequence.voxel_bytes, (done + part.voxels.nbytes) / sequence.voxel_bytes)
            data, result = compress_in_memory(part, threads=threads, progress=share.report, device=device, **how)
            writer.add(numbers, data)
            results.append(result)
            done += part.voxels.nbytes
        writer.finish(sequence)
    size = stream.tell()
    with PartsReader(stream, threads, device=device) as reader:
        # What was verified in memory has reached the disk, and the whole is one that a reader takes.
        reader.check_checksums()
    return _total(results, path, size, target)


def _total(results: Sequence[CompressResult], path: str, size: int, target: Target | None) -> PartsResult:
    worst = min if isinstance(target, Psnr) else max
    voxels = sum(result.voxel_count for result in results)
    squares = sum(result.voxel_count * result.root_mean_square_error**2 for result in results)
    return PartsResult(
        path=path,
        original_bytes=sum(result.original_bytes for result in results),
        compressed_bytes=size,
        voxel_count=voxels,
        codec=" + ".join(dict.fromkeys(result.codec for result in results)),
        transforms=tuple(dict.fromkeys(step for result in results for step in result.transforms)),
        compress_seconds=sum(result.compress_seconds for result in results),
        verify_seconds=sum(result.verify_seconds for result in results),
        guarantee=_sentence(results),
        maximum_error=max(result.maximum_error for result in results),
        root_mean_square_error=math.sqrt(squares / voxels),
        psnr=min((result.psnr for result in results if result.psnr is not None), default=None),
        target=str(target) if target is not None else "",
        reached=worst((result.reached for result in results if result.reached is not None), default=None),
        whole_encodes=max(result.whole_encodes for result in results),
        parts=tuple(results),
    )


def _sentence(results: Sequence[CompressResult]) -> str:
    """For people: what may be relied on in all parts."""
    said = {result.guarantee for result in results}
    if len(said) == 1:
        return said.pop()
    exact = sum(result.psnr is None for result in results)
    largest = max(result.maximum_error for result in results)
    return (
        f"no voxel was found to differ by more than {largest:.4g}; "
        f"{exact} of {len(results)} parts identical to the original"
    )
