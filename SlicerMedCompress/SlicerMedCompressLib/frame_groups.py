"""Coding frames of a sequence after others, where a codec does not look at other frames by itself."""

from __future__ import annotations

from dataclasses import replace

from .codecs import FittedCodec
from .container import GROUP, Plan
from .image import Image


def in_groups(image: Image, plan: Plan) -> Plan:
    """The plan with frames coded after others where that can be.

    Each tile is still coded on its own where that is smaller, so that no file gets larger.
    """
    samples, _ = plan.pipeline.output(image.voxels.dtype, image.voxels.shape[-1])
    codes_frames = plan.codec.guarantee == "lossless" and not isinstance(plan.codec, FittedCodec)
    possible = codes_frames and samples.kind == "u" and not plan.over_time
    return replace(plan, group=GROUP) if possible and len(image.voxels) > 1 else plan
