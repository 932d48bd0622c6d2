"""Damaged and hand-made files get one clear sentence that names the file, and take no memory to speak of."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_images import INSTALLED, LOSSLESS, described_head, head, scalar, segmentation, sequence
from mutations import mutated, put, rebuilt
from refusals import refusal

from SlicerMedCompressLib.compression import compress_in_memory, decompress
from SlicerMedCompressLib.errors import CorruptFileError, InputError
from SlicerMedCompressLib.image import FrameAxis, Image, Kind, same_voxels
from SlicerMedCompressLib.targets import MaxError

MUTATIONS = int(os.environ.get("MEDCOMPRESS_FUZZ_MUTATIONS", "600"))


@pytest.fixture(scope="module")
def good() -> bytes:
    return compress_in_memory(scalar(head((20, 60, 70))), codec="jpegls")[0]


@pytest.mark.parametrize(
    "edit",
    [
        put("format", "Other"),
        put("version", 2),
        put("version", "1"),
        put("image", None),
        put("image", "shape", [1, 2**63, 2**63, 2**63, 1]),
        put("image", "shape", [1, 20000, 20000, 20000, 1]),
        put("image", "shape", [1, 20, 60, 71, 1]),
        put("image", "shape", [1, 0, 60, 70, 1]),
        put("image", "shape", [1, -20, 60, 70, 1]),
        put("image", "shape", [1, 20, 60]),
        put("image", "shape", [2, 10, 60, 70, 1]),
        put("image", "shape", [1, 20.5, 60, 70, 1]),
        put("image", "type", "object"),
        put("image", "type", "int64"),
        put("image", "type", "S99999999"),
        put("image", "type", "uint8"),
        put("image", "spacing", [0, 1, 1]),
        put("image", "spacing", [1e400, 1, 1]),
        put("image", "directions", [[1, 0], [0, 1]]),
        put("image", "kind", "segmentation"),
        put("image", "attributes", ["a"]),
        put("image", "name", 7),
        put("codec", {"id": "unknown"}),
        put("codec", {"id": "jpegxl", "effort": 3}),
        put("codec", {"id": "blosc2", "level": 1}),
        put("codec", {"id": "crackle", "markov_order": 5}),
        put("transforms", [{"id": "unknown"}]),
        put("transforms", []),
        put("transforms", {}),
        put("grid", [2, 1, 1]),
        put("grid", [10**9, 1, 1]),
        put("grid", [0, 1, 1]),
        put("grid", [1.5, 1, 1]),
        put("tiles", []),
        put("tiles", 0, []),
        put("tiles", 0, 0, [2**63, 0]),
        put("tiles", 0, 0, [2**64, 0]),
        put("tiles", 0, 0, [-1, 0]),
        put("tiles", 0, 0, [10]),
        put("tiles", 0, 0, "xy"),
        put("tiles", 0, 0, 0, 1),
        put("tiles", 0, 0, 1, 12345),
        put("voxel_sha256", "0" * 64),
    ],
)
def test_a_header_with_a_lie_is_refused(tmp_path: Path, good: bytes, edit: Callable[[dict[str, Any]], None]) -> None:
    refusal(tmp_path, rebuilt(good, edit))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"1" * 10000,
        b"[" * 100000,
        b'{"a":' * 100000,
        b"\xff\xfe",
        b'{"format":"MedCompress","version":NaN}',
    ],
)
def test_a_header_that_is_no_header_is_refused(tmp_path: Path, good: bytes, header: bytes) -> None:
    refusal(tmp_path, rebuilt(good, members=lambda content: content.update({"header.json": header})))


def test_a_header_of_unreasonable_size_is_refused_unread(tmp_path: Path, good: bytes) -> None:
    large = rebuilt(good, members=lambda content: content.update({"header.json": bytes((1 << 24) + 1)}))
    assert "unreasonably large" in refusal(tmp_path, large)


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "tiles/../../x", "tiles/000099", "C:\\x", "tiles/0"])
def test_members_that_do_not_belong_are_refused(tmp_path: Path, good: bytes, name: str) -> None:
    refusal(tmp_path, rebuilt(good, members=lambda content: content.update({name: b"x"})))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["hostile.mcz"]


def test_compressed_members_are_refused(tmp_path: Path, good: bytes) -> None:
    assert "compressed" in refusal(tmp_path, rebuilt(good, compression=zipfile.ZIP_DEFLATED))


def with_deflated_header(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(stream, "w") as rewritten:
        for name in archive.namelist():
            rewritten.writestr(
                name, archive.read(name), zipfile.ZIP_DEFLATED if name == "header.json" else zipfile.ZIP_STORED
            )
    return stream.getvalue()


def test_a_compressed_header_is_refused_where_the_version_has_none(tmp_path: Path, good: bytes) -> None:
    assert "compressed" in refusal(tmp_path, with_deflated_header(good))


def test_a_geometry_that_was_damaged_is_refused(tmp_path: Path, good: bytes) -> None:
    place = good.index(b'"origin":[') + 10
    assert '"header.json" is damaged' in refusal(tmp_path, good[:place] + b"7" + good[place + 1 :])


def test_no_damage_to_a_compressed_header_goes_unseen(tmp_path: Path) -> None:
    data = compress_in_memory(scalar(np.arange(60, dtype=np.int16).reshape(3, 4, 5)), codec="causal")[0]
    start = data.index(b"header.json") + len(b"header.json")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        length = archive.getinfo("header.json").compress_size
        assert length < archive.getinfo("header.json").file_size
    for place in range(start, start + length, 5):
        refusal(tmp_path, data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])


def test_a_header_that_inflates_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    data = compress_in_memory(scalar(np.arange(60, dtype=np.int16).reshape(3, 4, 5)), codec="causal")[0]
    bomb = bytearray(
        with_deflated_header(rebuilt(data, members=lambda content: content.update({"header.json": bytes(1 << 24)})))
    )
    said = (1 << 24).to_bytes(4, "little")
    bomb = bytearray(bytes(bomb).replace(said, (64).to_bytes(4, "little")))
    assert '"header.json" is damaged' in refusal(tmp_path, bytes(bomb))


def test_missing_members_are_refused(tmp_path: Path, good: bytes) -> None:
    for name in ("header.json", "tiles/000000"):
        refusal(tmp_path, rebuilt(good, members=lambda content, name=name: content.pop(name)))  # type: ignore[misc]


def test_duplicate_members_are_refused(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "hostile.mcz"
    path.write_bytes(good)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("header.json", b"{}")
    assert "twice" in refusal(tmp_path, path.read_bytes())


def test_a_small_file_that_announces_much_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    constant = compress_in_memory(scalar(np.zeros((64, 64, 64), np.uint8)))[0]

    def inflate(header: dict[str, Any]) -> None:
        header["image"]["shape"] = [1, 1 << 16, 1 << 14, 1 << 14, 1]
        header["grid"] = [1 << 16, 1 << 3, 1 << 3]
        header["tiles"] = []

    def stretch(header: dict[str, Any]) -> None:
        header["image"]["shape"] = [1, 1600, 1600, 1600, 1]
        header["grid"] = [400, 1, 1]
        header["tiles"] = [[[0]]] * 400

    def slabs(content: dict[str, bytes]) -> None:
        content.update({f"tiles/{slab:06d}": b"" for slab in range(400)})

    refusal(tmp_path, rebuilt(constant, inflate))
    assert "announces" in refusal(tmp_path, rebuilt(constant, stretch, slabs))


def test_a_large_volume_of_one_value_is_padded_so_that_it_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("header_reading", "writer"):
        monkeypatch.setattr(f"SlicerMedCompressLib.container.{module}.FREE_BYTES", 1 << 20)
        monkeypatch.setattr(f"SlicerMedCompressLib.container.{module}.EXPANSION", 1 << 8)
    image = scalar(np.zeros((100, 200, 200), np.uint8))
    data, _ = compress_in_memory(image)
    assert len(data) >= image.voxels.nbytes >> 8


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"not a zip at all" * 100])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    refusal(tmp_path, data)


def test_truncation_at_any_length_is_refused(tmp_path: Path, good: bytes) -> None:
    for length in np.linspace(0, len(good) - 1, 60).astype(int):
        refusal(tmp_path, good[:length])


def test_a_flipped_bit_anywhere_is_refused_or_harmless(tmp_path: Path, good: bytes) -> None:
    original = scalar(head((20, 60, 70)))
    random = np.random.default_rng(11)
    for place in random.integers(0, len(good), 200):
        damaged = bytearray(good)
        damaged[place] ^= 1 << int(random.integers(8))
        path = tmp_path / "hostile.mcz"
        path.write_bytes(bytes(damaged))
        try:
            decoded = decompress(path)
        except CorruptFileError as error:
            assert "hostile.mcz" in str(error)
        else:
            assert same_voxels(decoded.voxels, original.voxels)


def samples() -> list[tuple[bytes, np.ndarray]]:
    """Small files of every codec and kind, with their voxels."""
    small = scalar(head((6, 24, 26)))
    labels = scalar((head((6, 24, 26)) > 100).astype(np.uint8), kind=Kind.LABEL)
    pairs: list[tuple[Image, str]] = [(labels if codec == "crackle" else small, codec) for codec in INSTALLED]
    noise = scalar(np.random.default_rng(1).normal(size=(4, 20, 20)).astype(np.float32))
    pairs += [(described_head(), "jpegxl:1"), (segmentation(), "zstd"), (sequence(), "jpegls"), (noise, "blosc2")]
    repeated = np.repeat(head((2, 24, 26))[np.newaxis, ..., np.newaxis], 5, axis=0)
    repeated[3, 1] += 1
    still = Image(repeated, dimension=4, frame_axis=FrameAxis(tuple("abcde"), numeric=False))
    pairs += [(still, "zstd"), (still, "zfp"), (sequence(), "causal")]
    files = [compress_in_memory(image, codec=codec, target=_bound(codec))[0] for image, codec in pairs]
    exact = np.zeros((6, 24, 26), np.bool_)
    exact[2:4, 5:9, 5:9] = True
    files.append(compress_in_memory(small, target=MaxError(20), exact=exact)[0])
    return [(data, decompress(io.BytesIO(data)).voxels) for data in files]


def _bound(codec: str) -> MaxError | None:
    """For a codec that loses: of a bounded file other voxels are refused, of a merely lossy one only told."""
    return None if codec.partition(":")[0] in LOSSLESS else MaxError(2)


def test_mutated_files_are_refused_or_give_the_right_voxels(tmp_path: Path) -> None:
    """MEDCOMPRESS_FUZZ_MUTATIONS sets how many; Testing/fuzz.py runs many in processes it watches."""
    files = samples()
    random = np.random.default_rng(2024)
    refused = 0
    for number in range(MUTATIONS):
        data, voxels = files[number % len(files)]
        path = tmp_path / "mutated.mcz"
        path.write_bytes(mutated(data, random))
        try:
            decoded = decompress(path, threads=1)
        except (CorruptFileError, InputError) as error:
            assert "mutated.mcz" in str(error)
            refused += 1
        else:
            # A header that was rebuilt, its checksum too, may tell another name or place; voxels may not change.
            assert decoded.voxels.tobytes() == voxels.tobytes()
    assert refused > MUTATIONS // 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no address space limit to set")
def test_refusing_hostile_files_takes_little_memory(tmp_path: Path, good: bytes) -> None:
    hostile = [
        rebuilt(good, put("image", "shape", [1, 30000, 30000, 30000, 1])),
        rebuilt(good, members=lambda content: content.update({"header.json": b"[" * (1 << 23)})),
        rebuilt(good, put("codec", {"id": "jpegxl", "effort": 3})),
    ]
    paths = []
    for number, data in enumerate(hostile):
        path = tmp_path / f"{number}.mcz"
        path.write_bytes(data)
        paths.append(str(path))
    script = (
        "import resource, sys\n"
        "from SlicerMedCompressLib.compression import decompress\n"
        "from SlicerMedCompressLib.errors import CorruptFileError\n"
        "import imagecodecs\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sys.argv[1:]:\n"
        "    try: decompress(path)\n"
        "    except CorruptFileError: pass\n"
        "    else: sys.exit(3)\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "scale = 1 if sys.platform == 'darwin' else 1024\n"
        "sys.exit(0 if grown * scale < 200e6 else 4)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script, *paths], env=environment).returncode == 0
