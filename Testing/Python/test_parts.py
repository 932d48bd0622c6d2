"""A sequence whose frames differ is an archive of archives: whole, verified, and refused where it is damaged."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_images import head, mixed_sequence, scalar, sequence
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated, put, rebuilt
from refusals import refusal

from SlicerMedCompressLib.cli import main
from SlicerMedCompressLib.compression import compress_in_memory, decompress
from SlicerMedCompressLib.container import PartsReader, holds_parts
from SlicerMedCompressLib.container.window import Window
from SlicerMedCompressLib.errors import CorruptFileError, InputError, UnsupportedImageError
from SlicerMedCompressLib.image import FrameAxis, Image, same_voxels
from SlicerMedCompressLib.mixed_sequence import MixedSequence
from SlicerMedCompressLib.playback import Browser
from SlicerMedCompressLib.sequence_compression import (
    compress_parts,
    compress_parts_in_memory,
    read_content,
    read_parts,
)

FIELDS = ("geometry", "kind", "name", "dimension", "attributes", "frame_axis", "display", "segmentation", "browser")


def assert_same(first: MixedSequence, second: MixedSequence) -> None:
    for field in ("numbers", "frame_axis", "name", "browser"):
        assert getattr(first, field) == getattr(second, field), field
    for one, other in zip(first.parts, second.parts, strict=True):
        assert same_voxels(one.voxels, other.voxels)
        for field in FIELDS:
            assert getattr(one, field) == getattr(other, field), field


@pytest.fixture(scope="module")
def good() -> bytes:
    return compress_parts_in_memory(mixed_sequence(), preset="fast")[0]


def test_a_mixed_sequence_comes_back_whole(tmp_path: Path) -> None:
    original = mixed_sequence()
    result = compress_parts(original, tmp_path / "a.mcz")
    assert_same(read_parts(tmp_path / "a.mcz"), original)
    assert result.original_bytes == original.voxel_bytes
    assert result.compressed_bytes == (tmp_path / "a.mcz").stat().st_size
    assert result.verified
    assert result.guarantee == "identical to the original"
    assert len(result.parts) == len(original.parts) == len(result.to_json()["parts"])


def test_any_zip_program_takes_the_parts_out(tmp_path: Path, good: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        assert archive.testzip() is None
        header = json.loads(archive.read("header.json"))
        parts = [archive.read(f"parts/{number:06d}.mcz") for number in range(len(header["sequence"]["parts"]))]
        stored = {archive.getinfo(name).compress_type for name in archive.namelist() if name.startswith("parts/")}
    assert header["version"] == 4
    assert stored == {zipfile.ZIP_STORED}
    for part, listed, original in zip(parts, header["sequence"]["parts"], mixed_sequence().parts, strict=True):
        assert (len(part), zlib.crc32(part)) == (listed["length"], listed["crc"])
        assert same_voxels(decompress(io.BytesIO(part)).voxels, original.voxels)


def test_the_same_sequence_gives_the_same_bytes(good: bytes) -> None:
    assert compress_parts_in_memory(mixed_sequence(), preset="fast")[0] == good


def test_the_two_kinds_of_file_are_told_apart(tmp_path: Path, good: bytes) -> None:
    assert holds_parts(io.BytesIO(good))
    single = compress_in_memory(sequence(), preset="fast")[0]
    assert not holds_parts(io.BytesIO(single))
    assert isinstance(read_content(io.BytesIO(single)), Image)
    assert isinstance(read_content(io.BytesIO(good)), MixedSequence)


@st.composite
def groupings(draw: st.DrawFn) -> MixedSequence:
    """Frames of any of some kinds in any parts, not only such that follow one another."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=5))
    order = draw(st.permutations(range(sum(sizes))))
    axis = FrameAxis(tuple(f"{number}.5" for number in range(sum(sizes))), "t", "s")
    parts, numbers = [], []
    for place, size in enumerate(sizes):
        held = tuple(sorted(order[sum(sizes[:place]) : sum(sizes[: place + 1])]))
        dtype = draw(st.sampled_from(["uint8", "int16", "float32"]))
        voxels = np.arange(size * 60, dtype=dtype).reshape(size, 3, 4, 5, 1)
        own = axis.part(held) if size > 1 or draw(st.booleans()) else None
        parts.append(Image(voxels, dimension=4 if own else 3, frame_axis=own))
        numbers.append(held)
    return MixedSequence(tuple(parts), tuple(numbers), axis, draw(st.text(max_size=5, alphabet="aä頭 ")))


@given(groupings())
@settings(max_examples=25)
def test_any_grouping_comes_back(original: MixedSequence) -> None:
    assert_same(read_parts(io.BytesIO(compress_parts_in_memory(original, codec="zstd")[0])), original)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"parts": ()}, "frame numbers of each part"),
        ({"numbers": ((0, 1), (2,), (3,), (3,))}, "one part, and once"),
        ({"numbers": ((0, 1), (2,), (3,), (5,))}, "one part, and once"),
        ({"numbers": ((1, 0), (2,), (3,), (4,))}, "other index values"),
        ({"numbers": ((0,), (1, 2), (3,), (4,))}, "has 2 frames"),
        ({"frame_axis": FrameAxis(("0", "1"))}, "as many index values"),
        ({"browser": Browser(selected_item=5)}, "Frame 5 is shown"),
    ],
)
def test_parts_that_do_not_belong_together_are_told(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(UnsupportedImageError, match=told):
        replace(mixed_sequence(), **changed)


header_edit = partial(put, "sequence")
"""An edit of the sequence that the header describes."""


@pytest.mark.parametrize(
    "edit",
    [
        header_edit("name", 7),
        header_edit("name", "a\0b"),
        header_edit("more", 1),
        header_edit("frames", None),
        header_edit("frames", "values", ["0"]),
        header_edit("frames", "values", ["0"] * 5),
        header_edit("frames", "values", 0, "9"),
        header_edit("frames", "names", ["a"]),
        header_edit("frames", "attributes", [{"a": "b"}] * 5),
        header_edit("frames", "sequence_attributes", ["a"]),
        header_edit("frames", "sequence_attributes", {"a": 1}),
        header_edit("browser", "selected_item", 5),
        header_edit("browser", "selected_item", -1),
        header_edit("browser", "selected_item", True),
        header_edit("browser", "playback_rate", 1e300),
        header_edit("browser", "playback_rate", "fast"),
        header_edit("browser", "index_format", "%s%n"),
        header_edit("browser", "index_format", "%.999f"),
        header_edit("browser", "index_display", "both"),
        header_edit("browser", "unknown", 1),
        header_edit("browser", []),
        header_edit("parts", []),
        header_edit("parts", {}),
        header_edit("parts", 0, "frames", [0]),
        header_edit("parts", 0, "frames", [0, 2]),
        header_edit("parts", 0, "frames", []),
        header_edit("parts", 0, "frames", [0, 1.0]),
        header_edit("parts", 0, "frames", [0, 10**30]),
        header_edit("parts", 0, "length", 1),
        header_edit("parts", 0, "length", -1),
        header_edit("parts", 0, "crc", 1),
        header_edit("parts", 0, "crc", "x"),
        lambda header: header.update(version=3),
        lambda header: header.update(version=5),
        lambda header: header.update(format="Other"),
        lambda header: header.update(sequence=None),
        lambda header: header.update(sequence=[]),
        lambda header: header.pop("writer"),
    ],
)
def test_a_header_with_a_lie_is_refused(tmp_path: Path, good: bytes, edit: Callable[[dict[str, Any]], None]) -> None:
    refusal(tmp_path, rebuilt(good, edit), read_content)


def with_part(data: bytes, number: int, part: bytes) -> bytes:
    """The file with another part in the place of one, and all checksums right."""

    def edit(header: dict[str, Any]) -> None:
        header["sequence"]["parts"][number].update(length=len(part), crc=zlib.crc32(part))

    name = f"parts/{number:06d}.mcz"
    return rebuilt(data, edit, lambda content: content.update({name: part}))


def test_an_archive_of_parts_in_a_part_is_refused(tmp_path: Path, good: bytes) -> None:
    message = refusal(tmp_path, with_part(good, 1, good), read_content)
    assert "hostile.mcz/parts/000001.mcz" in message
    assert "archive of parts" in message


def test_a_part_that_is_none_is_refused_by_name(tmp_path: Path, good: bytes) -> None:
    for part in (b"", b"not a zip", compress_in_memory(scalar(head((3, 4, 5))))[0][:-30]):
        assert "parts/000001.mcz" in refusal(tmp_path, with_part(good, 1, part), read_content)


def test_a_part_of_other_frames_is_refused(tmp_path: Path, good: bytes) -> None:
    assert "has 4 frames" in refusal(tmp_path, with_part(good, 1, compress_in_memory(sequence())[0]), read_content)
    own_browser = replace(sequence(), browser=Browser())
    axis = own_browser.frame_axis
    assert axis is not None
    single = replace(own_browser, voxels=own_browser.voxels[:1], frame_axis=replace(axis.part([0]), values=("20",)))
    assert "browser" in refusal(tmp_path, with_part(good, 1, compress_in_memory(single)[0]), read_content)


@pytest.mark.parametrize("name", ["../escape", "tiles/000000", "parts/000099.mcz", "parts/0.mcz", "preview"])
def test_members_that_do_not_belong_are_refused(tmp_path: Path, good: bytes, name: str) -> None:
    assert "does not belong" in refusal(
        tmp_path, rebuilt(good, members=lambda content: content.update({name: b"x"})), read_content
    )


def test_missing_and_compressed_parts_are_refused(tmp_path: Path, good: bytes) -> None:
    without = rebuilt(good, members=lambda content: content.pop("parts/000001.mcz"))
    assert "missing" in refusal(tmp_path, without, read_content)
    assert "compressed" in refusal(tmp_path, rebuilt(good, compression=zipfile.ZIP_DEFLATED), read_content)


def test_parts_that_together_announce_too_much_are_refused_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = scalar(np.zeros((20, 100, 100), np.uint8))
    axis = FrameAxis(tuple(map(str, range(8))))
    whole = MixedSequence((still,) * 8, tuple((number,) for number in range(8)), axis)
    data = compress_parts_in_memory(whole)[0]
    for module in ("parts", "header_reading"):
        monkeypatch.setattr(f"SlicerMedCompressLib.container.{module}.FREE_BYTES", 300_000)
        monkeypatch.setattr(f"SlicerMedCompressLib.container.{module}.EXPANSION", 16)
    assert "its parts announce 1,600,000 bytes" in refusal(tmp_path, data, read_content)
    padded = compress_parts_in_memory(whole)[0]
    assert len(padded) >= 1_600_000 // 16
    assert_same(read_parts(io.BytesIO(padded)), whole)


def test_truncation_at_any_length_is_refused(tmp_path: Path, good: bytes) -> None:
    for length in np.linspace(0, len(good) - 1, 40).astype(int):
        refusal(tmp_path, good[:length], read_content)


def test_mutated_files_are_refused_or_give_the_right_voxels(tmp_path: Path, good: bytes) -> None:
    random, original, refused = np.random.default_rng(5), mixed_sequence(), 0
    for _ in range(150):
        damaged = bytearray(good)
        damaged[int(random.integers(len(damaged)))] ^= 1 << int(random.integers(8))
        data = bytes(damaged) if random.random() < 0.5 else mutated_whole(good, random)
        path = tmp_path / "mutated.mcz"
        path.write_bytes(data)
        try:
            decoded = read_content(path, threads=1)
        except (CorruptFileError, InputError) as error:
            assert "mutated.mcz" in str(error)
            refused += 1
        else:
            assert isinstance(decoded, MixedSequence)
            for one, other in zip(decoded.parts, original.parts, strict=True):
                assert same_voxels(one.voxels, other.voxels)
    assert refused > 75


def mutated_whole(data: bytes, random: np.random.Generator) -> bytes:
    """One mutation of the whole file, or of a part inside it with the checksums of the whole right again."""
    if random.random() < 0.5:
        number = int(random.integers(4))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            part = archive.read(f"parts/{number:06d}.mcz")
        return with_part(data, number, mutated(part, random))
    while True:
        try:
            return mutated(data, random)
        except KeyError:
            # That kind of mutation goes into tiles, which the whole has none of.
            continue


def test_a_window_shows_nothing_outside_of_it(good: bytes) -> None:
    import threading

    window = io.BufferedReader(Window(io.BytesIO(b"before|inside|after"), threading.Lock(), 7, 6))  # type: ignore[type-var]
    assert window.read() == b"inside"
    assert window.seek(0, io.SEEK_END) == 6
    assert window.read(5) == b""
    window.seek(100)
    assert window.read(5) == b""
    window.seek(-2, io.SEEK_END)
    assert window.read(100) == b"de"
    with pytest.raises(ValueError, match="beginning"):
        window.seek(-7, io.SEEK_END)


def test_the_terminal_shows_and_verifies_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.mcz"
    compress_parts(mixed_sequence(), path)
    assert main(["info", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "frames 0 to 1, scalar int16 6 x 20 x 22" in shown
    assert "frame 4, segmentation uint8" in shown
    assert main(["info", "--json", str(path)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [part["frames_held"] for part in facts["parts"]] == [[0, 1], [2], [3], [4]]
    assert main(["verify", "-q", str(path)]) == 0
    assert "good" in capsys.readouterr().out


def test_the_terminal_says_what_to_do_with_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compress_parts(mixed_sequence(), tmp_path / "a.mcz")
    assert main(["decompress", str(tmp_path / "a.mcz"), str(tmp_path / "a.nrrd")]) == 1
    assert "load it in Slicer" in capsys.readouterr().err
    damaged = bytearray((tmp_path / "a.mcz").read_bytes())
    damaged[len(damaged) // 3] ^= 1
    (tmp_path / "a.mcz").write_bytes(bytes(damaged))
    assert main(["verify", "-q", str(tmp_path / "a.mcz")]) == 1
    assert "parts/" in capsys.readouterr().err


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mcz").write_bytes(b"old")

    def failing(*_: object) -> None:
        raise CorruptFileError("no")

    monkeypatch.setattr(PartsReader, "check_checksums", failing)
    with pytest.raises(CorruptFileError):
        compress_parts(mixed_sequence(), tmp_path / "a.mcz")
    assert (tmp_path / "a.mcz").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mcz"]
