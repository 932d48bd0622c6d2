"""The whole way: an image to an `.mcz` and back, chosen, verified, replaced atomically."""

from __future__ import annotations

import io
import os
import time
from concurrent.futures import Executor
from pathlib import Path
from typing import BinaryIO

from .codecs import Codec, codec_named
from .container import Header, Reader, replacing, write_archive
from .image import Image
from .parallel import thread_count, thread_pool
from .presets import DEFAULT_PRESET, Plan, candidates, check_suited, choose, preset_named
from .progress import Progress, ProgressCallback
from .results import CompressResult
from .transforms import analyse


def compress(
    image: Image,
    path: str | os.PathLike[str],
    *,
    preset: str | None = None,
    codec: str | Codec | None = None,
    threads: int | None = None,
    verify: bool = True,
    progress: ProgressCallback | None = None,
) -> CompressResult:
    """Write an image as `.mcz`; lossless.

    Args:
        preset: ``fast`` or ``balanced`` (the default); not together with ``codec``.
        codec: an id, with its knob after a colon if wanted (``jpegxl:7``), or a codec.
        threads: default: all processors this process may use.
        verify: decode what was written and compare every bit before the file takes its place.
        progress: called with a fraction and a stage; returning False cancels.

    Raises:
        MedCompressError: with a sentence that says what to do; ``path`` is then as it was.
    """
    chosen = _requested(preset, codec)
    target = Path(path)
    with replacing(target) as stream:
        return _compress_to(stream, image, chosen, threads, verify, progress, os.fspath(path))


def compress_in_memory(
    image: Image,
    *,
    preset: str | None = None,
    codec: str | Codec | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> tuple[bytes, CompressResult]:
    """The bytes of the `.mcz` that ``compress`` would write, verified, and its figures."""
    stream = io.BytesIO()
    result = _compress_to(stream, image, _requested(preset, codec), threads, True, progress, "")
    return stream.getvalue(), result


def decompress(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Image:
    """The image in an `.mcz`; CorruptFileError names the file and the problem."""
    with Reader(source, threads) as reader:
        return reader.read(Progress(progress))


def _requested(preset: str | None, codec: str | Codec | None) -> str | Codec:
    if preset is not None and codec is not None:
        raise ValueError("Name a preset or a codec, not both.")
    if codec is not None:
        return codec_named(codec) if isinstance(codec, str) else codec
    preset_named(preset or DEFAULT_PRESET)
    return preset or DEFAULT_PRESET


def _compress_to(
    stream: BinaryIO,
    image: Image,
    chosen: str | Codec,
    threads: int | None,
    verify: bool,
    callback: ProgressCallback | None,
    path: str,
) -> CompressResult:
    started = time.perf_counter()
    progress = Progress(callback)
    if isinstance(chosen, Codec):
        check_suited(chosen, image)
    with thread_pool(threads) as pool:
        plan = _plan(image, chosen, pool, progress.part(0, 0.1))
        header = write_archive(
            stream,
            image,
            plan.codec,
            plan.pipeline,
            plan.grid,
            pool,
            thread_count(threads),
            progress.part(0.1, 0.6 if verify else 1.0),
        )
    compressed = time.perf_counter()
    size = stream.tell()
    if verify:
        stream.flush()
        with Reader(stream, threads) as reader:
            reader.name = path or reader.name
            reader.verify(image.voxels, progress.part(0.6, 1.0))
    finished = time.perf_counter()
    return _result(image, header, path, size, compressed - started, finished - compressed if verify else 0.0, verify)


def _plan(image: Image, chosen: str | Codec, pool: Executor, progress: Progress) -> Plan:
    progress.report(0, "Looking at the voxels")
    facts = analyse(image, pool)
    progress.report(0.5, "Choosing a codec")
    codecs = [chosen] if isinstance(chosen, Codec) else candidates(image, facts, preset_named(chosen))
    return choose(image, facts, codecs, pool, progress.part(0.5, 1.0))


def _result(
    image: Image, header: Header, path: str, size: int, compress_seconds: float, verify_seconds: float, verified: bool
) -> CompressResult:
    knob = header.codec.knob
    codec = header.codec.id + (f":{getattr(header.codec, knob.name)}" if knob else "")
    return CompressResult(
        path=path,
        original_bytes=image.voxels.nbytes,
        compressed_bytes=size,
        voxel_count=image.voxel_count,
        codec=codec,
        transforms=tuple(step.id for step in header.pipeline.steps),
        compress_seconds=compress_seconds,
        verify_seconds=verify_seconds,
        verified=verified,
    )
