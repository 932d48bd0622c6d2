"""With loss: bounds hold on every voxel, targets are reached, regions stay exact, files say what they are."""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from generated_images import INSTALLED, TYPES, described_head, full_range, head, images, scalar, segmentation, sequence
from hypothesis import given, settings
from hypothesis import strategies as st

from SlicerMedCompressLib.codecs import CODECS
from SlicerMedCompressLib.compression import compress, compress_in_memory, decompress
from SlicerMedCompressLib.container import Reader
from SlicerMedCompressLib.container.guarantee import LOSS_ATTRIBUTE
from SlicerMedCompressLib.errors import (
    CorruptFileError,
    MedCompressError,
    UnreachableTargetError,
    UnsupportedImageError,
    VerificationError,
)
from SlicerMedCompressLib.image import Image, Kind
from SlicerMedCompressLib.targets import BitsPerVoxel, MaxError, MaxRelativeError, Psnr, Ratio

CODED = [name for name in INSTALLED if not CODECS[name].for_labels]
LOSSY = [name for name in CODED if CODECS[name].guarantee != "lossless"]
SMALL = head((12, 40, 44))


def through_memory(image: Image, **how: object) -> tuple[np.ndarray, Reader]:
    data, _ = compress_in_memory(image, **how)  # type: ignore[arg-type]
    return decompress(io.BytesIO(data)).voxels, Reader(io.BytesIO(data))


def largest_error(first: np.ndarray, second: np.ndarray) -> float:
    finite = np.isfinite(first)
    assert np.array_equal(first[~finite], second[~finite], equal_nan=True)
    return float(np.abs(first[finite].astype(float) - second[finite].astype(float)).max(initial=0))


@pytest.mark.parametrize("codec", CODED)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_codec_keeps_a_bound_for_every_type(codec: str, dtype: np.dtype) -> None:
    voxels = head((9, 30, 31), "float64") / 4
    voxels = (voxels - voxels.min() if dtype.kind == "u" else np.clip(voxels, -100, None)).astype(dtype)
    decoded, reader = through_memory(scalar(voxels), codec=codec, target=MaxError(2))
    assert largest_error(voxels, decoded[0, ..., 0]) <= 2
    assert reader.header.guarantee.maximum_error == largest_error(voxels, decoded[0, ..., 0])


@pytest.mark.parametrize("bound", [1, 2, 4, 8])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_the_bounded_preset_keeps_its_bound_on_noise_over_the_full_range(dtype: np.dtype, bound: int) -> None:
    voxels = full_range(dtype)
    if dtype.kind == "f":
        voxels = np.where(np.abs(voxels) < dtype.type(1e38), voxels, dtype.type(7))
        voxels.flat[:3] = [np.nan, np.inf, -np.inf]
    decoded, _ = through_memory(scalar(voxels), target=MaxError(bound))
    assert largest_error(voxels, decoded[0, ..., 0]) <= bound


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("bound", [0.1, 0.01, 1e-4])
def test_a_relative_bound_is_kept_and_zeros_stay_zeros(dtype: np.dtype, bound: float) -> None:
    voxels = SMALL.astype(np.float64) if dtype.kind != "u" else np.maximum(SMALL, 0).astype(np.float64)
    voxels = (np.clip(voxels, -100, 100) if dtype.itemsize == 1 else voxels).astype(dtype)
    voxels[:3] = 0
    decoded, _ = through_memory(scalar(voxels), target=MaxRelativeError(bound))
    original, found = voxels.astype(float), decoded[0, ..., 0].astype(float)
    assert np.all(np.abs(found - original) <= bound * np.abs(original))


@settings(max_examples=40)
@given(image=images(), bound=st.sampled_from([1e-300, 0.5, 1, 3, 1000.0, 1e308]), relative=st.booleans())
def test_any_image_keeps_a_bound_or_is_refused_with_a_reason(image: Image, bound: float, relative: bool) -> None:
    target = MaxRelativeError(min(bound, 0.5)) if relative else MaxError(bound)
    try:
        decoded, reader = through_memory(image, target=target)
    except UnsupportedImageError as error:
        assert image.kind is Kind.LABEL or "too far apart" in str(error)
        return
    with np.errstate(over="ignore", invalid="ignore"):
        original, found = image.voxels.astype(float), decoded.astype(float)
        allowed = bound if not relative else min(bound, 0.5) * np.abs(original)
        kept = np.abs(found - original) <= allowed
    bits = np.dtype(f"u{decoded.dtype.itemsize}")
    assert np.all(kept | (np.ascontiguousarray(image.voxels).view(bits) == decoded.view(bits)))
    reader.verify()


@pytest.mark.parametrize("codec", [None, *CODED])
def test_a_psnr_is_reached_within_three_tenths(codec: str | None) -> None:
    voxels = head((12, 96, 100))
    _, result = compress_in_memory(scalar(voxels), codec=codec, target=Psnr(45))
    assert result.psnr == pytest.approx(45, abs=0.3)
    assert result.whole_encodes <= 8
    assert result.reached == result.psnr


@pytest.mark.parametrize("codec", [None, "jpeg2000", "htj2k", "jpegxl", "jpegls-near", "sperr", "hevc", "zstd"])
@pytest.mark.parametrize("target", [Ratio(8), BitsPerVoxel(2.5)])
def test_a_size_is_reached_within_three_percent(codec: str | None, target: Ratio | BitsPerVoxel) -> None:
    if codec is not None and codec not in INSTALLED:
        pytest.skip(f"{codec} is not installed")
    data, result = compress_in_memory(scalar(head((24, 128, 130))), codec=codec, target=target)
    reached = result.ratio if isinstance(target, Ratio) else result.bits_per_voxel
    assert result.compressed_bytes == len(data)
    assert reached == pytest.approx(target.value, rel=0.03)
    assert result.whole_encodes <= 8


@pytest.mark.parametrize("target", [Psnr(190), Ratio(1e6), BitsPerVoxel(1e-4)])
def test_what_cannot_be_reached_is_told_with_the_nearest(tmp_path: Path, target: Psnr) -> None:
    with pytest.raises(UnreachableTargetError, match=r"the nearest it gives is [\d.e+-]+|no loss at all can"):
        compress(scalar(SMALL), tmp_path / "a.mcz", codec="jpeg", target=target)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", [MaxError(8), Psnr(40), Ratio(12)])
@pytest.mark.parametrize("codec", [None, *LOSSY])
def test_a_region_stays_exact_in_a_lossy_file(codec: str | None, target: MaxError) -> None:
    voxels = head((16, 64, 66))
    exact = np.zeros(voxels.shape, np.bool_)
    exact[6:9, 20:30, 25:33] = True
    try:
        decoded, reader = through_memory(scalar(voxels), codec=codec, target=target, exact=exact)
    except UnreachableTargetError:
        assert isinstance(target, Ratio)
        return
    assert np.array_equal(decoded[0, ..., 0][exact], voxels[exact])
    assert not np.array_equal(decoded[0, ..., 0], voxels)
    assert reader.header.guarantee.exact == np.count_nonzero(exact)
    if isinstance(target, MaxError):
        assert largest_error(voxels, decoded[0, ..., 0]) <= 8


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_region_stays_exact_for_every_type(dtype: np.dtype) -> None:
    voxels = full_range(dtype, (6, 20, 21)) if dtype.kind != "f" else head((6, 20, 21), "float64").astype(dtype)
    exact = np.zeros(voxels.shape, np.bool_)
    exact[2:4, 5:15, 5:15] = True
    decoded, _ = through_memory(scalar(voxels), target=MaxError(20), exact=exact)
    assert decoded[0, ..., 0][exact].tobytes() == voxels[exact].tobytes()


def test_a_region_costs_less_than_keeping_everything() -> None:
    voxels = head((24, 96, 96))
    exact = np.zeros(voxels.shape, np.bool_)
    exact[10:14, 40:56, 40:56] = True
    lossless, _ = compress_in_memory(scalar(voxels))
    region, _ = compress_in_memory(scalar(voxels), target=MaxError(16), exact=exact)
    bounded, _ = compress_in_memory(scalar(voxels), target=MaxError(16))
    assert len(bounded) < len(region) < 0.7 * len(lossless)


def test_frames_share_the_region() -> None:
    image = sequence()
    exact = np.zeros(image.voxels.shape[1:4], np.bool_)
    exact[2, 5:9, 5:9] = True
    decoded, _ = through_memory(image, target=MaxError(30), exact=exact)
    assert np.array_equal(decoded[:, exact], image.voxels[:, exact])


@pytest.mark.parametrize("codec", LOSSY)
def test_a_lossy_codec_without_a_target_is_used_as_it_is_set(codec: str) -> None:
    data, result = compress_in_memory(scalar(SMALL), codec=codec)
    assert result.maximum_error > 0
    assert result.codec.startswith(codec)
    with Reader(io.BytesIO(data)) as reader:
        assert reader.header.guarantee.kind == "lossy"
        assert reader.header.version == 2


def test_everything_but_the_voxels_is_kept(tmp_path: Path) -> None:
    image = described_head()
    compress(image, tmp_path / "a.mcz", target=MaxError(4))
    decoded = decompress(tmp_path / "a.mcz")
    for field in ("geometry", "kind", "name", "quantity", "units", "display"):
        assert getattr(decoded, field) == getattr(image, field), field
    assert {key: decoded.attributes[key] for key in image.attributes} == dict(image.attributes)


def test_what_was_lost_is_told_with_the_image_from_then_on(tmp_path: Path) -> None:
    once, _ = compress_in_memory(scalar(SMALL), target=MaxError(4))
    image = decompress(io.BytesIO(once))
    assert "no voxel differs by more than 4" in image.attributes[LOSS_ATTRIBUTE]
    kept, _ = compress_in_memory(image)
    assert decompress(io.BytesIO(kept)).attributes == image.attributes
    twice, _ = compress_in_memory(image, target=MaxError(9))
    told = decompress(io.BytesIO(twice)).attributes[LOSS_ATTRIBUTE]
    assert told.index("more than 9") < told.index("before that") < told.index("more than 4")


def test_a_box_of_a_lossy_file_is_that_of_the_whole() -> None:
    voxels = head((20, 66, 70))
    exact = voxels > 300
    for codec in ("jpegls", *LOSSY):
        data, _ = compress_in_memory(scalar(voxels), codec=codec, target=MaxError(6), exact=exact)
        whole = decompress(io.BytesIO(data)).voxels
        with Reader(io.BytesIO(data)) as reader:
            assert np.array_equal(reader.read_region(0, (7, 9), (30, 50), (1, 69)), whole[0, 7:9, 30:50, 1:69])


def test_colors_keep_a_bound() -> None:
    rgb = np.stack([SMALL % 251, SMALL % 241, SMALL % 239], axis=-1).astype(np.uint8)[np.newaxis]
    for codec in (None, "jpeg", "jpegls-near"):
        decoded, _ = through_memory(Image(rgb, kind=Kind.COLOR), codec=codec, target=MaxError(3))
        assert largest_error(rgb, decoded) <= 3


def test_what_a_bound_does_not_make_smaller_is_kept_without_loss() -> None:
    slopes = np.round(np.linspace(-40, 40, 960)).reshape(10, 8, 12) * 5.0
    _, result = compress_in_memory(scalar(slopes.astype(np.float32)), codec="zstd", target=MaxError(1))
    assert result.guarantee == "identical to the original"


@pytest.mark.parametrize("codec", CODED)
@pytest.mark.parametrize("factor", [1e29, 1e-30])
def test_floats_of_any_magnitude_reach_a_psnr_or_are_told(codec: str, factor: float) -> None:
    voxels = np.cumsum(np.random.default_rng(0).normal(0, 3, (4, 40, 40)), axis=2) * factor
    try:
        _, result = compress_in_memory(scalar(voxels), codec=codec, target=Psnr(40))
    except UnreachableTargetError:
        return
    assert result.psnr == pytest.approx(40, abs=0.3)


@pytest.mark.parametrize("dtype", [dtype for dtype in TYPES if dtype.kind in "iu" and dtype.itemsize < 4], ids=str)
def test_errors_at_the_ends_of_a_type_do_not_wrap_round(dtype: np.dtype) -> None:
    limits = np.iinfo(dtype)
    random = np.random.default_rng(0)
    voxels = np.where(random.random((6, 40, 40)) < 0.5, limits.max - random.integers(0, 4, (6, 40, 40)), limits.min + 1)
    for codec in CODED:
        decoded, _ = through_memory(scalar(voxels.astype(dtype)), codec=codec, target=MaxError(3))
        assert largest_error(voxels.astype(dtype), decoded[0, ..., 0]) <= 3, codec


def test_a_bound_beyond_what_8_bits_of_jpeg_ls_allow_is_kept() -> None:
    voxels = (SMALL % 256).astype(np.uint8)
    decoded, _ = through_memory(scalar(voxels), codec="jpegls-near", target=MaxError(200))
    assert largest_error(voxels, decoded[0, ..., 0]) <= 200


def test_a_relative_error_is_told_as_a_share(tmp_path: Path) -> None:
    result = compress(scalar(SMALL.astype(np.float32)), tmp_path / "a.mcz", target=MaxRelativeError(0.05))
    assert result.reached is not None
    assert 0.02 < result.reached <= 0.05
    assert result.maximum_error > 1


def test_constant_images_keep_any_target() -> None:
    for target in (MaxError(1), MaxError(1e308), MaxRelativeError(0.1), None):
        for value in (np.int16(-1000), np.float64(1e-40), np.float32(1e30)):
            codec = None if target else "jpeg"
            decoded, _ = through_memory(scalar(np.full((4, 9, 9), value)), target=target, codec=codec)
            assert np.all(decoded == value) or isinstance(target, MaxError)


def test_lossless_files_are_still_of_version_1_and_lossy_ones_of_2(tmp_path: Path) -> None:
    for target, version in ((None, 1), (MaxError(4), 2)):
        compress(scalar(SMALL), tmp_path / "a.mcz", target=target)
        with zipfile.ZipFile(tmp_path / "a.mcz") as archive:
            assert json.loads(archive.read("header.json"))["version"] == version


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"preset": "bounded"}, "needs a target"),
        ({"preset": "lossy"}, "needs a target"),
        ({"preset": "fast", "target": MaxError(2)}, "lossless and takes no target"),
        ({"preset": "bounded", "target": Psnr(40)}, "needs a largest error"),
        ({"exact": np.ones(SMALL.shape, np.bool_)}, "something to lose around it"),
        ({"target": MaxError(2), "exact": np.ones((2, 2, 2), np.bool_)}, "lossless region must be"),
        ({"codec": "jpeg", "target": MaxRelativeError(0.1)}, "cannot keep a relative error"),
        ({"codec": "jpeg:10", "target": MaxError(2)}, "write just jpeg"),
        ({"codec": "jpegxl:9", "target": Psnr(45)}, "write just jpegxl"),
        ({"target": 2}, "A target is MaxError"),
        ({"target": MaxError(2), "exact": np.ones(SMALL.shape, np.uint8)}, "must be a bool array"),
    ],
)
def test_requests_that_do_not_go_together_are_told(how: dict[str, object], told: str) -> None:
    with pytest.raises(UnsupportedImageError, match=told):
        compress_in_memory(scalar(SMALL), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [MaxError, MaxRelativeError, Psnr, Ratio, BitsPerVoxel])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "2"])
def test_targets_are_positive_numbers(kind: type, value: object) -> None:
    with pytest.raises(UnsupportedImageError):
        kind(value)


def test_labels_are_never_coded_with_loss() -> None:
    labels = scalar((SMALL > 100).astype(np.uint8), kind=Kind.LABEL)
    for image in (labels, segmentation()):
        with pytest.raises(UnsupportedImageError, match="must not change"):
            compress_in_memory(image, target=MaxError(1))


def test_a_codec_that_breaks_its_word_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = CODECS["zstd"]
    encode = codec.encode

    def lying(self: object, block: np.ndarray) -> bytes:
        changed = block.copy()
        changed.flat[0] ^= 3
        return encode(self, changed)  # type: ignore[arg-type]

    monkeypatch.setattr(codec, "encode", lying)
    with pytest.raises(VerificationError, match="further from the original than they may"):
        compress(scalar(SMALL), tmp_path / "a.mcz", codec="zstd", target=MaxError(2))
    assert list(tmp_path.iterdir()) == []


def test_damage_on_the_way_to_the_disk_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec, coded, decoded = CODECS["zstd"], [], []
    encode, decode = codec.encode, codec.decode

    def counted(self: object, block: np.ndarray) -> bytes:
        coded.append(1)
        return encode(self, block)  # type: ignore[arg-type]

    def later_wrong(self: object, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        decoded.append(1)
        block = decode(self, payload, shape, dtype).copy()  # type: ignore[arg-type]
        # Each tile is decoded once as it is coded; what comes after is read back from the file.
        if len(decoded) > len(coded):
            block.flat[0] += 1
        return block

    monkeypatch.setattr(codec, "encode", counted)
    monkeypatch.setattr(codec, "decode", later_wrong)
    with pytest.raises((VerificationError, CorruptFileError), match=r"did not decode to|rounds otherwise"):
        compress(scalar(head((20, 60, 60))), tmp_path / "a.mcz", codec="zstd", target=MaxError(2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", [MaxError(2), Psnr(45), Ratio(6)])
@pytest.mark.parametrize("stop", [0.02, 0.1, 0.25, 0.5, 0.9])
def test_cancelling_leaves_nothing(tmp_path: Path, target: MaxError, stop: float) -> None:
    with pytest.raises(MedCompressError, match="Cancelled"):
        compress(scalar(head((40, 100, 100))), tmp_path / "a.mcz", target=target, progress=lambda done, _: done < stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_never_falls(tmp_path: Path) -> None:
    told: list[float] = []
    compress(
        scalar(head((20, 60, 60))), tmp_path / "a.mcz", target=Ratio(6), progress=lambda done, _: told.append(done)
    )
    assert told == sorted(told)
    assert told[-1] == 1


def test_the_result_says_what_was_asked_and_reached(tmp_path: Path) -> None:
    result = compress(scalar(SMALL), tmp_path / "a.mcz", target=MaxError(3))
    assert result.reached == result.maximum_error <= 3
    assert "no voxel differs by more than 3" in str(result)
    assert result.target == "The largest error 3 stored units"
    figures = result.to_json()
    assert figures["psnr"] == result.psnr
    json.dumps(figures, allow_nan=False)
