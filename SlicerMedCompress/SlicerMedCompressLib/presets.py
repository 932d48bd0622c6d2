"""Presets: what a person picks, resolved to a codec and transforms by measuring the image in hand."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from .codecs import Codec
from .codecs.blosc2 import Blosc2
from .codecs.causal import Causal
from .codecs.crackle import Crackle
from .codecs.hevc import Hevc
from .codecs.jpeg2000_lossy import Jpeg2000Lossy
from .codecs.jpegls import JpegLs
from .codecs.jpegls_near import JpegLsNear
from .codecs.jpegxl import JpegXl
from .codecs.pcodec import Pcodec
from .codecs.sperr import Sperr
from .codecs.zstandard import Zstandard
from .container import Plan
from .errors import MissingLibraryError, UnsupportedImageError
from .image import Image, Kind
from .libraries import is_installed
from .progress import Progress
from .sampling import SAMPLED_TILE, Sample
from .tiling import grid_for
from .transforms import Facts, pipelines

SAMPLED_LABELS = Crackle().tile


@dataclass(frozen=True)
class Preset:
    """Codecs to try on sampled tiles, for labels, integers and floats that are none.

    Attributes:
        title, description: for people.
        guarantee: ``lossless``; ``bounded`` or ``lossy`` where a target must be given.
        exhaustive: whether all its codecs code the whole image and the smallest file is kept.
    """

    id: str
    title: str
    description: str
    labels: tuple[Codec, ...]
    integers: tuple[Codec, ...]
    floats: tuple[Codec, ...]
    guarantee: str = "lossless"
    exhaustive: bool = False


PRESETS: dict[str, Preset] = {
    preset.id: preset
    for preset in (
        Preset(
            "fast",
            "Fast",
            "Lossless. Several times faster than NRRD to save, and smaller.",
            labels=(Crackle(), Zstandard(3), Blosc2(1)),
            integers=(JpegXl(1),),
            floats=(Pcodec(4), Blosc2(1)),
        ),
        Preset(
            "balanced",
            "Balanced",
            "Lossless. Nearly the smallest files of the standard codecs, many times faster.",
            labels=(Crackle(), Zstandard(9)),
            integers=(JpegXl(3), JpegLs(), Zstandard(9)),
            floats=(Pcodec(8), JpegXl(3), Blosc2(5)),
        ),
        Preset(
            "smallest",
            "Smallest",
            "Lossless. A learned codec, adapted to the image where PyTorch is installed; slow, never above JPEG XL.",
            labels=(Crackle(), Zstandard(19), JpegXl(7)),
            integers=(JpegXl(7), JpegLs(), Causal(2)),
            floats=(Pcodec(8), JpegXl(7), Zstandard(19), Causal(0)),
            exhaustive=True,
        ),
    )
}
QUICK_PRESETS = [name for name, preset in PRESETS.items() if not preset.exhaustive]
"""Those that take seconds."""
DEFAULT_PRESET = "balanced"
LOSSY_PRESETS: dict[str, Preset] = {
    preset.id: preset
    for preset in (
        Preset(
            "bounded",
            "Bounded error",
            "No voxel differs by more than you say; every one is checked.",
            labels=(),
            integers=(JpegXl(7), JpegLsNear(), Zstandard(9)),
            floats=(JpegXl(7), Pcodec(8), Zstandard(9)),
            guarantee="bounded",
        ),
        Preset(
            "lossy",
            "Lossy to a target",
            "As small as a PSNR allows, or as good as a size allows; the loss is measured.",
            labels=(),
            integers=(Hevc(), Sperr(), Jpeg2000Lossy(), JpegXl(5)),
            floats=(Hevc(), Sperr(), Jpeg2000Lossy(), JpegXl(5)),
            guarantee="lossy",
        ),
    )
}


def preset_named(name: str) -> Preset:
    """The preset, or UnsupportedImageError with the known names."""
    presets = {**PRESETS, **LOSSY_PRESETS}
    if name not in presets:
        raise UnsupportedImageError(f'There is no preset "{name}"; choose one of {", ".join(presets)}.')
    return presets[name]


def candidates(image: Image, facts: Facts, preset: Preset) -> list[Codec]:
    """The preset's codecs that suit the image and are installed.

    Raises MissingLibraryError if none is.
    """
    if image.kind in (Kind.LABEL, Kind.SEGMENTATION):
        suited = preset.labels
    else:
        suited = preset.integers if facts.integral else preset.floats
    found = [_possible(codec) for codec in suited if codec.unavailable_reason() is None]
    if not found:
        raise MissingLibraryError(suited[0].unavailable_reason() or "")
    return found


def _possible(codec: Codec) -> Codec:
    """The codec with a setting that what is installed allows: adapting needs PyTorch."""
    if isinstance(codec, Causal) and codec.effort and not is_installed("torch"):
        return replace(codec, effort=0)
    return codec


def check_suited(codec: Codec, image: Image) -> None:
    """Raise, before any work, if a codec the user named cannot take this image or is not installed."""
    reason = codec.unavailable_reason()
    if reason is not None:
        raise MissingLibraryError(reason)
    if codec.for_labels and image.kind not in (Kind.LABEL, Kind.SEGMENTATION):
        raise UnsupportedImageError(
            f"{codec.title} is for label volumes and segmentations; "
            f"choose a preset or another codec for this {image.kind.value} volume."
        )


def lossless_plans(image: Image, facts: Facts, codecs: Sequence[Codec]) -> list[Plan]:
    """Every codec with every pipeline that is worth trying under it."""
    return [
        Plan(codec, pipeline, grid_for(image.voxels.shape[:4], codec.tile))
        for codec in codecs
        for pipeline in pipelines(facts, codec.sample_types)
    ]


def choose(image: Image, plans: Sequence[Plan], pool: Executor, progress: Progress) -> Plan:
    """The lossless plan that makes sampled tiles smallest."""
    labels = image.kind in (Kind.LABEL, Kind.SEGMENTATION)
    return Sample.of(image, SAMPLED_LABELS if labels else SAMPLED_TILE).smallest(plans, pool, progress)
