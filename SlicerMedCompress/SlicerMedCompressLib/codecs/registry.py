"""All codecs by id, and what a panel or a terminal shows of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..errors import CorruptStreamError, UnsupportedImageError
from .av1 import Av1
from .base import Codec
from .blosc2 import Blosc2
from .causal import Causal
from .crackle import Crackle
from .hevc import Hevc
from .htj2k import HighThroughputJpeg2000
from .htj2k_lossy import HighThroughputJpeg2000Lossy
from .jpeg import Jpeg
from .jpeg2000 import Jpeg2000
from .jpeg2000_lossy import Jpeg2000Lossy
from .jpegls import JpegLs
from .jpegls_near import JpegLsNear
from .jpegxl import JpegXl
from .jpegxl_lossy import JpegXlLossy
from .ljpeg import LosslessJpeg
from .pcodec import Pcodec
from .rle import Rle
from .sperr import Sperr
from .sz3 import Sz3
from .zfp import Zfp
from .zstandard import Zstandard

CODECS: dict[str, type[Codec]] = {
    codec.id: codec
    for codec in (
        JpegXl,
        HighThroughputJpeg2000,
        JpegLs,
        Jpeg2000,
        LosslessJpeg,
        Rle,
        Zstandard,
        Blosc2,
        Pcodec,
        Crackle,
        Causal,
        JpegLsNear,
        Jpeg,
        Jpeg2000Lossy,
        HighThroughputJpeg2000Lossy,
        JpegXlLossy,
        Sperr,
        Sz3,
        Zfp,
        Hevc,
        Av1,
    )
}


def codec_named(text: str) -> Codec:
    """The codec a user names: ``jpegls``, ``jpegxl:7`` to turn its knob, ``hevc:20,depth=10`` for other settings.

    Raises UnsupportedImageError with the known names, the settings or the knob's range.
    """
    name, _, rest = text.strip().partition(":")
    kind = CODECS.get(name.lower())
    if kind is None:
        raise UnsupportedImageError(f'There is no codec "{name}"; choose one of {", ".join(CODECS)}.')
    usual = kind().settings
    settings: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            key, value = kind.knob.name if kind.knob is not None else "", part
        if key not in usual:
            known = f"the settings {', '.join(usual)}" if usual else f"no setting; write just {name}"
            raise UnsupportedImageError(f'"{text}": {kind.title} has {known}.')
        settings[key] = _number(text, kind, value, type(usual[key]))
    try:
        return kind(**settings)
    except ValueError as error:
        raise UnsupportedImageError(f'"{text}": {error}') from error


def _number(text: str, kind: type[Codec], value: str, wanted: type) -> Any:
    try:
        return wanted(value)
    except ValueError as error:
        number = "a whole number" if wanted is int else "a number"
        limits = f" from {kind.knob.range}" if kind.knob is not None else ""
        raise UnsupportedImageError(f'"{text}": "{value}" is not {number}{limits}.') from error


def codec_text(codec: Codec) -> str:
    """What ``codec_named`` makes an equal codec of: its id, its knob, and other settings that are not as usual."""
    usual, knob_name = type(codec)().settings, codec.knob.name if codec.knob is not None else ""
    others = [f"{key}={value}" for key, value in codec.settings.items() if key != knob_name and value != usual[key]]
    knob = [str(getattr(codec, knob_name))] if knob_name else []
    return ":".join([codec.id, *([",".join([*knob, *others])] if knob or others else [])])


def codec_from_config(config: Any) -> Codec:
    """The codec a file names; CorruptStreamError if it is unknown here or its settings are not its own."""
    if not isinstance(config, dict) or not isinstance(config.get("id"), str):
        raise CorruptStreamError("No codec is named.")
    settings = {key: value for key, value in config.items() if key != "id"}
    kind = CODECS.get(config["id"])
    if kind is None:
        raise CorruptStreamError(
            f'It needs the codec "{config["id"][:40]}", which this version does not have; update MedCompress.'
        )
    if set(settings) != set(kind.setting_names()):
        raise CorruptStreamError(f"The settings of {kind.title} are not those it has; update MedCompress.")
    try:
        return kind(**settings)
    except (TypeError, ValueError) as error:
        raise CorruptStreamError(f"The settings of {kind.title} are out of range: {error}") from error


def describe(kind: type[Codec]) -> dict[str, Any]:
    """A codec's capabilities as JSON values, for ``medcompress codecs --json`` and the panel."""
    return {
        "id": kind.id,
        "title": kind.title,
        "family": kind.family,
        "guarantee": kind.guarantee,
        "license": kind.license,
        "sample_types": sorted(kind.sample_types),
        "labels_only": kind.for_labels,
        "knob": asdict(kind.knob) if kind.knob else None,
        "library": kind.package,
        "version": kind.library_version(),
        "unavailable": kind.unavailable_reason(),
    }
