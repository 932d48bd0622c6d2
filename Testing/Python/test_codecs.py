"""One conformance suite for all codecs: what they take comes back, what is damaged is refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from generated_images import INSTALLED, full_range, head
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from SlicerMedCompressLib.codecs import (
    CODECS,
    Block,
    BlockContext,
    Codec,
    FittedCodec,
    LossyCodec,
    codec_from_config,
    codec_named,
    codec_text,
    describe,
)
from SlicerMedCompressLib.codecs.hevc import Hevc
from SlicerMedCompressLib.codecs.jpeg import Jpeg
from SlicerMedCompressLib.codecs.jpegls_near import JpegLsNear
from SlicerMedCompressLib.codecs.jpegxl import JpegXl
from SlicerMedCompressLib.codecs.stream_headers import jpeg2000_size, jpeg_size, jpegxl_size
from SlicerMedCompressLib.errors import CorruptStreamError, MissingLibraryError, UnsupportedImageError

OTHERWISE_SET = (JpegXl(1), JpegXl(7), JpegLsNear(9), JpegLsNear(200), Jpeg(30), Hevc(30, 10))
INSTANCES: list[Codec] = [
    *(CODECS[name]() for name in INSTALLED),
    *(codec for codec in OTHERWISE_SET if codec.id in INSTALLED),
]
LOSSY = [codec for codec in INSTANCES if isinstance(codec, LossyCodec)]
BOUNDED = [codec for codec in LOSSY if codec.bound is not None]
CASES = [(codec, np.dtype(name)) for codec in INSTANCES for name in sorted(codec.sample_types)]
SHAPES = [(1, 1, 1), (1, 1, 7), (1, 7, 1), (5, 1, 1), (1, 1, 300), (2, 3, 5), (7, 13, 11), (1, 64, 64), (9, 31, 37)]


def name(value: object) -> str:
    return "-".join(str(part) for part in value.config.values()) if isinstance(value, Codec) else str(value)


def taken(codec: Codec, block: np.ndarray) -> np.ndarray:
    """The block with values that the codec takes: lossy ones take finite floats and so many levels of integers."""
    if not isinstance(codec, LossyCodec):
        return block
    if block.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            return np.where(np.abs(block) < 1e30, block, block.dtype.type(1e30))
    return np.minimum(block, block.dtype.type(min(codec.levels - 1, np.iinfo(block.dtype).max)))


def ready(codec: Codec, block: np.ndarray) -> Codec:
    """The codec, fitted to the block if it wants to be."""
    if not isinstance(codec, FittedCodec):
        return codec
    fitted = codec.on_device("numpy").fitted([Block(block, BlockContext())], block.size, int(block.max()))
    # What decodes has nothing but what the file keeps.
    return codec.on_device("numpy").with_model(fitted.model)


def round_trip(codec: Codec, block: np.ndarray) -> None:
    """What goes in comes out as the codec promises: identical, within its bound, or at least of the same shape."""
    block = taken(codec, block)
    codec = ready(codec, block)
    decoded = codec.decode(codec.encode(block), block.shape, block.dtype)
    assert decoded.dtype == block.dtype
    assert decoded.shape == block.shape
    if not isinstance(codec, LossyCodec):
        assert decoded.tobytes() == np.ascontiguousarray(block).tobytes()
    elif codec.bound is not None:
        # What cannot be told apart in the type is no error of the codec.
        slack = 0.0 if block.dtype.kind == "u" else np.spacing(np.abs(block)).astype(np.float64)
        assert np.all(np.abs(decoded.astype(np.float64) - block.astype(np.float64)) <= codec.bound + slack)


@pytest.mark.parametrize(("codec", "dtype"), CASES, ids=name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_noise_over_the_full_range_comes_back(codec: Codec, dtype: np.dtype, shape: tuple[int, int, int]) -> None:
    round_trip(codec, full_range(dtype, shape))


@pytest.mark.parametrize(("codec", "dtype"), CASES, ids=name)
@pytest.mark.parametrize("value", [0, 1, "largest"])
def test_constant_blocks_come_back(codec: Codec, dtype: np.dtype, value: int | str) -> None:
    largest = np.iinfo(dtype).max if dtype.kind in "iu" else np.finfo(dtype).max
    round_trip(codec, np.full((3, 11, 13), largest if value == "largest" else value, dtype))


@pytest.mark.parametrize(("codec", "dtype"), CASES, ids=name)
def test_anatomy_comes_back_and_gets_smaller(codec: Codec, dtype: np.dtype) -> None:
    block = head((8, 64, 64), "uint16").astype(dtype)
    if codec.for_labels:
        block = (block > 100).astype(dtype)
    block = taken(codec, block)
    round_trip(codec, block)
    if codec.id == "rle":
        # Noise has no runs; a mask has.
        block = (block > 4).astype(dtype)
    assert len(ready(codec, block).encode(block)) < 0.95 * block.nbytes


@pytest.mark.parametrize("codec", LOSSY, ids=name)
def test_a_step_loses_about_what_rounding_to_it_would(codec: LossyCodec) -> None:
    dtype = np.dtype("float32" if "float32" in codec.sample_types else "uint16")
    smooth = head((16, 96, 96), "float64")
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    scale = 60000.0 if dtype.kind == "f" else codec.levels - 1.0
    for part in (100, 400):
        step = scale / part
        tuned, factor = codec.with_step(step)
        block = (
            (smooth * scale / factor).astype(dtype) if dtype.kind == "f" else np.rint(smooth * scale / max(factor, 1))
        )
        block = np.minimum(block, codec.levels - 1).astype(dtype) if dtype.kind == "u" else block
        decoded = tuned.decode(tuned.encode(block), block.shape, dtype)
        error = np.sqrt(np.mean((decoded.astype(np.float64) - block) ** 2)) * factor
        assert step / 12**0.5 / 3 < error < step / 12**0.5 * 3


@pytest.mark.parametrize("codec", LOSSY, ids=name)
def test_coarser_steps_make_smaller_streams(codec: LossyCodec) -> None:
    dtype = np.dtype("float32" if "float32" in codec.sample_types else "uint16")
    block = head((16, 64, 64), "uint16").astype(dtype)
    sizes = [len(codec.with_step(step)[0].encode(taken(codec, block))) for step in (4.0, 40.0, 400.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0]


@pytest.mark.parametrize("codec", BOUNDED, ids=name)
@pytest.mark.parametrize("bound", [1.0, 2.49, 40.0])
def test_a_bound_that_a_codec_promises_is_kept(codec: LossyCodec, bound: float) -> None:
    tuned = codec.with_bound(bound)
    assert tuned is not None
    assert tuned.bound is not None
    assert tuned.bound <= bound
    for dtype in sorted(codec.sample_types):
        round_trip(tuned, full_range(np.dtype(np.uint16), (6, 30, 31)).astype(dtype))
        round_trip(tuned, head((6, 30, 31), "uint16").astype(dtype))


@pytest.mark.parametrize("codec", INSTANCES, ids=name)
def test_equal_blocks_give_equal_streams(codec: Codec) -> None:
    block = taken(codec, head((4, 40, 40), "uint16").astype(sorted(codec.sample_types)[0]))
    assert ready(codec, block).encode(block) == ready(codec, block).encode(block.copy())


@pytest.mark.parametrize(("codec", "dtype"), CASES, ids=name)
def test_views_of_any_stride_come_back(codec: Codec, dtype: np.dtype) -> None:
    wide = full_range(dtype, (6, 22, 26))
    round_trip(codec, wide[::2, 1::3, ::-1])
    round_trip(codec, wide.transpose(2, 1, 0))


@pytest.mark.parametrize("codec", INSTANCES, ids=name)
@settings(max_examples=15)
@given(data=st.data())
def test_any_block_comes_back(codec: Codec, data: st.DataObject) -> None:
    dtype = np.dtype(data.draw(st.sampled_from(sorted(codec.sample_types))))
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 20)))
    round_trip(codec, data.draw(stnp.arrays(dtype, shape)))


@pytest.mark.parametrize("codec", INSTANCES, ids=name)
def test_truncated_streams_are_refused_or_give_a_block_of_the_right_shape(codec: Codec) -> None:
    block = damageable(codec)
    codec = ready(codec, block)
    payload = codec.encode(block)
    refused = 0
    for length in [0, 1, 2, 10, len(payload) // 4, len(payload) // 2, len(payload) - 1]:
        refused += _refused(codec, payload[:length], block)
    assert refused >= 4


@pytest.mark.parametrize("codec", INSTANCES, ids=name)
def test_flipped_bits_never_crash_or_change_the_shape(codec: Codec) -> None:
    block = damageable(codec)
    codec = ready(codec, block)
    payload = bytearray(codec.encode(block))
    random = np.random.default_rng(5)
    for position in random.integers(0, len(payload), 150):
        damaged = payload.copy()
        damaged[position] ^= 1 << int(random.integers(8))
        _refused(codec, bytes(damaged), block)


def damageable(codec: Codec) -> np.ndarray:
    """A block that every codec takes, of one of its types."""
    dtype = "uint16" if "uint16" in codec.sample_types else sorted(codec.sample_types)[0]
    return np.ascontiguousarray(head((4, 40, 40), "uint16") // 64).astype(dtype)


def _refused(codec: Codec, payload: bytes, block: np.ndarray) -> bool:
    try:
        decoded = codec.decode(payload, block.shape, block.dtype)
    except CorruptStreamError:
        return True
    assert decoded.shape == block.shape
    assert decoded.dtype == block.dtype
    return False


@pytest.mark.parametrize("codec", INSTANCES, ids=name)
def test_a_stream_of_another_size_is_refused_before_it_is_decoded(codec: Codec) -> None:
    block = np.zeros((2, 30, 31), sorted(codec.sample_types)[0])
    block[0, 0, 0] = 1
    codec = ready(codec, block)
    payload = codec.encode(block)
    for shape in [(2, 30, 30), (1, 30, 31), (4, 30, 31)]:
        with pytest.raises(CorruptStreamError):
            codec.decode(payload, shape, block.dtype)


@pytest.mark.parametrize("codec", INSTANCES, ids=name)
def test_the_config_makes_an_equal_codec(codec: Codec) -> None:
    assert codec_from_config(codec.config) == codec


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"id": 3},
        {"id": "unknown"},
        {"id": "jpegxl"},
        {"id": "jpegxl", "effort": 99},
        {"id": "jpegxl", "effort": "3"},
        {"id": "jpegls", "near": 1},
        {"id": "jpegxl", "effort": True},
    ],
)
def test_a_config_that_is_none_of_ours_is_refused(config: object) -> None:
    with pytest.raises(CorruptStreamError):
        codec_from_config(config)


def test_a_codec_is_named_with_its_settings() -> None:
    assert codec_named("jpegxl:7") == JpegXl(7)
    assert codec_named("hevc:20,depth=10") == Hevc(20, 10)
    assert codec_named("hevc:depth=10") == Hevc(depth=10)


@pytest.mark.parametrize("codec", INSTANCES, ids=name)
def test_what_a_codec_is_called_names_it_again(codec: Codec) -> None:
    assert codec_named(codec_text(codec)) == codec


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gzip", "choose one of"),
        ("jpegls:3", "no setting"),
        ("jpegxl:0", "1 to 9"),
        ("zstd:x", "not a whole number from 1 to 22"),
        ("hevc:2,width=3", "settings qp, depth"),
        ("hevc:depth=9", "10 or 12 bits"),
    ],
)
def test_a_wrong_name_or_knob_is_told(text: str, told: str) -> None:
    with pytest.raises(UnsupportedImageError, match=told):
        codec_named(text)


def test_every_codec_describes_itself() -> None:
    for codec in CODECS.values():
        described = describe(codec)
        assert described["title"]
        assert (described["unavailable"] is None) == (codec.id in INSTALLED)
        assert (described["version"] is None) == (codec.id not in INSTALLED)


def test_this_python_has_the_codecs_it_can_have() -> None:
    missing = set(CODECS) - set(INSTALLED)
    assert missing <= ({"htj2k", "htj2k-lossy", "pcodec", "sz3"} if sys.version_info < (3, 11) else set())


def test_a_library_built_without_the_codec_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JpegXl, "feature", "NO_SUCH_CODEC")
    with pytest.raises(MissingLibraryError, match="pip install --upgrade imagecodecs"):
        JpegXl().encode(np.zeros((1, 2, 2), np.uint8))


def test_a_missing_library_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JpegXl, "module", "no_such_module")
    with pytest.raises(MissingLibraryError, match="pip install imagecodecs"):
        JpegXl().encode(np.zeros((1, 2, 2), np.uint8))
    assert "imagecodecs" in str(describe(JpegXl)["unavailable"])


@pytest.mark.parametrize("reader", [jpeg_size, jpeg2000_size, jpegxl_size])
@settings(max_examples=200)
@given(st.binary(max_size=80))
def test_reading_a_size_from_anything_gives_a_size_or_an_error(reader: object, data: bytes) -> None:
    for start in (b"", b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\x0a"):
        try:
            size = reader(start + data)  # type: ignore[operator]
        except CorruptStreamError:
            continue
        assert len(size) == 3


def test_a_library_that_is_too_old_to_be_safe_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    monkeypatch.setattr(imagecodecs, "sz3_version", lambda: "sz3 3.1.8")
    assert "pip install --upgrade imagecodecs" in str(CODECS["sz3"].unavailable_reason())
