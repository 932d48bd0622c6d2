"""Rate against quality: every codec at several settings on one image, and how they compare."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, fields
from typing import TextIO

import numpy as np

from .codecs import CODECS, Codec, LossyCodec, codec_named, codec_text
from .container import Reader, write_archive
from .errors import UnsupportedImageError
from .fitting_plans import fitted
from .image import Image, Kind
from .lossy_plans import Source, plan_with_step
from .parallel import thread_count, thread_pool
from .presets import check_suited
from .progress import Progress, ProgressCallback
from .quality.bd_rate import bd_rate
from .quality.similarity import ssim
from .request import LOSSY_FORMS
from .tolerance import Tolerance
from .transforms import analyse

DEFAULT_POINTS = 5
HIGHEST_PSNR, DECIBELS_A_POINT = 65.0, 6.0
"""The first setting aims here, the next ones so much lower; a real codec comes about there."""


@dataclass(frozen=True)
class SweepPoint:
    """One codec at one setting, measured on the whole image and the whole file.

    Attributes:
        codec, setting: id, and id with its knob. step: what was asked of it, stored units.
        psnr: dB over the image's range. ssim: mean structural similarity of its slices.
        maximum_error, root_mean_square_error: stored units.
        encode_speed: original MB (10^6 bytes) a second, with the measuring of errors that every lossy
            write does; decode_speed: from the file in memory to voxels.
    """

    codec: str
    setting: str
    step: float
    bits_per_voxel: float
    ratio: float
    psnr: float
    ssim: float
    maximum_error: float
    root_mean_square_error: float
    encode_speed: float
    decode_speed: float


@dataclass(frozen=True)
class Sweep:
    """All points, and the BD-rate of each codec against the reference in percent (None: too little in common)."""

    points: tuple[SweepPoint, ...]
    reference: str
    bd_rates: dict[str, float | None]

    def of(self, codec: str) -> list[SweepPoint]:
        """The points of a codec, highest rate first."""
        return [point for point in self.points if point.codec == codec]


def sweep(
    image: Image,
    codecs: Sequence[str],
    points: int = DEFAULT_POINTS,
    reference: str | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Sweep:
    """Measure codecs at settings from near-lossless to coarse.

    Codecs with a lossless and a lossy mode are taken in the lossy one; other lossless codecs code
    quantized voxels.

    Raises:
        UnsupportedImageError: an unknown codec or one with a setting, no codec, labels, or a constant image.
    """
    chosen = list(
        {codec.id: codec for codec in map(_lossy, codecs.split(",") if isinstance(codecs, str) else codecs)}.values()
    )
    if not chosen or points < 1:
        raise UnsupportedImageError("A sweep needs at least one codec and one point.")
    names = [codec.id for codec in chosen]
    base = names[0] if reference is None else _lossy(reference).id
    if base not in names:
        raise UnsupportedImageError(f'The reference "{reference}" is not among the codecs; add it.')
    if image.kind in (Kind.LABEL, Kind.SEGMENTATION):
        raise UnsupportedImageError("Labels must not change, so there is nothing to sweep; choose a scalar volume.")
    for codec in chosen:
        check_suited(codec, image)
    told = Progress(progress)
    found = []
    with thread_pool(threads) as pool:
        source = Source.of(image, analyse(image, pool))
        if source.minimum == source.maximum:
            raise UnsupportedImageError("All voxels are equal, so there is nothing to sweep.")
        jobs = [(codec, number) for codec in chosen for number in range(points)]
        for done, (codec, number) in enumerate(jobs):
            step = source.range * math.sqrt(12) * 10 ** (-(HIGHEST_PSNR - DECIBELS_A_POINT * number) / 20)
            part = told.part(done / len(jobs), (done + 1) / len(jobs))
            found.append(_measured(image, source, codec, step, pool, thread_count(threads), part))
    curves = {name: [(p.bits_per_voxel, p.psnr) for p in found if p.codec == name] for name in names}
    return Sweep(tuple(found), base, {name: bd_rate(curves[base], curves[name]) for name in names})


def _lossy(text: str) -> Codec:
    codec = codec_named(text)
    if isinstance(codec, LossyCodec) and codec != type(codec)():
        raise UnsupportedImageError(f"A sweep finds the settings of {codec.title}; write just {codec.id}.")
    return CODECS[LOSSY_FORMS[codec.id]]() if codec.id in LOSSY_FORMS else codec


def _measured(
    image: Image, source: Source, codec: Codec, step: float, pool: Executor, threads: int, progress: Progress
) -> SweepPoint:
    stream = io.BytesIO()
    started = time.perf_counter()
    plan = fitted(image, plan_with_step(source, codec, step, Tolerance(math.inf)))
    header = write_archive(stream, image, plan, pool, threads, progress.part(0, 0.6))
    written = time.perf_counter()
    with Reader(stream, threads) as reader:
        decoded = reader.read(progress.part(0.6, 0.9)).voxels
    read = time.perf_counter()
    size, megabytes, guarantee = stream.seek(0, io.SEEK_END), image.voxels.nbytes / 1e6, header.guarantee
    return SweepPoint(
        codec=codec.id,
        setting=codec_text(plan.codec)
        if isinstance(codec, LossyCodec)
        else f"{codec_text(plan.codec)} step {step:.3g}",
        step=step,
        bits_per_voxel=8 * size / image.voxel_count,
        ratio=image.voxels.nbytes / size,
        psnr=guarantee.psnr,
        ssim=_mean_ssim(image.voxels, decoded, guarantee.data_range, pool),
        maximum_error=guarantee.maximum_error,
        root_mean_square_error=guarantee.root_mean_square_error,
        encode_speed=megabytes / (written - started),
        decode_speed=megabytes / (read - written),
    )


def _mean_ssim(original: np.ndarray, decoded: np.ndarray, data_range: float, pool: Executor) -> float:
    """Mean over the slices of all frames and components of (frame, slice, row, column, component)."""

    def of_slice(index: tuple[int, ...]) -> float:
        frame, part, component = index
        before, after = (voxels[frame, part : part + 1, :, :, component] for voxels in (original, decoded))
        return ssim(before, after, data_range)

    values = list(pool.map(of_slice, np.ndindex(*original.shape[:2], original.shape[-1])))
    counted = [value for value in values if not math.isnan(value)]
    return math.fsum(counted) / len(counted) if counted else math.nan


COLUMNS = tuple(field.name for field in fields(SweepPoint))


def write_csv(found: Sweep, stream: TextIO) -> None:
    """A line a point, with the BD-rate of its codec last."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*COLUMNS, f"bd_rate_percent_against_{found.reference}"])
    for point in found.points:
        rate = found.bd_rates[point.codec]
        writer.writerow([*asdict(point).values(), "" if rate is None else f"{rate:.2f}"])
