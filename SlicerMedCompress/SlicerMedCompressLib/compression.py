"""The whole way: an image to an `.mcz` and back, chosen, verified, replaced atomically."""

from __future__ import annotations

import io
import math
import os
import time
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .codecs import Codec, codec_text
from .container import Header, Plan, Reader, replacing, write_archive
from .errors import EncodingError
from .fitting_plans import fitted, is_refined, refined
from .frame_groups import in_groups
from .image import Image
from .learned.backends import device_to_verify
from .lossy_choice import lossy_plan, views
from .parallel import thread_count, thread_pool
from .presets import choose, lossless_plans
from .progress import Progress, ProgressCallback
from .request import Request
from .results import CompressResult
from .target_search import Found, TargetSearch, write_to_target
from .targets import SearchedTarget, Target
from .tolerance import Tolerance
from .transforms import Facts, analyse

REFINING = 0.7
"""Share of the work that adapting a codec is taken for, in progress."""


def compress(
    image: Image,
    path: str | os.PathLike[str],
    *,
    preset: str | None = None,
    codec: str | Codec | None = None,
    target: Target | None = None,
    exact: np.ndarray | None = None,
    threads: int | None = None,
    verify: bool = True,
    progress: ProgressCallback | None = None,
    device: str = "auto",
) -> CompressResult:
    """Write an image as `.mcz`: lossless, or to a target.

    Args:
        preset: ``fast``, ``balanced`` (the default), ``bounded`` or ``lossy`` (the defaults where a target
            is given); not together with ``codec``.
        codec: an id, with its knob after a colon if wanted (``jpegxl:7``), or a codec. With a target its
            setting is found; without one a lossy codec is used as it is set.
        target: what must be kept, or how small the file must be; None for lossless.
        exact: bool array (slice, row, column), true where voxels are kept bit for bit in every frame
            whatever the target allows elsewhere.
        threads: default: all processors this process may use.
        verify: decode what was written and compare every voxel before the file takes its place.
        progress: called with a fraction and a stage; returning False cancels.
        device: where a learned codec works: ``auto``, ``cpu``, ``cuda``; see ``learned.backends``.

    Raises:
        MedCompressError: with a sentence that says what to do; ``path`` is then as it was.
    """
    request = Request.of(preset, codec, target, exact)
    with replacing(Path(path)) as stream:
        return _compress_to(stream, image, request, threads, verify, progress, os.fspath(path), device)


def compress_in_memory(
    image: Image,
    *,
    preset: str | None = None,
    codec: str | Codec | None = None,
    target: Target | None = None,
    exact: np.ndarray | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    device: str = "auto",
) -> tuple[bytes, CompressResult]:
    """The bytes of the `.mcz` that ``compress`` would write, verified, and its figures."""
    stream = io.BytesIO()
    request = Request.of(preset, codec, target, exact)
    result = _compress_to(stream, image, request, threads, True, progress, "", device)
    return stream.getvalue(), result


def decompress(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    accept_rounding: bool = False,
    device: str = "auto",
) -> Image:
    """The image in an `.mcz`; CorruptFileError names the file and the problem.

    Args:
        accept_rounding: see Reader; for a file with loss that another decoder wrote.
        device: where a learned codec works, see ``compress``.
    """
    with Reader(source, threads, accept_rounding, device) as reader:
        return reader.read(Progress(progress))


@dataclass(frozen=True, eq=False)
class _Written:
    """What is in the stream: its header, and how the target was reached."""

    header: Header
    tolerance: Tolerance | None
    reached: float | None = None
    whole_encodes: int = 1


def _compress_to(
    stream: BinaryIO,
    image: Image,
    request: Request,
    threads: int | None,
    verify: bool,
    callback: ProgressCallback | None,
    path: str,
    device: str,
) -> CompressResult:
    started = time.perf_counter()
    progress = Progress(callback)
    request.check(image)
    with thread_pool(threads) as pool:
        progress.report(0, "Looking at the voxels")
        facts = analyse(image, pool)
        written = _write(
            stream,
            image,
            facts,
            request,
            pool,
            thread_count(threads),
            progress.part(0.05, 0.6 if verify else 1.0),
            device,
        )
    compressed = time.perf_counter()
    size = stream.tell()
    if verify:
        with Reader(stream, threads, device=device_to_verify(device)) as reader:
            reader.name = path or reader.name
            reader.verify(image.voxels, progress.part(0.6, 1.0), written.tolerance)
    finished = time.perf_counter()
    return _result(
        image, written, request, path, size, compressed - started, finished - compressed if verify else 0.0, verify
    )


def _write(
    stream: BinaryIO,
    image: Image,
    facts: Facts,
    request: Request,
    pool: Executor,
    threads: int,
    progress: Progress,
    device: str,
) -> _Written:
    """Choose how to code the image, and code it."""
    progress.report(0, "Choosing a codec")
    tolerance = request.tolerance
    if tolerance is not None and isinstance(request.target, SearchedTarget):
        found = _searched(stream, image, facts, request, tolerance, pool, threads, progress, device)
        return _Written(found.header, tolerance, found.reached, found.whole_encodes)
    if tolerance is None:
        chosen = 0.1
        plans = [in_groups(image, plan) for plan in lossless_plans(image, facts, request.codecs(image, facts))]
        plans = [fitted(image, plan, device, progress) for plan in plans]
        if request.is_exhaustive:
            return _Written(_smallest(stream, image, plans, pool, threads, progress), None)
        plan = choose(image, plans, pool, progress.part(0, chosen))
    else:
        chosen = 0.3
        plan = lossy_plan(image, facts, request, tolerance, pool, device, progress.part(0, chosen))
        if plan.is_lossless:
            # What may be lost is less than what losing it would save: the file says that it is identical.
            plan, tolerance = replace(plan, tolerance=None), None
    written = chosen + (REFINING if is_refined(plan) else 0.0) * (1 - chosen)
    plan = refined(image, plan, progress.part(chosen, written))
    header = write_archive(stream, image, plan, pool, threads, progress.part(written, 1.0))
    reached = header.guarantee.largest if tolerance is not None and tolerance.is_bounded else None
    return _Written(header, tolerance, reached)


def _searched(
    stream: BinaryIO,
    image: Image,
    facts: Facts,
    request: Request,
    tolerance: Tolerance,
    pool: Executor,
    threads: int,
    progress: Progress,
    device: str,
) -> Found:
    assert isinstance(request.target, SearchedTarget)
    codecs = request.codecs(image, facts)
    searches = [
        TargetSearch(view, image, request.target, tolerance, pool, threads, device)
        for view in views(image, facts, codecs, tolerance, pool)
    ]
    return write_to_target(stream, searches, progress)


def _smallest(
    stream: BinaryIO, image: Image, plans: list[Plan], pool: Executor, threads: int, progress: Progress
) -> Header:
    """Write the archive with every plan and keep the smallest: never larger than the best of them."""
    best: bytes | None = None
    header: Header | None = None
    for number, plan in enumerate(plans):
        part = progress.part(number / len(plans), (number + 1) / len(plans))
        better = refined(image, plan, part.part(0, REFINING))
        trial = io.BytesIO()
        try:
            found = write_archive(trial, image, better, pool, threads, part.part(REFINING, 1.0))
        except EncodingError:
            # Another codec will do; if none does, the first error is told.
            if number + 1 == len(plans) and best is None:
                raise
            continue
        if best is None or trial.tell() < len(best):
            best, header = trial.getvalue(), found
    assert best is not None
    assert header is not None
    stream.write(best)
    return header


def _result(
    image: Image,
    written: _Written,
    request: Request,
    path: str,
    size: int,
    compress_seconds: float,
    verify_seconds: float,
    verified: bool,
) -> CompressResult:
    header, guarantee = written.header, written.header.guarantee
    return CompressResult(
        path=path,
        original_bytes=image.voxels.nbytes,
        compressed_bytes=size,
        voxel_count=image.voxel_count,
        codec=codec_text(header.codec),
        transforms=tuple(step.id for step in header.pipeline.steps),
        compress_seconds=compress_seconds,
        verify_seconds=verify_seconds,
        guarantee=guarantee.sentence,
        verified=verified,
        maximum_error=guarantee.maximum_error,
        root_mean_square_error=guarantee.root_mean_square_error,
        psnr=guarantee.psnr if math.isfinite(guarantee.psnr) else None,
        exact_samples=guarantee.exact,
        target=str(request.target) if request.target is not None else "",
        reached=written.reached,
        whole_encodes=written.whole_encodes,
    )
