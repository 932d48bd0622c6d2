"""The learned codec with PyTorch gives the integers of the numpy reference, on any device and in any chunks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from backend_comparison import NUMPY, assert_same, outcome, stream_of
from learned_samples import HOOD, fitted_model, random_choices, random_weights, smooth_volume

from SlicerMedCompressLib.learned.tile_codec import decode_tile, encode_tile
from SlicerMedCompressLib.learned.tile_stream import MOST_LANES, TileStream
from SlicerMedCompressLib.learned.tile_values import TileValues

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch_samples import WIDE, Shape, block_and_model, threads, weights_at_the_limit

from SlicerMedCompressLib.learned import torch_backend
from SlicerMedCompressLib.learned.torch_backend import TorchBackend

SHAPES: list[Shape] = [
    (1, 1, 1), (1, 1, 29), (1, 23, 1), (7, 1, 1), (5, 1, 7), (2, 3, 2), (1, 19, 17), (3, 13, 31), (4, 5, 11), (9, 7, 5),
]  # fmt: skip

pytestmark = pytest.mark.usefixtures("single_thread")


def images(shape: Shape) -> dict[str, np.ndarray]:
    """Images of every temper."""
    rng = np.random.default_rng(sum(shape))
    spikes = np.zeros(shape, np.uint16)
    spikes[rng.random(shape) < 0.1] = 65535
    return {
        "constant": np.full(shape, 777, np.uint16),
        "black": np.zeros(shape, np.uint16),
        "smooth": smooth_volume(rng, shape),
        "noise of 3 bits": rng.integers(0, 8, shape).astype(np.uint16),
        "noise of 16 bits": rng.integers(0, 65536, shape).astype(np.uint16),
        "spikes": spikes,
    }


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_and_temper_of_image_gives_the_integers_of_numpy(backend: TorchBackend, shape: Shape) -> None:
    rng = np.random.default_rng(1)
    for block in images(shape).values():
        assert_same(backend, block, fitted_model(block, rng, choices=random_choices(rng)))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 1), (1, 17, 19), WIDE], ids=str)
def test_a_frame_before_and_slopes_give_the_integers_of_numpy(backend: TorchBackend, shape: Shape) -> None:
    rng = np.random.default_rng(2)
    slopes = np.array([0.3, 1.7, 0.01, 900.0, 1e-9])[: shape[0]]
    for name in ("smooth", "noise of 16 bits", "spikes"):
        block = images(shape)[name]
        reference = np.clip(block.astype(int) + rng.integers(-9, 10, shape), 0, 65535).astype(np.uint16)
        for before in (None, reference):
            for differing in (None, slopes):
                model = fitted_model(block, rng, reference=before, slopes=differing)
                assert_same(backend, block, model, before, differing)


@pytest.mark.parametrize("seed", range(4))
def test_the_largest_weights_allowed_give_the_integers_of_numpy(backend: TorchBackend, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = weights_at_the_limit(rng)
    weights.check()
    for name in ("smooth", "noise of 16 bits"):
        block = images(WIDE)[name]
        assert_same(backend, block, fitted_model(block, rng, weights=weights, choices=random_choices(rng)))


@pytest.mark.parametrize("count", [1, 2])
def test_any_number_of_threads_gives_the_integers_of_numpy(
    backend: TorchBackend, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, model = block_and_model((7, 29, 37), weights=random_weights(np.random.default_rng(3), hidden=64))
    with threads(count):
        assert_same(backend, block, model)
        assert torch.get_num_threads() == count
        # Not even where PyTorch is left to spread the work.
        monkeypatch.setattr(torch_backend, "one_thread", lambda device: nullcontext())
        tile = TileValues.of(block, HOOD, model.largest)
        expected, found = NUMPY.predict(tile, model), backend.predict(tile, model)
    np.testing.assert_array_equal(found.centre, expected.centre)
    np.testing.assert_array_equal(found.level, expected.level)


def test_tiles_decoded_in_several_threads_at_once_are_right(backend: TorchBackend) -> None:
    block, model = block_and_model()
    payload = encode_tile(block, model, NUMPY)
    with ThreadPoolExecutor(4) as pool:
        for decoded in pool.map(lambda _: decode_tile(payload, block.shape, model, backend), range(8)):
            np.testing.assert_array_equal(decoded, block)


def test_chunks_of_any_size_give_the_same_predictions(backend: TorchBackend) -> None:
    block, model = block_and_model()
    tile = TileValues.of(block, HOOD, model.largest)
    expected = NUMPY.predict(tile, model)
    for chunk in (7, 97, 1024, 1 << 20):
        backend.chunk = chunk
        found = backend.predict(tile, model)
        np.testing.assert_array_equal(found.centre, expected.centre)
        np.testing.assert_array_equal(found.level, expected.level)


def test_damaged_payloads_give_the_voxels_or_the_error_of_numpy(backend: TorchBackend) -> None:
    rng = np.random.default_rng(7)
    block, model = block_and_model(choices=random_choices(rng))
    payload, whole = encode_tile(block, model, NUMPY), stream_of(encode_tile(block, model, NUMPY))
    damaged: list[TileStream | bytes] = [payload[:length] for length in rng.integers(0, len(payload), 8)]
    for share in (0.5, 0.99):
        damaged.append(replace(whole, words=whole.words[: int(share * len(whole.words))]))
        damaged.append(replace(whole, low_bits=whole.low_bits[: int(share * len(whole.low_bits))]))
    # The last word read, and the last bit.
    damaged.extend([replace(whole, words=whole.words[:-1]), replace(whole, low_bits=whole.low_bits[:-1])])
    for _ in range(24):
        changed = bytearray(payload)
        for place in rng.integers(0, len(payload) if rng.random() < 0.7 else 32, rng.integers(1, 4)):
            changed[place] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(changed))
    found = [outcome(backend, stream, WIDE, model) for stream in damaged]
    assert found == [outcome(NUMPY, stream, WIDE, model) for stream in damaged]
    assert len({type(result) for result in found}) == 2


@pytest.mark.parametrize("lanes", [1, 3, 29, MOST_LANES])
def test_streams_of_arbitrary_words_give_the_voxels_or_the_error_of_numpy(backend: TorchBackend, lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    _, model = block_and_model(choices=random_choices(rng))
    # Words of ones lead codes beyond their ranges, from where they grow until they wrap round.
    streams = [
        TileStream(lanes, 5, words.astype(np.uint16), rng.integers(0, 256, bits).astype(np.uint8))
        for words in (np.full(9000, 0xFFFF), rng.integers(0, 1 << 16, 9000), np.zeros(2, int), np.zeros(0, int))
        for bits in (4000, 3, 0)
    ]
    assert [outcome(backend, stream, WIDE, model) for stream in streams] == [
        outcome(NUMPY, stream, WIDE, model) for stream in streams
    ]
