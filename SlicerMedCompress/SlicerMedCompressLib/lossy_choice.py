"""Choosing how to code with loss where no number is searched for: codec, bound, and whether over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from .codecs import Codec, LossyCodec
from .container import Plan
from .container.coding_axes import coding_view
from .fitting_plans import fitted
from .frame_groups import in_groups
from .image import FrameAxis, Image
from .lossy_plans import Source
from .progress import Progress
from .request import Request
from .sampling import Outcome, Sample
from .tolerance import Tolerance
from .transforms import Facts, analyse

DECIBELS_A_BIT = 6.02


@dataclass(frozen=True, eq=False)
class View:
    """An image as it may be coded with loss, what is known of it so, and the codecs that are worth trying."""

    image: Image
    source: Source
    codecs: tuple[Codec, ...]


def views(image: Image, facts: Facts, codecs: Sequence[Codec], tolerance: Tolerance, pool: Executor) -> list[View]:
    """The image as it is, and with time in the place of slices for the codecs that make use of those."""
    found = [View(image, Source.of(image, facts), tuple(codecs))]
    seeing = tuple(codec for codec in codecs if isinstance(codec, LossyCodec) and codec.sees_slices)
    if len(image.voxels) > 1 and seeing and tolerance.exact is None:
        turned = _over_time(image)
        found.append(View(turned, Source.of(turned, analyse(turned, pool), over_time=True), seeing))
    return found


def _over_time(image: Image) -> Image:
    voxels = coding_view(image.voxels, over_time=True)
    axis = FrameAxis(tuple(map(str, range(len(voxels)))), "slice")
    return Image(voxels, kind=image.kind, name=image.name, dimension=4, frame_axis=axis)


def lossy_plan(
    image: Image, facts: Facts, request: Request, tolerance: Tolerance, pool: Executor, device: str, progress: Progress
) -> Plan:
    """The plan that does best on a sample: the smallest that keeps a bound, else the best for its size."""
    found = views(image, facts, request.codecs(image, facts), tolerance, pool)
    best: list[tuple[float, Plan]] = []
    for number, view in enumerate(found):
        part = progress.part(number / len(found), (number + 1) / len(found))
        plans = [plan for codec in view.codecs for plan in request.plans(view.source, codec, tolerance)]
        plans = [fitted(view.image, in_groups(view.image, plan), device, progress) for plan in plans]
        sample = Sample.large_if_needed(view.image, plans)
        plan = sample.smallest(plans, pool, part.part(0, 0.7))
        if len(found) == 1:
            return plan
        outcome = sample.measure([plan], pool, part.part(0.7, 1))[0]
        best.append((cost(outcome, sample, view.source, tolerance), plan))
    return min(best, key=lambda choice: choice[0])[1]


def cost(outcome: Outcome, sample: Sample, source: Source, tolerance: Tolerance) -> float:
    """Bits a voxel; where no bound is kept, less what a coder would pay for the quality. Less is better."""
    bits = 8 * outcome.size / (sample.image.voxel_count * sample.share)
    if tolerance.is_bounded or math.isinf(bits):
        return bits
    return float(bits - min(outcome.deviation.psnr(source.range), 200.0) / DECIBELS_A_BIT)
