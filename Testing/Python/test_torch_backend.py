"""The learned codec with PyTorch gives the integers of the numpy reference, on any device and in any chunks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from learned_samples import HOOD, INPUTS, fitted_model, random_choices, random_weights, smooth_volume

from SlicerMedCompressLib.errors import CorruptStreamError
from SlicerMedCompressLib.learned import cuda_driver
from SlicerMedCompressLib.learned.backends import Backend
from SlicerMedCompressLib.learned.model import Model
from SlicerMedCompressLib.learned.network import ACTIVATION_LIMIT, EXACT, OUTPUTS, SIDE, NetworkWeights
from SlicerMedCompressLib.learned.numpy_backend import NumpyBackend
from SlicerMedCompressLib.learned.scales import INPUT_LIMIT
from SlicerMedCompressLib.learned.tile_codec import decode_tile, encode_tile
from SlicerMedCompressLib.learned.tile_geometry import tile_geometry
from SlicerMedCompressLib.learned.tile_stream import MOST_LANES, TileStream
from SlicerMedCompressLib.learned.tile_values import TileValues

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from SlicerMedCompressLib.learned import torch_backend, torch_graphs
from SlicerMedCompressLib.learned.torch_backend import TorchBackend
from SlicerMedCompressLib.learned.torch_decoding import TileDecoder
from SlicerMedCompressLib.learned.torch_planes import plane_tables
from SlicerMedCompressLib.learned.torch_prediction import TileTensors, predictor
from SlicerMedCompressLib.learned.torch_settings import exact_products, one_thread

Shape = tuple[int, int, int]
NUMPY = NumpyBackend()
SHAPES: list[Shape] = [
    (1, 1, 1), (1, 1, 29), (1, 23, 1), (7, 1, 1), (5, 1, 7), (2, 3, 2), (1, 19, 17), (3, 13, 31), (4, 5, 11), (9, 7, 5),
]  # fmt: skip
WIDE: Shape = (3, 13, 31)


@pytest.fixture(params=["cpu", "cuda"])
def backend(request: pytest.FixtureRequest) -> TorchBackend:
    """The backend on every kind of device that is here."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    return TorchBackend(torch.device(request.param))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def single_thread() -> Iterator[None]:
    """One thread unless a test says otherwise: more cost time on a busy machine."""
    with threads(1):
        yield


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


def block_and_model(shape: Shape = WIDE, seed: int = 5, **model: Any) -> tuple[np.ndarray, Model]:
    """A smooth image with some of everything, and a model for it."""
    rng = np.random.default_rng(seed)
    block = smooth_volume(rng, shape, 20000, 40.0)
    block[rng.random(shape) < 0.01] = 65535
    return block, fitted_model(block, rng, **model)


def assert_the_same(
    backend: Backend,
    block: np.ndarray,
    model: Model,
    reference: np.ndarray | None = None,
    slopes: np.ndarray | None = None,
) -> None:
    """Predictions and payload as numpy's; it decodes to the image."""
    tile = TileValues.of(block, HOOD, model.largest, reference, slopes)
    expected, found = NUMPY.predict(tile, model), backend.predict(tile, model)
    assert found.centre.dtype == expected.centre.dtype
    assert found.level.dtype == expected.level.dtype
    np.testing.assert_array_equal(found.centre, expected.centre)
    np.testing.assert_array_equal(found.level, expected.level)
    payload = encode_tile(block, model, NUMPY, reference, slopes)
    assert encode_tile(block, model, backend, reference, slopes) == payload
    decoded = decode_tile(payload, block.shape, model, backend, reference, slopes)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, block)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_and_temper_of_image_gives_the_integers_of_numpy(backend: TorchBackend, shape: Shape) -> None:
    rng = np.random.default_rng(1)
    for block in images(shape).values():
        assert_the_same(backend, block, fitted_model(block, rng, choices=random_choices(rng)))


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
                assert_the_same(backend, block, model, before, differing)


def weights_at_the_limit(rng: np.random.Generator, hidden: int = 8) -> NetworkWeights:
    """A network whose sums come as close to what float32 holds as is allowed, some by a single huge weight."""

    def layer(limit: int, *shape: int) -> np.ndarray:
        whole = rng.exponential(1, shape) ** rng.integers(1, 12, shape[-1])
        return np.asarray(rng.choice([-1, 1], shape) * (whole / whole.sum(axis=0) * (limit - len(whole))), np.int32)

    def bias(count: int) -> np.ndarray:
        return rng.integers(-(EXACT // 20), EXACT // 20, count, dtype=np.int32)

    room = EXACT - EXACT // 19
    return NetworkWeights(
        layer(room // INPUT_LIMIT, INPUTS + SIDE, hidden),
        bias(hidden),
        layer(room // ACTIVATION_LIMIT, hidden, hidden),
        bias(hidden),
        layer(room // 4 // ACTIVATION_LIMIT, hidden, OUTPUTS),
        bias(OUTPUTS),
        layer(room // 2 // INPUT_LIMIT, INPUTS + SIDE, OUTPUTS),
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_largest_weights_allowed_give_the_integers_of_numpy(backend: TorchBackend, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = weights_at_the_limit(rng)
    weights.check()
    for name in ("smooth", "noise of 16 bits"):
        block = images(WIDE)[name]
        assert_the_same(backend, block, fitted_model(block, rng, weights=weights, choices=random_choices(rng)))


@pytest.mark.parametrize("count", [1, 2])
def test_any_number_of_threads_gives_the_integers_of_numpy(
    backend: TorchBackend, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, model = block_and_model((7, 29, 37), weights=random_weights(np.random.default_rng(3), hidden=64))
    with threads(count):
        assert_the_same(backend, block, model)
        assert torch.get_num_threads() == count
        # Not even where PyTorch is left to spread the work.
        monkeypatch.setattr(torch_backend, "one_thread", lambda device: nullcontext())
        tile = TileValues.of(block, HOOD, model.largest)
        expected, found = NUMPY.predict(tile, model), backend.predict(tile, model)
    np.testing.assert_array_equal(found.centre, expected.centre)
    np.testing.assert_array_equal(found.level, expected.level)


def test_threads_that_begin_while_another_works_leave_the_number_of_threads_as_it_was() -> None:
    device = torch.device("cpu")
    with threads(2):
        first, second = one_thread(device), one_thread(device)
        first.__enter__()
        with ThreadPoolExecutor(1) as other:
            other.submit(second.__enter__).result()
            first.__exit__(None, None, None)
            other.submit(second.__exit__, None, None, None).result()
        assert torch.get_num_threads() == 2
        with ThreadPoolExecutor(1) as other:
            assert other.submit(torch.get_num_threads).result() == 2


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


class StreamKeeper(NumpyBackend):
    """Keeps the stream instead of decoding it."""

    def decode(self, stream: TileStream, shape: Shape, *rest: Any) -> np.ndarray:
        self.stream = stream
        return np.zeros(shape, np.uint16)


def stream_of(block: np.ndarray, model: Model) -> TileStream:
    """What a backend gets to decode of a tile that was coded with numpy."""
    keeper = StreamKeeper()
    decode_tile(encode_tile(block, model, NUMPY), block.shape, model, keeper)
    return keeper.stream


def outcome(backend: Backend, stream: TileStream | bytes, model: Model) -> bytes | str:
    """The voxels that a stream decodes to, or what is said about its damage."""
    try:
        if isinstance(stream, bytes):
            return decode_tile(stream, WIDE, model, backend).tobytes()
        return backend.decode(stream, WIDE, model).tobytes()
    except CorruptStreamError as error:
        return str(error)


def test_damaged_payloads_give_the_voxels_or_the_error_of_numpy(backend: TorchBackend) -> None:
    rng = np.random.default_rng(7)
    block, model = block_and_model(choices=random_choices(rng))
    payload, whole = encode_tile(block, model, NUMPY), stream_of(block, model)
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
    found = [outcome(backend, stream, model) for stream in damaged]
    assert found == [outcome(NUMPY, stream, model) for stream in damaged]
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
    assert [outcome(backend, stream, model) for stream in streams] == [
        outcome(NUMPY, stream, model) for stream in streams
    ]


def limited_memory(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """A device whose memory does for so many voxels; returns how many were asked for, filled while it works."""
    asked: list[int] = []

    def limit(name: str) -> None:
        original = getattr(torch_backend, name)

        def limited(tile: Any, model: Any, addresses: Any) -> Any:
            asked.append(len(addresses))
            if len(addresses) > most:
                raise torch.cuda.OutOfMemoryError("out of memory")
            return original(tile, model, addresses)

        monkeypatch.setattr(torch_backend, name, limited)

    limit("_fill_errors")
    limit("_distributions")
    return asked


def test_where_memory_does_not_do_smaller_chunks_give_the_same(
    backend: TorchBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, model = block_and_model((6, 23, 31))
    backend.chunk = 1 << 12
    asked = limited_memory(monkeypatch, 1500)
    assert_the_same(backend, block, model)
    assert max(asked) == 1 << 12
    assert min(asked) > 1


def test_memory_that_does_not_do_for_the_smallest_chunk_is_reported(
    backend: TorchBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, model = block_and_model((6, 23, 31))
    limited_memory(monkeypatch, 100)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        backend.predict(TileValues.of(block, HOOD, model.largest), model)


def test_settings_of_pytorch_for_faster_products_change_nothing_and_are_left_as_they_were(
    backend: TorchBackend,
) -> None:
    block, model = block_and_model(weights=weights_at_the_limit(np.random.default_rng(9), hidden=32))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast(backend.device.type, torch.bfloat16):
            assert_the_same(backend, block, model)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_products_are_exact_until_the_last_of_several_threads_is_done() -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        first, second = exact_products(torch.device("cpu")), exact_products(torch.device("cpu"))
        with ThreadPoolExecutor(1) as other:
            first.__enter__()
            other.submit(second.__enter__).result()
            first.__exit__(None, None, None)
            assert torch.get_float32_matmul_precision() == "highest"
            other.submit(second.__exit__, None, None, None).result()
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.skipif(not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="needs PyTorch 2.9")
def test_settings_by_the_newer_interface_of_pytorch_are_left_as_they_were() -> None:
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "tf32"
    try:
        with exact_products(torch.device("cpu")):
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == "tf32"
    finally:
        matmul.fp32_precision = before


def decoder_of(block: np.ndarray, model: Model, device: Any) -> tuple[TileDecoder, TileStream]:
    """A decoder before its first plane, as the backend makes it."""
    stream = stream_of(block, model)
    geometry = tile_geometry(block.shape, HOOD)
    values = geometry.padded(np.zeros(block.shape, np.float32), stream.first)
    tile = TileValues.over(geometry, HOOD, model.largest, values, None, None)
    return TileDecoder(stream, tile, model, device), stream


def test_steps_of_shared_extents_decode_the_same_also_after_a_restart(backend: TorchBackend) -> None:
    block, model = block_and_model((9, 40, 50), choices=random_choices(np.random.default_rng(8)))
    decoder, stream = decoder_of(block, model, backend.device)
    extents = decoder.tables.shared_extents(stream.lanes)
    assert len(set(extents)) > 1
    with torch.inference_mode(), exact_products(backend.device):
        for steps in (set(extents), extents):
            decoder.restart()
            for extent in steps:
                decoder.step(extent)
    assert not decoder.is_exhausted()
    values = tile_geometry(block.shape, HOOD).unpadded(decoder.values())
    np.testing.assert_array_equal(values.astype(np.uint16), block)


@pytest.mark.parametrize("slopes", [None, np.array([1.0, 2.0, 3.0])], ids=["one slope", "slopes"])
def test_a_step_asks_nothing_back_from_its_device_and_needs_nothing_of_another(slopes: np.ndarray | None) -> None:
    block, model = block_and_model(reference=np.zeros(WIDE, np.uint16), slopes=slopes)
    # Tensors of the device meta have shapes and no values: whatever wants a value fails.
    meta = torch.device("meta")
    tile = TileValues.of(block, HOOD, model.largest, block, slopes)
    decoder = TileDecoder(stream_of(block, model), tile, model, meta)
    for extent in set(decoder.tables.shared_extents(4)) | set(decoder.tables.exact_extents()):
        decoder.step(extent)
    tensors, addresses = TileTensors.of(tile, meta), torch.zeros(5, dtype=torch.int32, device=meta)
    torch_backend._fill_errors(tensors, predictor(model, True, meta), addresses)
    centre, level = torch_backend._distributions(tensors, predictor(model, True, meta), addresses)
    assert centre.shape == level.shape == (5,)


@pytest.mark.parametrize("lanes", [1, 4, 64, MOST_LANES])
def test_an_extent_covers_every_plane_that_shares_it(lanes: int) -> None:
    tables = plane_tables(tile_geometry((9, 40, 50), HOOD), torch.device("cpu"))
    extents = tables.shared_extents(lanes)
    assert len(extents) == tables.planes
    assert len(set(extents)) <= 8
    for extent, exact in zip(extents, tables.exact_extents(), strict=True):
        assert extent.certain <= exact.certain == exact.most <= extent.most
        assert exact.edges <= extent.edges


class StandInGraph:
    """A CUDA graph without CUDA: notes the step that is captured, and replays by running it."""

    recording: StandInGraph | None = None
    refuses = False

    def __init__(self) -> None:
        self.steps: list[tuple[TileDecoder, Any]] = []

    def capture_begin(self, pool: Any, capture_error_mode: str) -> None:
        assert (pool, capture_error_mode) == ("pool", "thread_local")
        if self.refuses:
            raise RuntimeError("operation not permitted when stream is capturing")
        StandInGraph.recording = self

    def capture_end(self) -> None:
        StandInGraph.recording = None

    def replay(self) -> None:
        for decoder, extent in self.steps:
            decoder.step(extent)


@pytest.fixture
def stand_in_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[StandInGraph]]:
    """What capturing needs of ``torch.cuda``, working on the processor."""
    original = TileDecoder.step

    def step(decoder: TileDecoder, extent: Any) -> None:
        if StandInGraph.recording is None:
            original(decoder, extent)
        else:
            StandInGraph.recording.steps.append((decoder, extent))

    class Stream:
        def __init__(self, device: Any = None) -> None:
            pass

        def wait_stream(self, other: Any) -> None:
            pass

        def synchronize(self) -> None:
            pass

    @contextmanager
    def stream(which: Any) -> Iterator[None]:
        yield

    monkeypatch.setattr(TileDecoder, "step", step)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    monkeypatch.setattr(torch.cuda, "CUDAGraph", StandInGraph)
    torch_graphs._side_stream.cache_clear()
    yield StandInGraph
    torch_graphs._side_stream.cache_clear()


@pytest.mark.parametrize("refuses", [False, True])
def test_captured_steps_decode_the_same_and_where_a_capture_is_refused_plain_ones_do(
    stand_in_cuda: type[StandInGraph], monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    monkeypatch.setattr(stand_in_cuda, "refuses", refuses)
    block, model = block_and_model((4, 20, 30))
    decoder, stream = decoder_of(block, model, torch.device("cpu"))
    extents = decoder.tables.shared_extents(stream.lanes)
    with torch.inference_mode():
        replays = torch_graphs.captured_steps(decoder, extents, torch.device("cpu"))
        assert (replays is None) == refuses
        for extent in extents:
            if replays is None:
                decoder.step(extent)
            else:
                replays[extent]()
    values = tile_geometry(block.shape, HOOD).unpadded(decoder.values())
    np.testing.assert_array_equal(values.astype(np.uint16), block)


def test_the_backend_is_named_for_its_device() -> None:
    assert TorchBackend(torch.device("cpu")).name == "torch"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at files of Linux")
def test_a_driver_is_seen_by_its_files_unless_its_devices_are_hidden(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(cuda_driver, "_LINUX_SIGNS", (str(tmp_path / "none"), str(tmp_path / "sign")))
    assert not cuda_driver.has_cuda_driver()
    (tmp_path / "sign").touch()
    assert cuda_driver.has_cuda_driver()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not cuda_driver.has_cuda_driver()


def test_looking_for_a_driver_imports_no_pytorch() -> None:
    program = (
        "import sys; from SlicerMedCompressLib.learned.cuda_driver import has_cuda_driver; has_cuda_driver();"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
