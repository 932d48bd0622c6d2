"""An image goes into a file and comes back the same, whole or in parts."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from generated_images import LOSSLESS, TYPES, described_head, full_range, head, images, scalar, segmentation, sequence
from hypothesis import given, settings
from mutations import rebuilt

from SlicerMedCompressLib.appearance import Display
from SlicerMedCompressLib.codecs import CODECS
from SlicerMedCompressLib.compression import compress, compress_in_memory, decompress
from SlicerMedCompressLib.container import Reader
from SlicerMedCompressLib.errors import (
    Cancelled,
    CorruptFileError,
    EncodingError,
    MissingLibraryError,
    UnsupportedImageError,
    VerificationError,
)
from SlicerMedCompressLib.image import Image, Kind, same_voxels
from SlicerMedCompressLib.presets import PRESETS
from SlicerMedCompressLib.tiling import Region


def assert_same(first: Image, second: Image) -> None:
    """Voxels bit for bit, and every other field."""
    assert same_voxels(first.voxels, second.voxels)
    for field in (
        "geometry",
        "kind",
        "name",
        "dimension",
        "quantity",
        "units",
        "frame_axis",
        "display",
        "segmentation",
    ):
        assert getattr(first, field) == getattr(second, field), field
    assert dict(first.attributes) == dict(second.attributes)


def through_memory(image: Image, **how: object) -> Image:
    data, _ = compress_in_memory(image, **how)  # type: ignore[arg-type]
    return decompress(io.BytesIO(data))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("make", [described_head, segmentation, sequence])
def test_every_field_of_an_image_comes_back(tmp_path: Path, make: object, preset: str) -> None:
    image = make()  # type: ignore[operator]
    compress(image, tmp_path / "a.mcz", preset=preset)
    assert_same(decompress(tmp_path / "a.mcz"), image)


@pytest.mark.parametrize("codec", [codec for codec in LOSSLESS if codec != "crackle"])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_codec_keeps_the_full_range_of_every_type(codec: str, dtype: np.dtype) -> None:
    image = scalar(full_range(dtype))
    assert_same(through_memory(image, codec=codec), image)


@pytest.mark.parametrize("preset", PRESETS)
@settings(max_examples=40)
@given(image=images())
def test_any_image_comes_back_through_any_preset(preset: str, image: Image) -> None:
    assert_same(through_memory(image, preset=preset), image)


@pytest.mark.parametrize("codec", LOSSLESS)
@settings(max_examples=15)
@given(image=images())
def test_any_image_comes_back_or_is_refused_with_a_reason(codec: str, image: Image) -> None:
    try:
        decoded = through_memory(image, codec=codec)
    except UnsupportedImageError as error:
        assert CODECS[codec].for_labels
        assert "label" in str(error)
    else:
        assert_same(decoded, image)


@pytest.mark.parametrize("preset", PRESETS)
def test_noise_costs_little_more_than_its_samples(preset: str) -> None:
    image = scalar(full_range(np.dtype(np.uint16), (8, 64, 64)))
    data, _ = compress_in_memory(image, preset=preset)
    assert len(data) < image.voxels.nbytes + 2000


def test_constant_volumes_cost_next_to_nothing() -> None:
    data, _ = compress_in_memory(scalar(np.full((64, 200, 200), -1000, np.int16)))
    assert len(data) < 2000


def test_padding_outside_the_field_of_view_costs_little() -> None:
    image = head((16, 200, 200))
    outside = np.hypot(*np.indices((200, 200)) - 99.5) > 95
    padded = np.where(outside, np.int16(-3024), image)
    plain, _ = compress_in_memory(scalar(image))
    masked, _ = compress_in_memory(scalar(padded))
    assert len(masked) < len(plain)


def test_a_view_that_is_not_contiguous_comes_back() -> None:
    image = scalar(head((10, 40, 60))[::2, ::-1, 1::3])
    assert_same(through_memory(image, preset="fast"), image)


def test_equal_images_give_equal_files() -> None:
    assert compress_in_memory(described_head())[0] == compress_in_memory(described_head(), threads=1)[0]


def test_any_box_decodes_without_the_rest() -> None:
    image = scalar(head((30, 150, 170)))
    data, _ = compress_in_memory(image, codec="jpegls")
    random = np.random.default_rng(0)
    with Reader(io.BytesIO(data)) as reader:
        for _ in range(40):
            spans = [tuple(sorted(random.choice(length + 1, 2, replace=False).tolist())) for length in (30, 150, 170)]
            box = reader.read_region(0, *spans)
            assert np.array_equal(box, image.voxels[(0, *(slice(*span) for span in spans))])


def test_a_slice_reads_only_the_tiles_it_needs(tmp_path: Path) -> None:
    compress(scalar(head((64, 128, 128))), tmp_path / "a.mcz", codec="jpegls")
    with Reader(tmp_path / "a.mcz") as reader:
        taken: list[str] = []
        read = reader._archive.read
        reader._archive.read = lambda name, *rest: taken.append(name) or read(name, *rest)  # type: ignore[method-assign,func-returns-value]
        reader.read_region(0, (20, 21))
        assert reader.header.grid.slabs > 2
        (slab,) = reader.header.grid.slabs_touching(Region(0, (20, 21), (0, 128), (0, 128)))
    assert set(taken) == {f"tiles/{slab:06d}"}


def test_a_frame_decodes_without_the_others() -> None:
    image = sequence()
    data, _ = compress_in_memory(image)
    with Reader(io.BytesIO(data)) as reader:
        assert np.array_equal(reader.read_region(2), image.voxels[2])


@pytest.mark.parametrize("box", [(1, None), (-1, None), (0, (3, 3)), (0, (0, 99)), (0, (-1, 2))])
def test_a_box_outside_the_image_is_refused(box: tuple) -> None:
    data, _ = compress_in_memory(scalar(head((6, 9, 9))))
    with Reader(io.BytesIO(data)) as reader, pytest.raises(IndexError):
        reader.read_region(*box)


def test_the_file_is_a_plain_zip_of_stored_members(tmp_path: Path) -> None:
    compress(described_head(), tmp_path / "a.mcz")
    with zipfile.ZipFile(tmp_path / "a.mcz") as archive:
        assert archive.testzip() is None
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        header = json.loads(archive.read("header.json"))
    assert header["version"] == 1
    assert header["image"]["origin"] == list(described_head().geometry.origin)


def test_the_result_has_figures_and_reads_as_a_line(tmp_path: Path) -> None:
    result = compress(scalar(head()), tmp_path / "a.mcz", codec="jpegls")
    assert result.compressed_bytes == (tmp_path / "a.mcz").stat().st_size
    assert result.ratio == pytest.approx(result.original_bytes / result.compressed_bytes)
    assert result.bits_per_voxel == pytest.approx(16 / result.ratio)
    assert "identical to the original" in str(result)
    assert "jpegls" in str(result)


def test_progress_rises_to_one_and_names_its_stages(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    compress(scalar(head((40, 200, 200))), tmp_path / "a.mcz", progress=lambda *step: told.append(step))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert {"Looking at the voxels", "Choosing a codec", "Verifying"} <= {stage for _, stage in told}


@pytest.mark.parametrize("stage", ["Looking", "Choosing", "Compressing", "Verifying"])
def test_cancelling_at_any_stage_leaves_the_old_file(tmp_path: Path, stage: str) -> None:
    target = tmp_path / "a.mcz"
    target.write_bytes(b"old")
    with pytest.raises(Cancelled):
        compress(scalar(head((40, 100, 100))), target, progress=lambda _, told: not told.startswith(stage))
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_cancelling_a_load_ends_it() -> None:
    data, _ = compress_in_memory(scalar(head((40, 100, 100))))
    with pytest.raises(Cancelled):
        decompress(io.BytesIO(data), progress=lambda fraction, _: fraction < 0.5)


def test_a_codec_that_lies_is_caught_before_the_file_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = CODECS["zstd"]
    encode = codec.encode

    def lying(self: object, block: np.ndarray) -> bytes:
        changed = block.copy()
        changed.flat[0] ^= 1
        return encode(self, changed)  # type: ignore[arg-type]

    monkeypatch.setattr(codec, "encode", lying)
    with pytest.raises(VerificationError, match="did not decode to the original"):
        compress(scalar(head()), tmp_path / "a.mcz", codec="zstd")
    assert list(tmp_path.iterdir()) == []


def test_a_codec_for_labels_refuses_anatomy_before_work_starts(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="for label volumes"):
        compress(scalar(head()), tmp_path / "a.mcz", codec="crackle")
    assert list(tmp_path.iterdir()) == []


def test_a_preset_without_one_library_uses_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CODECS["crackle"], "module", "no_such_module")
    labels = scalar((head() > 100).astype(np.uint8), kind=Kind.LABEL)
    _, result = compress_in_memory(labels)
    assert not result.codec.startswith("crackle")


def test_a_file_whose_library_is_missing_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = scalar((head() > 100).astype(np.uint8), kind=Kind.LABEL)
    data, _ = compress_in_memory(labels, codec="crackle")
    monkeypatch.setattr(CODECS["crackle"], "module", "no_such_module")
    with pytest.raises(MissingLibraryError, match="pip install crackle-codec"):
        decompress(io.BytesIO(data))


def test_preset_and_codec_together_are_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="not both"):
        compress_in_memory(scalar(head()), preset="fast", codec="zstd")


def test_an_unknown_preset_is_told() -> None:
    with pytest.raises(UnsupportedImageError, match="choose one of"):
        compress_in_memory(scalar(head()), preset="best")


@pytest.mark.parametrize("shape", [(256, 256, 1), (512, 512, 2), (70000, 2, 2), (1, 70000, 3), (2, 1, 70000)])
@pytest.mark.parametrize(
    "how",
    [{"preset": "fast"}, {"preset": "balanced"}, *({"codec": codec} for codec in LOSSLESS if codec != "crackle")],
)
def test_long_and_narrow_volumes_come_back(shape: tuple[int, int, int], how: dict[str, str]) -> None:
    image = scalar(np.random.default_rng(0).integers(0, 1000, shape).astype(np.int16))
    assert_same(through_memory(image, **how), image)


def test_a_codec_that_fails_on_samples_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> bytes:
        raise EncodingError("no")

    monkeypatch.setattr(CODECS["jpegxl"], "encode", failing)
    _, result = compress_in_memory(scalar(head()))
    assert not result.codec.startswith("jpegxl")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a\0b"},
        {"name": "\ud800"},
        {"attributes": {"a": 5}},
        {"attributes": {"a": "x" * (1 << 24)}},
        {"display": Display(window=np.inf)},
    ],
)
def test_a_description_that_no_reader_would_take_is_refused_before_the_file_is_replaced(
    tmp_path: Path, fields: dict
) -> None:
    (tmp_path / "a.mcz").write_bytes(b"old")
    with pytest.raises(UnsupportedImageError, match=r"cannot be kept|more than a \.mcz keeps"):
        compress(scalar(head((2, 5, 6)), **fields), tmp_path / "a.mcz", verify=False)
    assert (tmp_path / "a.mcz").read_bytes() == b"old"


def test_verifying_a_file_checks_its_hash_without_holding_it() -> None:
    data, _ = compress_in_memory(sequence(), codec="jpegls")
    with Reader(io.BytesIO(data)) as reader:
        reader.verify()
    wrong = rebuilt(data, lambda header: header.update(voxel_sha256="0" * 64))
    with Reader(io.BytesIO(wrong)) as reader, pytest.raises(CorruptFileError, match="SHA-256"):
        reader.verify()
