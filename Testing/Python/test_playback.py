"""How a sequence is played, and what its frames and it have beside: kept, versioned, and refused where it lies."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_images import OBLIQUE, sequence
from hypothesis import given
from hypothesis import strategies as st
from mutations import rebuilt
from refusals import refusal

from SlicerMedCompressLib.compression import compress, compress_in_memory, decompress
from SlicerMedCompressLib.container import Reader
from SlicerMedCompressLib.errors import UnsupportedImageError
from SlicerMedCompressLib.image import FrameAxis, Image, same_voxels
from SlicerMedCompressLib.playback import Browser
from SlicerMedCompressLib.sequence_compression import (
    read_content,
)
from SlicerMedCompressLib.targets import MaxError


def played(frames: int = 4, **changed: Any) -> Image:
    axis = sequence().frame_axis
    assert axis is not None
    return replace(
        sequence(),
        voxels=sequence().voxels[:frames],
        geometry=OBLIQUE,
        frame_axis=replace(
            axis.part(range(frames)), attributes=tuple({"number": str(number)} for number in range(frames))
        ),
        browser=Browser(**changed),
    )


def test_a_browser_and_attributes_of_frames_make_a_file_of_version_4(tmp_path: Path) -> None:
    image = played(frames=1, name="b", playback_rate=3.5)
    assert image.frame_axis is not None
    plain = replace(image.frame_axis, attributes=())
    for stored, version in (
        (image, 4),
        (replace(image, browser=None), 4),
        (replace(image, frame_axis=plain), 4),
        (replace(image, browser=None, frame_axis=replace(plain, sequence_attributes={"a": "b"})), 4),
        (replace(image, browser=None, frame_axis=plain), 2),
    ):
        compress(stored, tmp_path / "a.mcz", codec="jpegls", target=MaxError(1))
        with Reader(tmp_path / "a.mcz") as reader:
            assert reader.header.version == version
        decoded = decompress(tmp_path / "a.mcz")
        assert decoded.frame_axis == stored.frame_axis
        assert decoded.browser == stored.browser


@pytest.mark.parametrize("codec", ["zstd", "causal"])
def test_a_browser_goes_with_every_codec(tmp_path: Path, codec: str) -> None:
    compress(played(), tmp_path / "a.mcz", codec=codec)
    decoded = decompress(tmp_path / "a.mcz")
    assert same_voxels(decoded.voxels, played().voxels)
    assert decoded.browser == Browser()


@pytest.mark.parametrize(
    "edit",
    [
        lambda header: header["image"]["browser"].update(selected_item=4),
        lambda header: header["image"]["browser"].update(index_format="%d%d"),
        lambda header: header["image"].update(browser=None),
        lambda header: header["image"].update(browser=7),
        lambda header: header["image"]["frames"].update(attributes=[{"a": "b"}]),
        lambda header: header["image"]["frames"].update(attributes=[{"a": 1}] * 4),
        lambda header: header["image"]["frames"].update(attributes="abcd"),
        lambda header: header["image"]["frames"].update(sequence_attributes={"a": 1}),
        lambda header: header["image"]["frames"].update(sequence_attributes=[]),
        lambda header: header.update(version=1),
    ],
)
def test_lies_about_playback_are_refused(tmp_path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    data = compress_in_memory(played(selected_item=1), codec="jpegls")[0]
    refusal(tmp_path, rebuilt(data, edit), read_content)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
BROWSERS = st.builds(
    Browser,
    name=TEXTS,
    playback_rate=st.floats(-1000, 1000),
    looped=st.booleans(),
    item_skipping=st.booleans(),
    selected_item=st.integers(0, 3),
    index_display=st.sampled_from(["index", "value"]),
    index_format=st.sampled_from(["%.2f", "", "%d", "frame %+05.1f ms", "%s"]),
    proxy_name=TEXTS,
    overwrite_proxy_name=st.booleans(),
    save_changes=st.booleans(),
    record_master_only=st.booleans(),
    recording=st.booleans(),
    recording_sampling=st.sampled_from(["all", "limited"]),
)


@given(
    st.none() | BROWSERS,
    st.lists(st.dictionaries(TEXTS, TEXTS, max_size=3), min_size=4, max_size=4),
    st.lists(TEXTS, min_size=4, max_size=4) | st.just([]),
    TEXTS,
    st.dictionaries(TEXTS, TEXTS, max_size=3),
)
def test_any_browser_attributes_and_names_come_back(
    browser: Browser | None,
    attributes: list[dict[str, str]],
    names: list[str],
    unit: str,
    of_sequence: dict[str, str],
) -> None:
    own = tuple(attributes) if any(attributes) else ()
    axis = FrameAxis(("a", "b", "", "d"), "t", unit, False, tuple(names), own, of_sequence)
    image = replace(sequence(), voxels=np.zeros((4, 1, 2, 2, 1), np.uint8), frame_axis=axis, browser=browser)
    decoded = decompress(io.BytesIO(compress_in_memory(image, codec="zstd")[0]))
    assert (decoded.frame_axis, decoded.browser) == (axis, browser)


def test_a_browser_of_an_image_without_frames_is_told() -> None:
    with pytest.raises(UnsupportedImageError, match="Only a sequence is played"):
        Image(np.zeros((1, 2, 2, 2, 1), np.uint8), browser=Browser())


@pytest.mark.parametrize("changed", [{"playback_rate": float("nan")}, {"playback_rate": 2000.0}, {"selected_item": -1}])
def test_settings_that_slicer_could_not_use_are_told(changed: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedImageError):
        Browser(**changed)
