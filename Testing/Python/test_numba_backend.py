"""The numba backend gives the integers of the numpy backend, for any tile, model and stream."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from backend_comparison import NUMPY, assert_same, decoded, outcome, stream_of
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_samples import (
    HOOD,
    INPUTS,
    Shape,
    fitted_model,
    random_choices,
    random_weights,
    sensible_weights,
    silent_weights,
    smooth_volume,
)

pytest.importorskip("numba", reason="numba is not installed")

from SlicerMedCompressLib.errors import CorruptStreamError
from SlicerMedCompressLib.learned import numba_compiling, tile_stream
from SlicerMedCompressLib.learned.backends import backend_for
from SlicerMedCompressLib.learned.distributions import ESCAPE, WIDTH_LEVELS
from SlicerMedCompressLib.learned.model import Model
from SlicerMedCompressLib.learned.network import EXACT, OUTPUTS, SIDE, WEIGHT_BITS, NetworkWeights
from SlicerMedCompressLib.learned.numba_backend import NumbaBackend
from SlicerMedCompressLib.learned.range_coder import LOW, PRECISION, STATE, WORD
from SlicerMedCompressLib.learned.scales import INPUT_LIMIT
from SlicerMedCompressLib.learned.tile_codec import encode_tile
from SlicerMedCompressLib.learned.tile_geometry import tile_geometry
from SlicerMedCompressLib.learned.tile_stream import FEWEST_LANES, TileStream
from SlicerMedCompressLib.learned.tile_values import TileValues

NUMBA = NumbaBackend()
SHAPES: list[Shape] = [
    (1, 1, 1),
    (1, 1, 17),
    (1, 17, 1),
    (17, 1, 1),
    (1, 2, 3),
    (2, 3, 1),
    (1, 31, 29),
    (3, 7, 19),
    (5, 13, 11),
    (2, 3, 101),
    (2, 101, 3),
]
CONTENTS = ("constant", "greatest", "noise", "few values", "smooth", "rough", "spikes")
EDGE = EXACT - (1 << (WEIGHT_BITS - 1)) - 1
"""No sum of a network may exceed this."""
LAST_LEVEL_WITHOUT_LOW_BITS = 27


def block_of(content: str, rng: np.random.Generator, shape: Shape) -> np.ndarray:
    if content == "constant":
        return np.full(shape, 321, np.uint16)
    if content == "greatest":
        return np.full(shape, 65535, np.uint16)
    if content == "noise":
        return rng.integers(0, 65536, shape, dtype=np.uint16)
    if content == "few values":
        return rng.integers(0, 2, shape, dtype=np.uint16)
    if content == "spikes":
        return np.where(rng.random(shape) < 0.03, 65535, rng.integers(0, 9, shape)).astype(np.uint16)
    return smooth_volume(rng, shape, *((4095, 3.0) if content == "smooth" else (65535, 800.0)))


def limiting_weights(rng: np.random.Generator, hidden: int) -> NetworkWeights:
    """Weights that reach the largest sums that are allowed: all of one sign, or of signs by chance."""
    first, second = EDGE // (INPUT_LIMIT * (INPUTS + SIDE)), EDGE // (255 * hidden)
    head, skip = EDGE // (4 * 255 * hidden), EDGE // (2 * INPUT_LIMIT * (INPUTS + SIDE))

    def whole(size: int, *shape: int) -> np.ndarray:
        found = np.full(shape, size, np.int32)
        found[:, ::2] *= rng.choice([-1, 1], found[:, ::2].shape).astype(np.int32)
        return found

    def bias(count: int) -> np.ndarray:
        return np.zeros(count, np.int32)

    return NetworkWeights(
        whole(first, INPUTS + SIDE, hidden),
        bias(hidden),
        whole(second, hidden, hidden),
        bias(hidden),
        whole(head, hidden, OUTPUTS),
        bias(OUTPUTS),
        whole(skip, INPUTS + SIDE, OUTPUTS),
    )


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_numba_predicts_encodes_and_decodes_what_numpy_does(shape: Shape, content: str) -> None:
    rng = np.random.default_rng(sum(shape))
    block = block_of(content, rng, shape)
    assert_same(NUMBA, block, fitted_model(block, rng, choices=random_choices(rng)))


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 7), (3, 1, 1), (4, 9, 23)], ids=str)
def test_a_frame_before_helps_numba_as_it_does_numpy(shape: Shape, content: str) -> None:
    rng = np.random.default_rng(1)
    block = block_of(content, rng, shape)
    reference = np.where(rng.random(shape) < 0.5, block, rng.integers(0, 65536, shape)).astype(np.uint16)
    assert_same(NUMBA, block, fitted_model(block, rng, reference=reference), reference)


@pytest.mark.parametrize("with_reference", [False, True])
@pytest.mark.parametrize("slopes", [[1, 2, 3, 4, 5], [1e-3, 7, 1e-3, 7, 0.02], [0, 1, np.nan, np.inf, -2]], ids=str)
@pytest.mark.parametrize("content", CONTENTS)
def test_slopes_of_slices_change_what_numba_sees_as_for_numpy(
    content: str, slopes: list[float], with_reference: bool
) -> None:
    rng = np.random.default_rng(2)
    block = block_of(content, rng, (5, 7, 18))
    reference = block_of("smooth", rng, block.shape) if with_reference else None
    given = np.array(slopes, np.float64)
    assert_same(NUMBA, block, fitted_model(block, rng, reference=reference, slopes=given), reference, given)


@pytest.mark.parametrize("hidden", [1, 4, 8, 13, 64])
@pytest.mark.parametrize("content", CONTENTS)
def test_networks_of_any_width_and_size_of_weights_are_exact(content: str, hidden: int) -> None:
    rng = np.random.default_rng(hidden)
    block = block_of(content, rng, (4, 9, 20))
    for weights in (random_weights(rng, hidden, 200), limiting_weights(rng, hidden)):
        weights.check()
        assert_same(NUMBA, block, fitted_model(block, rng, weights=weights))


@pytest.mark.parametrize("seed", range(5))
def test_linear_predictions_may_be_as_wild_as_a_file_can_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    block = block_of("noise" if seed % 2 else "smooth", rng, (4, 11, 17))
    model = fitted_model(block, rng)
    wild = tuple(
        dataclasses.replace(
            fitted,
            thresholds=np.sort(rng.integers(0, 1 << (10 if seed % 2 else 24), 2)).astype(np.float64),
            coefficients=rng.integers(-(1 << 20), 1 << 20, fitted.coefficients.shape, dtype=np.int32),
        )
        for fitted in model.sets
    )
    assert_same(NUMBA, block, dataclasses.replace(model, sets=wild))


@pytest.mark.parametrize("largest", [0, 1, 255, 40000])
def test_the_greatest_value_bounds_numba_as_it_does_numpy(largest: int) -> None:
    rng = np.random.default_rng(largest)
    block = rng.integers(0, largest + 1, (3, 8, 21), dtype=np.uint16)
    assert_same(NUMBA, block, fitted_model(block, rng, largest=largest))


@pytest.mark.parametrize("voxels_a_lane", [1, 3, 50, 400])
@pytest.mark.parametrize("content", CONTENTS)
def test_any_number_of_lanes_gives_the_stream_of_numpy(
    content: str, voxels_a_lane: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tile_stream, "VOXELS_A_LANE", voxels_a_lane)
    rng = np.random.default_rng(3)
    block = block_of(content, rng, (4, 17, 23))
    assert_same(NUMBA, block, fitted_model(block, rng, choices=random_choices(rng)))


def model_without_context() -> Model:
    """A model that expects the same of every voxel: some value from 0 on, in bins of one value."""
    block = np.arange(200, dtype=np.uint16).reshape(2, 10, 10)
    model = fitted_model(block, np.random.default_rng(0), weights=silent_weights(), largest=65535)
    sets = tuple(dataclasses.replace(fitted, coefficients=np.zeros_like(fitted.coefficients)) for fitted in model.sets)
    return dataclasses.replace(model, sets=sets, choices=np.tile([[LAST_LEVEL_WITHOUT_LOW_BITS, 0]], (WIDTH_LEVELS, 1)))


class OpenLane:
    """A lane of the range coder, to choose symbols that leave open whether a carry comes."""

    def __init__(self) -> None:
        self.low, self.range = 0, 1 << STATE

    @property
    def crossing(self) -> int | None:
        """The target at which a carry begins, if there is one."""
        target, rest = divmod((1 << STATE) - self.low, self.range >> PRECISION)
        return target if rest and target < 1 << PRECISION else None

    def take(self, start: int, size: int) -> None:
        part = self.range >> PRECISION
        self.low, self.range = (self.low + part * start) % (1 << STATE), part * size
        if self.range < LOW:
            self.low, self.range = (self.low << WORD) % (1 << STATE), self.range << WORD


def block_of_open_carries(model: Model, shape: Shape) -> np.ndarray:
    """A tile whose words leave open almost to its end whether carries come; then they do in every other lane."""
    rng, table, geometry = np.random.default_rng(0), model.table, tile_geometry(shape, HOOD)
    located = table.locate(np.zeros(1, int), np.zeros(1, int), model.largest)
    lowest, values = int(located.lowest[0]), geometry.blank(0)
    lanes, closed = [OpenLane() for _ in range(FEWEST_LANES)], [False] * FEWEST_LANES
    for plane, (first, last) in enumerate(pairwise(geometry.plane_starts)):
        for place in range(first, last):
            number = (place - first) % FEWEST_LANES
            target = None if closed[number] else lanes[number].crossing
            symbol = table.symbols(located, rng.integers(1 << PRECISION, size=1) if target is None else target)
            if plane > 0.9 * geometry.planes and target is not None and lowest < symbol[0] < ESCAPE:
                symbol[0], closed[number] = ESCAPE if number % 2 else lowest, True
            lanes[number].take(*(int(part[0]) for part in table.intervals(located, symbol)))
            values[geometry.order[place]] = model.largest if symbol[0] == ESCAPE else located.origin[0] + symbol[0]
    assert closed[:3] == [True] * 3
    return geometry.unpadded(values).astype(np.uint16)


def test_carries_run_through_the_words_of_their_lanes_as_with_numpy() -> None:
    model = model_without_context()
    block = block_of_open_carries(model, (1, 3, 2500))
    assert_same(NUMBA, block, model)
    words = NUMBA.encode(TileValues.of(block, HOOD, model.largest), model).words
    assert np.count_nonzero(words == 0) > 300
    assert np.count_nonzero(words == 0xFFFF) > 300


DAMAGED_BLOCK = smooth_volume(np.random.default_rng(5), (3, 11, 13), 3000, 9.0)
DAMAGED_MODEL = fitted_model(DAMAGED_BLOCK, np.random.default_rng(6), weights=sensible_weights())
DAMAGED_STREAM = stream_of(encode_tile(DAMAGED_BLOCK, DAMAGED_MODEL, NUMPY))


@given(data=st.data())
@settings(max_examples=40)
def test_damage_does_to_numba_what_it_does_to_numpy(data: st.DataObject) -> None:
    words, low_bits = DAMAGED_STREAM.words.copy(), DAMAGED_STREAM.low_bits.copy()
    for _ in range(data.draw(st.integers(0, 4))):
        words[data.draw(st.integers(0, len(words) - 1))] ^= 1 << data.draw(st.integers(0, 15))
    if len(low_bits):
        low_bits[data.draw(st.integers(0, len(low_bits) - 1))] ^= data.draw(st.integers(0, 255))
    words = words[: data.draw(st.one_of(st.just(len(words)), st.integers(0, len(words))))]
    low_bits = low_bits[: data.draw(st.one_of(st.just(len(low_bits)), st.integers(0, len(low_bits))))]
    stream = TileStream(DAMAGED_STREAM.lanes, data.draw(st.integers(0, DAMAGED_MODEL.largest)), words, low_bits)
    expected = outcome(NUMPY, stream, DAMAGED_BLOCK.shape, DAMAGED_MODEL)
    assert outcome(NUMBA, stream, DAMAGED_BLOCK.shape, DAMAGED_MODEL) == expected


@pytest.mark.parametrize("fill", ["chance", "zeros", "ones", "ones at first"])
@pytest.mark.parametrize("lanes", [1, 3, 4, 1024])
def test_bytes_that_never_were_a_stream_decode_alike(lanes: int, fill: str) -> None:
    rng = np.random.default_rng(lanes)
    block = block_of("noise", rng, (3, 10, 12))
    model = fitted_model(block, rng, choices=random_choices(rng), reference=block)
    for size in (0, 1, 3 * lanes, 3 * lanes + 40, 6000):
        words = rng.integers(0, 1 << 16, size, dtype=np.uint16)
        if fill != "chance":
            words[: size // 2 if fill == "ones at first" else size] = 0 if fill == "zeros" else 65535
        stream = TileStream(lanes, 7, words, rng.integers(0, 256, 2000, dtype=np.uint8))
        for reference in (None, block):
            expected = outcome(NUMPY, stream, block.shape, model, reference)
            assert outcome(NUMBA, stream, block.shape, model, reference) == expected


def test_a_stream_that_ends_too_early_is_refused() -> None:
    short = dataclasses.replace(DAMAGED_STREAM, words=DAMAGED_STREAM.words[:20])
    with pytest.raises(CorruptStreamError, match="ends too early"):
        decoded(NUMBA, short, DAMAGED_BLOCK.shape, DAMAGED_MODEL)


def test_models_and_slopes_that_do_not_fit_a_tile_are_refused() -> None:
    shape = DAMAGED_BLOCK.shape
    for model, slopes in (
        (DAMAGED_MODEL, np.array([1.0, 2.0])),
        (dataclasses.replace(DAMAGED_MODEL, choices=DAMAGED_MODEL.choices[:5]), None),
        (dataclasses.replace(DAMAGED_MODEL, weights=random_weights(np.random.default_rng(0), inputs=5)), None),
        (dataclasses.replace(DAMAGED_MODEL, sets=DAMAGED_MODEL.sets[:2]), None),
    ):
        with pytest.raises(ValueError, match=r"model|slopes"):
            decoded(NUMBA, DAMAGED_STREAM, shape, model, None, slopes)
        with pytest.raises(ValueError, match=r"model|slopes"):
            NUMBA.encode(TileValues.of(DAMAGED_BLOCK, HOOD, model.largest, None, slopes), model)


def test_threads_encode_and_decode_side_by_side() -> None:
    payload = encode_tile(DAMAGED_BLOCK, DAMAGED_MODEL, NUMPY)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(decoded, NUMBA, DAMAGED_STREAM, DAMAGED_BLOCK.shape, DAMAGED_MODEL) for _ in range(16)]
        payloads = [pool.submit(encode_tile, DAMAGED_BLOCK, DAMAGED_MODEL, NUMBA) for _ in range(16)]
        assert all(np.array_equal(job.result(), DAMAGED_BLOCK) for job in jobs)
        assert all(job.result() == payload for job in payloads)


def test_functions_compile_where_there_is_no_place_to_keep_them(monkeypatch: pytest.MonkeyPatch) -> None:
    real = numba_compiling.njit

    def without_a_place(**options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(numba_compiling, "njit", without_a_place)

    def twice(number: int) -> int:
        return 2 * number

    assert numba_compiling.compiled(twice)(21) == 42


def test_geometry_addresses_stay_within_the_padded_volume() -> None:
    for shape in SHAPES:
        geometry = tile_geometry(shape, HOOD)
        for steps in (HOOD.voxels, HOOD.residuals, HOOD.reference):
            reached = geometry.order[:, np.newaxis] + geometry.steps(steps)
            assert reached.min() >= 0
            assert reached.max() < np.prod(geometry.padded_shape)


def test_numba_is_the_fastest_on_the_processor() -> None:
    assert backend_for("cpu").name == "numba"
