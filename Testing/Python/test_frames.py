"""One frame without the others, and the frames that damage has left."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from generated_images import INSTALLED, OBLIQUE, head, scalar
from mutations import rebuilt
from test_over_time import still

from SlicerMedCompressLib.cli import main
from SlicerMedCompressLib.compression import compress, compress_in_memory, decompress
from SlicerMedCompressLib.container import Reader
from SlicerMedCompressLib.errors import CorruptFileError, InputError
from SlicerMedCompressLib.files import read_image
from SlicerMedCompressLib.frames import read_frame, recover
from SlicerMedCompressLib.image import FrameAxis, Image
from SlicerMedCompressLib.mixed_sequence import MixedSequence
from SlicerMedCompressLib.playback import Browser
from SlicerMedCompressLib.sequence_compression import compress_parts_in_memory
from SlicerMedCompressLib.targets import MaxError


def sequence(frames: int = 10) -> Image:
    """A head under a little noise of each frame's own; frames with times and attributes."""
    random = np.random.default_rng(3)
    still = head((3, 30, 34), "float64")
    voxels = np.stack([still + random.normal(0, 3, still.shape) for _ in range(frames)]).astype(np.int16)
    axis = FrameAxis(
        tuple(str(0.5 * number) for number in range(frames)),
        "time",
        "s",
        attributes=tuple({"TriggerTime": str(number)} for number in range(frames)),
    )
    return Image(
        voxels[..., np.newaxis],
        geometry=OBLIQUE,
        name="beat",
        dimension=4,
        frame_axis=axis,
        attributes={"Modality": "MR"},
    )


IMAGE = sequence()
HOW = {
    "after others": {"codec": "jpegls"},
    "learned": {"codec": "causal:0,frames=4"},
    "bounded": {"target": MaxError(2)},
}
FILES = {name: compress_in_memory(IMAGE, **how)[0] for name, how in HOW.items()}  # type: ignore[arg-type]


def damaged(data: bytes, frame: int) -> bytes:
    """The file with a byte of a frame's payload changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        member = archive.getinfo(f"tiles/{frame:06d}")
    place = data.index(f"tiles/{frame:06d}".encode(), member.header_offset) + 12 + member.file_size // 2
    return data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :]


@pytest.mark.parametrize("name", FILES)
def test_a_frame_comes_as_in_the_whole_with_what_belongs_to_it(name: str) -> None:
    whole = decompress(io.BytesIO(FILES[name]))
    for number in (0, 3, 9):
        frame = read_frame(io.BytesIO(FILES[name]), number)
        assert np.array_equal(frame.voxels[0], whole.voxels[number])
        assert frame.frame_axis is None
        assert frame.geometry == OBLIQUE
        assert frame.name == f"beat time {0.5 * number} s"
        assert frame.attributes["Modality"] == "MR"
        assert frame.attributes["TriggerTime"] == str(number)
        assert ("MedCompress.Loss" in frame.attributes) == (name == "bounded")


def test_a_frame_with_a_name_of_its_own_keeps_it() -> None:
    assert IMAGE.frame_axis is not None
    names = tuple(f"phase {number}" for number in range(10))
    data = compress_in_memory(replace(IMAGE, frame_axis=replace(IMAGE.frame_axis, names=names)), codec="jpegls")[0]
    assert read_frame(io.BytesIO(data), 7).name == "phase 7"


@pytest.mark.parametrize("number", [-1, 10, 1000])
def test_a_frame_that_is_not_there_is_told_with_how_many_are(number: int) -> None:
    with pytest.raises(InputError, match=f"no frame {number}; its 10 frames are counted from 0 to 9"):
        read_frame(io.BytesIO(FILES["after others"]), number)


def test_a_volume_is_its_only_frame() -> None:
    data = compress_in_memory(scalar(head((3, 9, 8)), name="ct"), codec="jpegls")[0]
    assert np.array_equal(read_frame(io.BytesIO(data), 0).voxels[0, ..., 0], head((3, 9, 8)))


def test_a_frame_of_a_sequence_whose_frames_differ_is_found_in_its_part() -> None:
    first, second = scalar(head((2, 9, 8))), scalar(head((3, 7, 8)))
    mixed = MixedSequence((first, second), ((0,), (1,)), FrameAxis(("a", "b"), numeric=False), "mixed")
    data = compress_parts_in_memory(mixed)[0]
    assert read_frame(io.BytesIO(data), 1).voxels.shape == second.voxels.shape
    with pytest.raises(InputError, match="no frame 2"):
        read_frame(io.BytesIO(data), 2)


@pytest.mark.parametrize(
    ("name", "frame", "lost"),
    [
        # The last of a hierarchical group; its middle; its first, which the one before leans on too.
        ("after others", 7, {7}),
        ("after others", 6, {5, 6, 7}),
        ("after others", 4, {1, 2, 3, 4, 5, 6, 7}),
        ("learned", 5, {5, 6, 7}),
        ("learned", 3, {3}),
    ],
)
def test_intact_frames_are_recovered_and_the_others_named(name: str, frame: int, lost: set[int]) -> None:
    found = recover(io.BytesIO(damaged(FILES[name], frame)))
    assert {one.number for one in found.lost} == lost
    for one in found.lost:
        assert one.value == str(0.5 * one.number)
        assert one.reason.startswith(
            "the checksum of a tile is wrong" if one.number == frame else f"it is coded after frame {frame},"
        )
    assert list(found.numbers) == [number for number in range(10) if number not in lost]
    assert np.array_equal(found.image.voxels, IMAGE.voxels[list(found.numbers)])
    axis = found.image.frame_axis
    assert axis is not None
    assert axis.values == tuple(str(0.5 * number) for number in found.numbers)
    assert [own["TriggerTime"] for own in axis.attributes] == [str(number) for number in found.numbers]


@pytest.mark.skipif("sperr" not in INSTALLED, reason="imagecodecs has no SPERR")
def test_damage_over_time_takes_the_frames_in_its_tile_and_no_others() -> None:
    data = compress_in_memory(still(20), codec="sperr")[0]
    whole = decompress(io.BytesIO(data)).voxels
    with Reader(io.BytesIO(data)) as reader:
        start, stop = reader.access.decoded_with(9)
    # The slabs of the first slice are those of its spans of time.
    found = recover(io.BytesIO(damaged(data, 1)))
    assert [one.number for one in found.lost] == list(range(start, stop))
    assert np.array_equal(found.image.voxels, whole[list(found.numbers)])
    assert len(found.numbers) == 20 - (stop - start)


@pytest.mark.parametrize(("shown", "then"), [(9, 6), (7, 0), (2, 2)])
def test_the_browser_shows_the_frame_it_showed_if_that_is_intact(shown: int, then: int) -> None:
    data = compress_in_memory(replace(IMAGE, browser=Browser(selected_item=shown)), codec="jpegls")[0]
    browser = recover(io.BytesIO(damaged(data, 6))).image.browser
    assert browser is not None
    assert browser.selected_item == then


@pytest.mark.parametrize("name", FILES)
def test_a_lost_directory_is_made_again(name: str, tmp_path: Path) -> None:
    data = FILES[name]
    directory = data.index(b"PK\x01\x02")
    path = tmp_path / "cut.mcz"
    # At once; within the directory; overwritten.
    for cut in (data[:directory], data[: directory + 100], data[:directory] + bytes(len(data) - directory)):
        path.write_bytes(cut)
        with pytest.raises(CorruptFileError):
            decompress(path)
        found = recover(path)
        assert not found.lost
        assert np.array_equal(found.image.voxels, decompress(io.BytesIO(data)).voxels)
        assert recover(io.BytesIO(cut)).numbers == found.numbers
    path.write_bytes(damaged(data, 9)[:directory])
    assert [one.number for one in recover(path).lost] == [9]


def test_a_file_that_ends_before_its_header_does_is_refused_at_any_length() -> None:
    for data in FILES.values():
        header = data.index(b"header.json")
        end = data.index(b"PK\x01\x02")
        for length in [*range(0, header, 997), header, header + 60, end - 1]:
            with pytest.raises(CorruptFileError, match=r"comes last and is missing or damaged too"):
                recover(io.BytesIO(data[:length]))
        wrong = bytearray(data[:end])
        wrong[(header + end) // 2] ^= 1
        with pytest.raises(CorruptFileError, match="damaged too"):
            recover(io.BytesIO(bytes(wrong)))


def test_frames_are_told_of_what_they_lost_before_too() -> None:
    assert IMAGE.frame_axis is not None
    own = tuple({"MedCompress.Loss": f"loss of {number}"} for number in range(10))
    data = compress_in_memory(replace(IMAGE, frame_axis=replace(IMAGE.frame_axis, attributes=own)), target=MaxError(2))[
        0
    ]
    told = read_frame(io.BytesIO(data), 4).attributes["MedCompress.Loss"]
    assert told.startswith("no voxel differs by more than 2")
    assert told.endswith("before that, loss of 4")


def test_an_intact_file_is_recovered_whole() -> None:
    found = recover(io.BytesIO(FILES["after others"]))
    assert not found.lost
    assert np.array_equal(found.image.voxels, IMAGE.voxels)


def test_a_file_without_an_end_or_an_intact_frame_is_refused() -> None:
    data = FILES["learned"]
    with pytest.raises(CorruptFileError, match="not a complete ZIP archive"):
        recover(io.BytesIO(data[: len(data) // 2]))
    one = compress_in_memory(scalar(head((3, 20, 20))), codec="jpegls")[0]
    with pytest.raises(CorruptFileError, match="No frame of"):
        recover(io.BytesIO(damaged(one, 0)))


def test_no_damage_to_a_header_passes_for_a_frame() -> None:
    def longer(header: dict) -> None:
        header["image"]["frames"]["values"][0] = "99"

    assert recover(io.BytesIO(rebuilt(FILES["after others"], longer))).image.frame_axis is not None
    data = FILES["after others"]
    place = data.rindex(b"header.json", 0, data.rindex(b"PK\x01\x02")) + 40
    with pytest.raises(CorruptFileError):
        recover(io.BytesIO(data[:place] + b"\0\0\0" + data[place + 3 :]))


def test_the_commands_write_a_frame_and_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compress(IMAGE, tmp_path / "beat.mcz", codec="jpegls")
    assert main(["decompress", str(tmp_path / "beat.mcz"), str(tmp_path / "frame.nrrd"), "--frame", "6"]) == 0
    assert np.array_equal(read_image(tmp_path / "frame.nrrd").voxels[0], IMAGE.voxels[6])
    assert main(["decompress", str(tmp_path / "beat.mcz"), str(tmp_path / "none.nrrd"), "--frame", "10"]) == 1
    assert not (tmp_path / "none.nrrd").exists()
    (tmp_path / "bad.mcz").write_bytes(damaged((tmp_path / "beat.mcz").read_bytes(), 6))
    capsys.readouterr()
    assert main(["recover", str(tmp_path / "bad.mcz"), str(tmp_path / "left.mcz"), "-q"]) == 0
    told = capsys.readouterr().out
    assert "frame 6 (3.0) is lost" in told
    assert "7 of 10 frames are intact" in told
    assert len(decompress(tmp_path / "left.mcz").voxels) == 7


def test_a_member_that_claims_to_be_huge_takes_no_memory() -> None:
    size = 0xFFFFFFFF
    extra = struct.pack("<HHQQ", 1, 16, 1 << 62, 1 << 62)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 45, 0, 0, 0, 33, 0, size, size, 12, len(extra))
    with pytest.raises(CorruptFileError, match="get the file again"):
        recover(io.BytesIO(local + b"tiles/000000" + extra + bytes(100)))
    handle = io.BufferedReader(io.BytesIO(local + b"tiles/000000" + extra + bytes(100)))  # type: ignore[arg-type]
    with pytest.raises(CorruptFileError, match="get the file again"):
        recover(handle)


def test_commands_that_read_a_lossy_file_take_it_as_it_rounds_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file whose decoded voxels are said to have been others, as another version of a library would make them."""

    def elsewhere(header: dict) -> None:
        header["decoded"] = [[crc ^ 1 for crc in slab] for slab in header["decoded"]]

    (tmp_path / "a.mcz").write_bytes(rebuilt(FILES["bounded"], elsewhere))
    asked = [["recover", str(tmp_path / "a.mcz"), str(tmp_path / "b.nrrd")], ["frames", *[str(tmp_path / "a.mcz")] * 2]]
    for command in asked:
        assert main([*command, "-q"]) == 1
        assert "--accept-rounding" in capsys.readouterr().err
        assert main([*command, "-q", "--accept-rounding"]) == 0
