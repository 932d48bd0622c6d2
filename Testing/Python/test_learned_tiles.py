"""Whole tiles of the learned codec: what goes in comes out, and damage is refused or stays within the tile."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from learned_samples import (
    HOOD,
    Shape,
    fitted_model,
    identity_choices,
    random_choices,
    random_weights,
    sensible_weights,
    silent_weights,
    smooth_volume,
    unchanging_model,
)

from SlicerMedCompressLib.errors import CorruptStreamError, EncodingError
from SlicerMedCompressLib.learned import tile_stream
from SlicerMedCompressLib.learned.model import Model
from SlicerMedCompressLib.learned.numpy_backend import NumpyBackend
from SlicerMedCompressLib.learned.tile_codec import decode_tile, encode_tile, tile_bits
from SlicerMedCompressLib.learned.tile_geometry import SLICES_BEFORE
from SlicerMedCompressLib.learned.tile_stream import FEWEST_LANES, MOST_LANES, TileStream
from SlicerMedCompressLib.learned.tile_values import GAIN_BITS, LARGEST_GAIN, TileValues, gains_between

BACKEND = NumpyBackend()
PREFIX = 8
"""Bytes of a payload that tell the shape of the tile and the order of its voxels."""
SHAPES: list[Shape] = [
    (1, 1, 1),
    (1, 1, 29),
    (1, 29, 1),
    (29, 1, 1),
    (1, 2, 2),
    (2, 1, 7),
    (2, 7, 1),
    (3, 2, 5),
    (2, 11, 13),
    (5, 7, 3),
]


def masked(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    inside = smooth_volume(rng, shape, 100, noise=0.0) > 50
    return np.where(inside, rng.integers(900, 1100, shape), 0)


CONTENTS: dict[str, Callable[[np.random.Generator, Shape], np.ndarray]] = {
    "zero": lambda rng, shape: np.zeros(shape, int),
    "full": lambda rng, shape: np.full(shape, 65535),
    "noise": lambda rng, shape: rng.integers(0, 65536, shape),
    "bits": lambda rng, shape: rng.integers(0, 2, shape),
    "smooth": smooth_volume,
    "smooth over the full range": lambda rng, shape: smooth_volume(rng, shape, 65535, 100.0),
    "checkerboard": lambda rng, shape: 65535 * (np.indices(shape).sum(axis=0) % 2),
    "masked": masked,
    "sparse": lambda rng, shape: np.where(rng.random(shape) < 0.01, 65535, 3),
    "slices far apart": lambda rng, shape: rng.integers(0, 2, shape) + 60000 * (np.indices(shape)[0] % 2),
}


def round_trip(
    block: np.ndarray, model: Model, reference: np.ndarray | None = None, slopes: np.ndarray | None = None
) -> bytes:
    payload = encode_tile(block, model, BACKEND, reference, slopes)
    decoded = decode_tile(payload, block.shape, model, BACKEND, reference, slopes)
    assert decoded.dtype == np.uint16
    assert decoded.shape == block.shape
    assert np.array_equal(decoded, block)
    return payload


def parsed(payload: bytes) -> TileStream:
    return TileStream.parse(payload[PREFIX:])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("content", CONTENTS)
def test_tiles_of_any_shape_come_back(shape: Shape, content: str) -> None:
    rng = np.random.default_rng(len(content))
    block = CONTENTS[content](rng, shape).astype(np.uint16)
    round_trip(block, fitted_model(block, rng))
    round_trip(block, fitted_model(block, rng, largest=65535, choices=random_choices(rng), image_voxels=block.size))


@settings(max_examples=40)
@given(st.data())
def test_any_tile_comes_back(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 8), st.integers(1, 8)))
    block = data.draw(stnp.arrays(np.uint16, shape))
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    choices = data.draw(st.sampled_from([identity_choices(), random_choices(rng)]))
    weights = random_weights(rng, data.draw(st.integers(1, 12)), data.draw(st.sampled_from([0, 3, 40, 200])))
    round_trip(block, fitted_model(block, rng, weights=weights, choices=choices))


@pytest.mark.parametrize("content", ["smooth", "masked", "noise"])
def test_tiles_larger_than_what_is_looked_at_at_once_come_back(content: str) -> None:
    rng = np.random.default_rng(1)
    block = CONTENTS[content](rng, (5, 31, 37)).astype(np.uint16)
    round_trip(block, fitted_model(block, rng))


@pytest.mark.parametrize(
    "weights", [silent_weights(), sensible_weights(), random_weights(np.random.default_rng(5), 64, 80)]
)
@pytest.mark.parametrize("seed", range(3))
def test_any_distributions_and_network_serve(weights: object, seed: int) -> None:
    rng = np.random.default_rng(seed)
    block = smooth_volume(rng, (3, 13, 17))
    model = fitted_model(block, rng, weights=weights, choices=random_choices(rng))  # type: ignore[arg-type]
    round_trip(block, model)
    for facts in ([192, -192, 192, -192], [0, 0, 0, 0]):
        round_trip(block, dataclasses.replace(model, facts=np.array(facts)))


def test_a_model_fitted_to_another_image_serves() -> None:
    rng = np.random.default_rng(2)
    model = fitted_model(smooth_volume(rng, (3, 20, 20)), rng, largest=65535)
    for content in CONTENTS.values():
        round_trip(content(rng, (3, 9, 11)).astype(np.uint16), model)


def bits(block: np.ndarray, rng: np.random.Generator, **known: np.ndarray) -> float:
    """Bits a voxel of a tile with what is known beside it."""
    model = fitted_model(block, rng, weights=sensible_weights(), **known)
    return 8 * len(round_trip(block, model, **known)) / block.size


def test_smooth_tiles_get_small_and_noise_hardly_larger_than_it_is() -> None:
    rng = np.random.default_rng(3)
    shape = (4, 40, 40)
    # Rounded normal noise of 2 has 3.05 bits; the first slices and the fit cost the rest.
    assert bits(np.rint(rng.normal(1000, 2, shape)).astype(np.uint16), rng) < 3.6
    assert bits(rng.integers(0, 65536, shape).astype(np.uint16), rng) < 16.8
    assert bits(np.full(shape, 700, np.uint16), rng) < 0.1


@pytest.mark.parametrize("voxels_a_lane", [1, 3, 50, 400])
def test_any_number_of_lanes_serves(voxels_a_lane: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_stream, "VOXELS_A_LANE", voxels_a_lane)
    rng = np.random.default_rng(12)
    block = smooth_volume(rng, (4, 17, 23))
    payload = round_trip(block, fitted_model(block, rng))
    assert parsed(payload).lanes == min(MOST_LANES, max(FEWEST_LANES, block.size // voxels_a_lane))


@pytest.mark.parametrize("content", CONTENTS)
def test_the_length_of_a_payload_is_known_without_making_it(content: str) -> None:
    rng = np.random.default_rng(14)
    block = CONTENTS[content](rng, (3, 14, 15)).astype(np.uint16)
    model = fitted_model(block, rng)
    payload = round_trip(block, model)
    expected = tile_bits(TileValues.of(block, HOOD, model.largest), model, BACKEND)
    assert abs(8 * len(payload) - expected) <= 40 * parsed(payload).lanes + 150


@pytest.mark.parametrize("largest", [0, 1, 2, 65535])
def test_images_of_few_values_come_back(largest: int) -> None:
    rng = np.random.default_rng(13)
    block = rng.integers(0, min(largest, 2) + 1, (3, 9, 12)).astype(np.uint16)
    model = fitted_model(block, rng, largest=largest)
    for choices in (identity_choices(), random_choices(rng)):
        round_trip(block, dataclasses.replace(model, choices=choices))


@pytest.mark.parametrize("shape", [(1, 9, 11), (3, 9, 11), (2, 1, 9)], ids=str)
@pytest.mark.parametrize("content", ["smooth", "noise", "masked", "zero"])
def test_tiles_with_a_frame_before_come_back(shape: Shape, content: str) -> None:
    rng = np.random.default_rng(4)
    block = CONTENTS[content](rng, shape).astype(np.uint16)
    for before in (block, np.zeros_like(block), np.full_like(block, 65535), rng.permuted(block)):
        round_trip(block, fitted_model(block, rng, reference=before), reference=before)


def test_a_frame_before_that_is_like_it_makes_a_tile_smaller() -> None:
    rng = np.random.default_rng(5)
    block = rng.integers(0, 4096, (3, 24, 24)).astype(np.uint16)
    before = np.clip(block.astype(int) + rng.integers(-2, 3, block.shape), 0, 4095).astype(np.uint16)
    assert bits(block, rng, reference=before) < 0.65 * bits(block, rng)


SLOPES = {
    "rising": [0.5, 1.0, 1.7, 2.9],
    "one other": [1.0, 1.0, 3.0, 1.0],
    "zero": [1.0, 0.0, 2.0, 0.0],
    "negative": [-1.0, 2.0, -3.0, 4.0],
    "tiny and huge": [1e-300, 1e300, 1e-12, 1.0],
    "not numbers": [np.nan, 1.0, np.inf, -np.inf],
    "all equal": [2.0, 2.0, 2.0, 2.0],
}


@pytest.mark.parametrize("slopes", SLOPES.values(), ids=SLOPES)
@pytest.mark.parametrize("content", ["smooth", "noise"])
def test_tiles_of_differing_slopes_come_back(slopes: list[float], content: str) -> None:
    rng = np.random.default_rng(6)
    block = CONTENTS[content](rng, (4, 7, 9)).astype(np.uint16)
    chosen = np.array(slopes)
    round_trip(block, fitted_model(block, rng, slopes=chosen), slopes=chosen)
    before = rng.permuted(block)
    round_trip(block, fitted_model(block, rng, reference=before, slopes=chosen), before, chosen)


def test_slopes_that_are_known_make_a_tile_smaller() -> None:
    rng = np.random.default_rng(7)
    slopes = np.array([1.0, 2.0, 0.7, 1.4, 0.9, 3.1, 0.5, 1.3])
    physical = np.repeat(rng.uniform(0, 3000, (1, 24, 24)), 8, axis=0)
    block = np.rint(physical / slopes[:, np.newaxis, np.newaxis]).astype(np.uint16)
    assert bits(block, rng, slopes=slopes) < 0.7 * bits(block, rng)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=6))
def test_gains_of_any_slopes_are_whole_and_limited(slopes: list[float]) -> None:
    found = gains_between(np.array(slopes))
    assert found.shape == (len(slopes), 2)
    assert np.array_equal(found, np.rint(found))
    assert np.all((found >= 0) & (found <= LARGEST_GAIN))
    assert np.all(gains_between(np.ones(len(slopes))) == 1 << GAIN_BITS)


@settings(max_examples=25)
@given(st.integers(0, 1 << 30), st.booleans())
def test_neighbours_in_other_units_agree_with_whole_numbers(seed: int, extreme: bool) -> None:
    rng = np.random.default_rng(seed)
    block = rng.integers(0, 65536, (4, 3, 5)).astype(np.uint16)
    slopes = 2.0 ** rng.uniform(*(-40, 40) if extreme else (-1, 1), 4)
    tile, plain = TileValues.of(block, HOOD, 60000, slopes=slopes), TileValues.of(block, HOOD, 60000)
    everything = slice(0, block.size)
    found, wanted = tile.neighbours(everything).astype(np.int64), plain.neighbours(everything).astype(np.int64)
    part = tile.geometry.order // np.prod(tile.geometry.padded_shape[1:]) - SLICES_BEFORE
    gains = gains_between(slopes).astype(np.int64)[part]
    for column, (back, _, _) in enumerate(HOOD.voxels):
        if back < 0:
            product = (wanted[:, column] * gains[:, -back - 1] + (1 << (GAIN_BITS - 1))) >> GAIN_BITS
            wanted[:, column] = np.minimum(product, 60000)
    assert np.array_equal(found, wanted)


def test_predictions_ahead_are_those_that_planes_give() -> None:
    # The encoder looks at chunks across planes; what lies in them must not depend on where they begin.
    rng = np.random.default_rng(8)
    block = masked(rng, (4, 9, 11)).astype(np.uint16)
    model = fitted_model(block, rng)
    tile = TileValues.of(block, HOOD, model.largest)
    whole = BACKEND.predict(tile, model)
    assert len(whole.centre) == len(whole.level) == block.size
    assert whole.centre.min() >= 0
    assert whole.centre.max() <= 32 * model.largest
    again = BACKEND.predict(TileValues.of(block.copy(), HOOD, model.largest), model)
    assert np.array_equal(whole.centre, again.centre)
    assert np.array_equal(whole.level, again.level)


GOLDEN_PAYLOAD_CHECKSUMS = {
    "alone": (1006, 3906272916),
    "after a frame": (937, 3937507242),
    "of differing slopes": (1276, 3626333164),
}
"""Length and CRC-32 of payloads of an unchanging model: another number means that old files no longer open."""


@pytest.mark.parametrize("kind", GOLDEN_PAYLOAD_CHECKSUMS)
def test_payloads_are_those_that_files_were_written_with(kind: str) -> None:
    random = np.random.RandomState(2)
    steps = random.randint(-9, 10, (4, 11, 13)) + random.randint(0, 200, (4, 1, 13))
    block = np.clip(1500 + np.cumsum(steps - 90, axis=1), 0, 4095).astype(np.uint16)
    block[random.random_sample(block.shape) < 0.02] = 4095
    reference = np.roll(block, 1, axis=2) if kind == "after a frame" else None
    slopes = np.array([1.0, 1.5, 0.75, 3.0]) if kind == "of differing slopes" else None
    payload = round_trip(block, unchanging_model(4095), reference, slopes)
    assert (len(payload), zlib.crc32(payload)) == GOLDEN_PAYLOAD_CHECKSUMS[kind]


def test_equal_tiles_give_equal_streams_whatever_their_type_and_stride() -> None:
    rng = np.random.default_rng(9)
    block = smooth_volume(rng, (3, 8, 9))
    model = fitted_model(block, rng)
    payload = encode_tile(block, model, BACKEND)
    assert encode_tile(block.astype(np.int32), model, BACKEND) == payload
    assert encode_tile(np.asfortranarray(block), model, BACKEND) == payload
    assert encode_tile(np.repeat(block, 2, axis=2)[:, :, ::2], model, BACKEND) == payload


@lru_cache(maxsize=4)
def damageable(seed: int = 10, shape: Shape = (2, 9, 13)) -> tuple[np.ndarray, Model, bytes]:
    """A tile with uncoded bits, escapes and many widths."""
    rng = np.random.default_rng(seed)
    block = np.where(rng.random(shape) < 0.1, rng.integers(0, 60000, shape), smooth_volume(rng, shape)).astype(
        np.uint16
    )
    model = fitted_model(block, rng, weights=random_weights(rng), largest=60000)
    return block, model, round_trip(block, model)


def refused(payload: bytes, block: np.ndarray, model: Model) -> bool:
    """Whether damage is told; if not, there are some voxels that the image could have."""
    try:
        decoded = decode_tile(payload, block.shape, model, BACKEND)
    except CorruptStreamError:
        return True
    assert decoded.shape == block.shape
    assert decoded.dtype == np.uint16
    assert decoded.max() <= model.largest
    return False


def test_flipped_bits_give_an_error_or_voxels_in_range() -> None:
    block, model, payload = damageable()
    rng = np.random.default_rng(11)
    for position in [*range(20), *rng.integers(0, len(payload), 60)]:
        damaged = bytearray(payload)
        damaged[position] ^= 1 << int(rng.integers(8))
        refused(bytes(damaged), block, model)


@settings(max_examples=60)
@given(st.data())
def test_bytes_that_no_encoder_wrote_give_an_error_or_voxels_in_range(data: st.DataObject) -> None:
    block, model, payload = damageable()
    words = data.draw(st.sampled_from([b"\xff", b"\x00", b"\x55\xaa\xff\xff"])) * data.draw(st.integers(0, 2000))
    words = (data.draw(st.binary(max_size=200)) + words)[: 2 * ((len(payload) + 400) // 2)]
    count = data.draw(st.integers(0, len(words) // 2))
    head = payload[:PREFIX] + struct.pack(
        "<BHHI", 1, data.draw(st.integers(1, 1024)), data.draw(st.integers(0, 60000)), count
    )
    refused(head + words, block, model)


def test_every_truncation_is_refused() -> None:
    block, model, payload = damageable(shape=(1, 4, 6))
    for length in range(len(payload)):
        assert refused(payload[:length], block, model)


def test_missing_words_are_refused_even_where_the_header_agrees() -> None:
    block, model, payload = damageable(shape=(2, 5, 6))
    stream = parsed(payload)
    for count in range(len(stream.words)):
        shorter = dataclasses.replace(stream, words=stream.words[:count])
        assert refused(payload[:PREFIX] + shorter.to_bytes(), block, model)


def test_a_first_voxel_above_the_largest_is_refused() -> None:
    block, model, payload = damageable()
    wrong = dataclasses.replace(parsed(payload), first=model.largest + 1)
    assert refused(payload[:PREFIX] + wrong.to_bytes(), block, model)


@pytest.mark.parametrize("shape", [(1, 9, 13), (2, 13, 9), (2, 9, 14), (1, 18, 13), (40, 40, 40)], ids=str)
def test_a_tile_of_another_shape_or_order_is_refused(shape: Shape) -> None:
    _, model, payload = damageable()
    assert refused(payload, np.zeros(shape, np.uint16), model)


@pytest.mark.parametrize("place", range(PREFIX))
def test_a_tile_that_announces_another_shape_or_order_is_refused(place: int) -> None:
    block, model, payload = damageable()
    damaged = bytearray(payload)
    damaged[place] ^= 2
    assert refused(bytes(damaged), block, model)


def test_a_tile_that_is_too_long_to_be_announced_is_told() -> None:
    with pytest.raises(EncodingError, match="65535"):
        encode_tile(np.zeros((1, 1, 65536), np.uint16), unchanging_model(1), BACKEND)
