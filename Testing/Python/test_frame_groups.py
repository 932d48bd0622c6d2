"""Frames coded after other frames: exactly, never larger, in any order, and with few others decoded."""

from __future__ import annotations

import io

import numpy as np
import pytest
from generated_images import LOSSLESS, head, scalar
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from mutations import rebuilt

from SlicerMedCompressLib import compression, lossy_choice
from SlicerMedCompressLib.codecs import CODECS
from SlicerMedCompressLib.codecs.frame_prediction import TAPS, fitted_weights, predicted
from SlicerMedCompressLib.codecs.zstandard import Zstandard
from SlicerMedCompressLib.compression import compress_in_memory, decompress
from SlicerMedCompressLib.container import Plan, Reader
from SlicerMedCompressLib.container.frame_coding import decode_after, encode_after
from SlicerMedCompressLib.container.frame_order import FrameOrder
from SlicerMedCompressLib.errors import CorruptFileError, CorruptStreamError
from SlicerMedCompressLib.image import FrameAxis, Image, same_voxels
from SlicerMedCompressLib.targets import MaxError

SAMPLES = [np.dtype(name) for name in ("uint8", "uint16", "uint32")]


def sequence_of(voxels: np.ndarray) -> Image:
    """An image from (frame, slice, row, column)."""
    axis = FrameAxis(tuple(map(str, range(len(voxels)))))
    return Image(voxels[..., np.newaxis], dimension=4, frame_axis=axis)


def beating(frames: int = 9, shape: tuple[int, int, int] = (3, 40, 44)) -> np.ndarray:
    """A still head of texture under a little noise of each frame's own, growing and shrinking in brightness."""
    random = np.random.default_rng(5)
    still = head(shape, "float64") + random.normal(0, 40, shape)
    found = [still * (1 + 0.1 * np.sin(frame)) + random.normal(0, 2, shape) for frame in range(frames)]
    return np.stack(found).astype(np.int16)


def alone(image: Image, monkeypatch: pytest.MonkeyPatch, **how: object) -> bytes:
    """The file with each frame on its own."""

    def each_alone(image: Image, plan: Plan) -> Plan:
        return plan

    with monkeypatch.context() as context:
        for module in (compression, lossy_choice):
            context.setattr(module, "in_groups", each_alone)
        return compress_in_memory(image, **how)[0]  # type: ignore[arg-type]


@given(frames=st.integers(1, 60), group=st.sampled_from([1, 2, 4, 8, 16]), frame=st.integers(0, 59))
def test_a_frame_needs_few_others_and_never_itself(frames: int, group: int, frame: int) -> None:
    order = FrameOrder(frames, group, hierarchical=True)
    frame %= frames
    assert all(0 <= reference < frames and reference != frame for reference in order.references(frame))
    # The two ends of its group, and one more a level of the hierarchy.
    assert len(order.needed(frame)) <= 2 + (group - 1).bit_length()
    assert frame in order.needed(frame)


def test_a_chain_needs_all_before_in_its_group() -> None:
    order = FrameOrder(20, 8)
    assert order.references(8) == ()
    assert order.references(13) == (12,)
    assert order.needed(13) == {8, 9, 10, 11, 12, 13}


@settings(max_examples=60)
@given(data=st.data(), dtype=st.sampled_from(SAMPLES), count=st.integers(1, 2))
def test_any_block_comes_back_after_any_others(data: st.DataObject, dtype: np.dtype, count: int) -> None:
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)))
    block, *references = (data.draw(stnp.arrays(dtype, shape)) for _ in range(count + 1))
    payload = encode_after(Zstandard(1), block, references)
    if payload is not None:
        decoded = decode_after(Zstandard(1), payload, references)
        assert decoded.dtype == block.dtype
        np.testing.assert_array_equal(decoded, block)


@pytest.mark.parametrize("dtype", SAMPLES)
def test_values_at_both_ends_of_the_type_do_not_overflow(dtype: np.dtype) -> None:
    largest = np.iinfo(dtype).max
    random = np.random.default_rng(1)
    block = random.choice(np.array([0, largest], dtype), (2, 30, 31))
    near = np.where(random.random(block.shape) < 0.02, largest - block, block).astype(dtype)
    payload = encode_after(Zstandard(1), block, [near, near])
    assert payload is not None
    np.testing.assert_array_equal(decode_after(Zstandard(1), payload, [near, near]), block)


def test_a_prediction_is_the_sum_of_weighted_taps() -> None:
    reference = np.arange(2 * 4 * 5, dtype=np.uint16).reshape(2, 4, 5) ** 2
    weights = np.array([[1000, -200, 300, 44, 5, 600]], np.int16)
    row, column = 2, 3
    at = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
    taps = [int(reference[1, row + down, column + right]) for down, right in at]
    taps.append(sum(int(reference[1, row + down, column + right]) for down in (-1, 1) for right in (-1, 1)))
    expected = (2048 + sum(int(weight) * tap for weight, tap in zip(weights[0], taps, strict=True))) >> 12
    assert predicted([reference], weights)[1, row, column] == expected


def test_a_repeated_frame_takes_a_few_bytes() -> None:
    block = beating(1).astype(np.uint16)[0]
    payload = encode_after(Zstandard(1), block, [block])
    assert payload is not None
    assert len(payload) == 1 + 2 * TAPS + 8


def test_frames_that_have_nothing_to_do_with_one_another_are_not_tried() -> None:
    first, second = np.random.default_rng(2).integers(0, 1000, (2, 4, 60, 60)).astype(np.uint16)
    assert fitted_weights(first, [second]) is None
    assert encode_after(Zstandard(1), first, [second]) is None
    assert fitted_weights(first, [(first // 2 + second // 9).astype(np.uint16)]) is not None


@pytest.mark.parametrize("codec", [name for name in LOSSLESS if name not in ("causal", "crackle")])
def test_every_lossless_codec_brings_a_sequence_back(codec: str) -> None:
    image = sequence_of(beating(6))
    if CODECS[codec].for_labels:
        pytest.skip("for labels")
    data, _ = compress_in_memory(image, codec=codec)
    assert same_voxels(decompress(io.BytesIO(data)).voxels, image.voxels)
    with Reader(io.BytesIO(data)) as reader:
        for frame in (5, 1, 2):
            assert same_voxels(reader.read_region(frame, rows=(3, 17)), image.voxels[frame, :, 3:17])


def test_a_sequence_that_moves_little_gets_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    image = sequence_of(beating(9))
    for how in ({"codec": "jpegls"}, {"preset": "fast"}, {"preset": "balanced"}):
        assert len(compress_in_memory(image, **how)[0]) < 0.9 * len(alone(image, monkeypatch, **how))


def test_frames_of_noise_take_no_more_than_frame_by_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    image = sequence_of(np.random.default_rng(0).integers(-900, 900, (6, 3, 40, 40)).astype(np.int16))
    grouped, each = compress_in_memory(image, codec="jpegls")[0], alone(image, monkeypatch, codec="jpegls")
    # The header says that there are groups.
    assert len(grouped) <= len(each) + 20


def test_a_bound_is_kept_after_other_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    image = sequence_of(beating(6))
    data, _ = compress_in_memory(image, preset="bounded", target=MaxError(3))
    assert np.abs(decompress(io.BytesIO(data)).voxels.astype(int) - image.voxels).max() == 3
    assert len(data) < len(alone(image, monkeypatch, preset="bounded", target=MaxError(3)))


def test_one_frame_decodes_no_more_than_four(monkeypatch: pytest.MonkeyPatch) -> None:
    image = sequence_of(beating(20))
    data, _ = compress_in_memory(image, codec="jpegls")
    for frame in range(20):
        with Reader(io.BytesIO(data)) as reader:
            read: list[int] = []
            stored = reader._stored

            def counted(slab: int, number: int, stored=stored, read=read):  # type: ignore[no-untyped-def]
                read.append(slab)
                return stored(slab, number)

            monkeypatch.setattr(reader, "_stored", counted)
            assert same_voxels(reader.read_region(frame), image.voxels[frame])
            assert len(set(read)) <= 4


@pytest.mark.parametrize("group", [0, 3, 32, -4, True, "4", None, 4.0])
def test_an_impossible_group_is_refused(group: object) -> None:
    good = compress_in_memory(sequence_of(beating(5)), codec="jpegls")[0]
    with pytest.raises(CorruptFileError):
        Reader(io.BytesIO(rebuilt(good, lambda header: header.update(group=group))))


def test_a_block_that_claims_to_follow_others_where_there_are_none_is_refused() -> None:
    good = compress_in_memory(scalar(head((3, 20, 20))), codec="jpegls")[0]

    def claim(header: dict) -> None:
        header["tiles"][0][0].append(2)

    with pytest.raises(CorruptFileError, match="follows other frames"):
        decompress(io.BytesIO(rebuilt(good, claim)))


@given(payload=st.binary(max_size=60))
def test_a_hostile_payload_is_an_error_or_a_block(payload: bytes) -> None:
    references = [np.full((2, 3, 4), 7, np.uint16)]
    try:
        block = decode_after(Zstandard(1), payload, references)
    except CorruptStreamError:
        return
    assert block.shape == (2, 3, 4)
    assert block.dtype == np.uint16
