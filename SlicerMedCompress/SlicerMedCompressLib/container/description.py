"""An image without its voxels, to and from JSON values.

Reading trusts nothing: every field is checked for its type, and what is not there or not of
that type raises ValueError, TypeError or KeyError, which the reader turns into one sentence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any

import numpy as np

from ..appearance import ColorTable, Display
from ..image import FrameAxis, Geometry, Image, Kind
from ..playback import Browser
from ..segments import Segment, Segmentation

MAXIMUM_TEXT = 1 << 24
IMAGE_KEYS = {
    *("shape", "type", "kind", "dimension", "origin", "spacing", "directions", "name", "quantity", "units"),
    *("attributes", "frames", "display", "segmentation", "browser"),
}


def image_to_json(image: Image) -> dict[str, Any]:
    """Everything of an image but its voxels; empty fields are left out."""
    described: dict[str, Any] = {
        "shape": list(image.voxels.shape),
        "type": image.voxels.dtype.name,
        "kind": image.kind.value,
        "dimension": image.dimension,
        "origin": list(image.geometry.origin),
        "spacing": list(image.geometry.spacing),
        "directions": [list(row) for row in image.geometry.directions],
    }
    for key, text in (("name", image.name), ("quantity", image.quantity), ("units", image.units)):
        if text:
            described[key] = text
    if image.attributes:
        described["attributes"] = dict(image.attributes)
    if image.frame_axis is not None:
        described["frames"] = frame_axis_to_json(image.frame_axis)
    if image.display is not None:
        described["display"] = _without_defaults(image.display)
    if image.segmentation is not None:
        segments = [_without_defaults(segment) for segment in image.segmentation.segments]
        described["segmentation"] = {**_without_defaults(image.segmentation), "segments": segments}
    if image.browser is not None:
        described["browser"] = browser_to_json(image.browser)
    return described


def frame_axis_to_json(axis: FrameAxis) -> dict[str, Any]:
    """A frame axis; attributes are left out where no frame has any."""
    described: dict[str, Any] = {key: getattr(axis, key) for key in ("values", "name", "unit", "numeric", "names")}
    if any(axis.attributes):
        described["attributes"] = [dict(texts) for texts in axis.attributes]
    if axis.sequence_attributes:
        described["sequence_attributes"] = dict(axis.sequence_attributes)
    return described


def browser_to_json(browser: Browser) -> dict[str, Any]:
    """The settings of a browser that are not the usual ones."""
    return _without_defaults(browser)


def tells_of_playback(described: Mapping[str, Any]) -> bool:
    """Whether an image is described by what came with version 4: a browser, attributes of frames or of the sequence."""
    return "browser" in described or bool({"attributes", "sequence_attributes"} & set(described.get("frames") or {}))


def _without_defaults(instance: Any) -> dict[str, Any]:
    """The fields of a dataclass that are not as its class has them; readers fill in the rest."""
    values, kept = asdict(instance), {}
    for field in fields(instance):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if getattr(instance, field.name) != default:
            kept[field.name] = values[field.name]
    return kept


def shape_from_json(described: Mapping[str, Any]) -> tuple[int, int, int, int, int]:
    """Voxels along (frame, slice, row, column, component), each at least 1."""
    lengths = [_integer(length) for length in _list(described["shape"], 5)]
    if len(lengths) != 5 or min(lengths) < 1 or max(lengths) >= 1 << 31:
        raise ValueError("the shape needs five lengths of at least 1")
    return lengths[0], lengths[1], lengths[2], lengths[3], lengths[4]


def image_from_json(described: Mapping[str, Any], voxels: np.ndarray) -> Image:
    """The image with these voxels; ValueError for a key that no version has."""
    unknown = set(described) - IMAGE_KEYS
    if unknown:
        raise ValueError(f"the image is described by an unknown {sorted(unknown)[0][:40]!r}")
    frames, display, segmentation = (described.get(key) for key in ("frames", "display", "segmentation"))
    return Image(
        voxels,
        geometry=Geometry(
            _numbers(described["origin"], 3),  # type: ignore[arg-type]
            _numbers(described["spacing"], 3),  # type: ignore[arg-type]
            tuple(_numbers(row, 3) for row in _list(described["directions"], 3)),  # type: ignore[misc]
        ),
        kind=Kind(described["kind"]),
        name=text_from_json(described.get("name", "")),
        dimension=_within(_integer(described["dimension"]), 2, 4),
        quantity=text_from_json(described.get("quantity", "")),
        units=text_from_json(described.get("units", "")),
        attributes=_texts(described.get("attributes", {})),
        frame_axis=None if frames is None else frame_axis_from_json(frames),
        display=None if display is None else _display(display),
        segmentation=None if segmentation is None else _segmentation(segmentation),
        browser=browser_from_json(described["browser"]) if "browser" in described else None,
    )


def frame_axis_from_json(described: Mapping[str, Any]) -> FrameAxis:
    """The opposite of ``frame_axis_to_json``; KeyError, TypeError or ValueError for anything else."""
    return FrameAxis(
        tuple(text_from_json(value) for value in _list(described["values"])),
        text_from_json(described["name"]),
        text_from_json(described["unit"]),
        _boolean(described["numeric"]),
        tuple(text_from_json(name) for name in _list(described["names"])),
        tuple(_texts(texts) for texts in _list(described.get("attributes", []))),
        _texts(described.get("sequence_attributes", {})),
    )


def browser_from_json(described: Mapping[str, Any]) -> Browser:
    """The opposite of ``browser_to_json``; KeyError, TypeError or ValueError for anything else."""
    read: dict[type, Any] = {str: text_from_json, float: _number, bool: _boolean, int: _integer}
    usual = asdict(Browser())
    unknown = set(described) - set(usual)
    if unknown:
        raise ValueError(f"the browser is described by an unknown {sorted(unknown)[0][:40]!r}")
    return Browser(**{key: read[type(usual[key])](value) for key, value in described.items()})


def _display(described: Mapping[str, Any]) -> Display:
    optional = ("window", "level", "lower_threshold", "upper_threshold")
    flags = ("auto_window_level", "auto_threshold", "apply_threshold", "interpolate", "inverted", "visible")
    settings: dict[str, Any] = {key: _number(described[key]) for key in optional if key in described}
    settings.update({key: _boolean(described[key]) for key in flags if key in described})
    if "opacity" in described:
        settings["opacity"] = _number(described["opacity"])
    if "color_table" in described:
        settings["color_table"] = _color_table(described["color_table"])
    return Display(**settings)


def _color_table(described: Mapping[str, Any]) -> ColorTable:
    names = tuple(text_from_json(name) for name in _list(described["names"]))
    colors = tuple(_numbers(color, 4) for color in _list(described["colors"]))
    defined = tuple(_boolean(flag) for flag in _list(described["defined"]))
    if len(names) != len(colors) or len(defined) not in (0, len(names)):
        raise ValueError("the colour table needs a colour for each name")
    return ColorTable(
        text_from_json(described["node_id"]),
        text_from_json(described["name"]),
        text_from_json(described["type_name"]),
        names,
        colors,  # type: ignore[arg-type]
        defined,
    )


def _segmentation(described: Mapping[str, Any]) -> Segmentation:
    settings: dict[str, Any] = {"segments": tuple(_segment(segment) for segment in _list(described["segments"]))}
    for key in ("source_representation", "conversion_parameters"):
        if key in described:
            settings[key] = text_from_json(described[key])
    if "representations" in described:
        settings["representations"] = tuple(text_from_json(name) for name in _list(described["representations"]))
    if "extent_offset" in described:
        steps = _list(described["extent_offset"], 3)
        settings["extent_offset"] = tuple(_within(_integer(step), -(1 << 30), 1 << 30) for step in steps)
    if "reference_origin" in described:
        settings["reference_origin"] = _numbers(described["reference_origin"], 3)
    return Segmentation(**settings)


def _segment(described: Mapping[str, Any]) -> Segment:
    flags = ("color_auto_generated", "name_auto_generated", "visible")
    settings: dict[str, Any] = {key: _boolean(described[key]) for key in flags if key in described}
    if "opacity" in described:
        settings["opacity"] = _number(described["opacity"])
    return Segment(
        identifier=text_from_json(described["identifier"]),
        name=text_from_json(described["name"]),
        label_value=_within(_integer(described["label_value"]), -(1 << 31), (1 << 31) - 1),
        layer=_within(_integer(described["layer"]), 0, 1 << 16),
        color=_numbers(described["color"], 3),  # type: ignore[arg-type]
        tags=_texts(described.get("tags", {})),
        **settings,
    )


def text_from_json(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAXIMUM_TEXT:
        raise TypeError("a text is missing or too long")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("a text holds a NUL or half a character, which Slicer cannot keep")
    return value


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError("attributes must be a map of texts")
    return {text_from_json(key): text_from_json(text) for key, text in value.items()}


def _list(value: Any, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise TypeError("a list is missing or of another length")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("a whole number is missing")
    return value


def _within(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ValueError(f"{value} is not between {low} and {high}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("a number is missing")
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    return float(value)


def _numbers(value: Any, length: int) -> tuple[float, ...]:
    return tuple(_number(number) for number in _list(value, length))


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("a true or false is missing")
    return value
