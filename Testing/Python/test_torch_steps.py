"""How the PyTorch backend works: steps without a host, graphs, settings, threads, little memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from backend_comparison import NUMPY, assert_same, stream_of
from learned_samples import HOOD, random_choices

from SlicerMedCompressLib.learned.model import Model
from SlicerMedCompressLib.learned.tile_codec import encode_tile
from SlicerMedCompressLib.learned.tile_geometry import tile_geometry
from SlicerMedCompressLib.learned.tile_stream import MOST_LANES, TileStream
from SlicerMedCompressLib.learned.tile_values import TileValues

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch_samples import WIDE, block_and_model, threads, weights_at_the_limit

from SlicerMedCompressLib.learned import torch_backend, torch_graphs
from SlicerMedCompressLib.learned.torch_backend import TorchBackend
from SlicerMedCompressLib.learned.torch_decoding import TileDecoder
from SlicerMedCompressLib.learned.torch_planes import plane_tables
from SlicerMedCompressLib.learned.torch_prediction import TileTensors, predictor
from SlicerMedCompressLib.learned.torch_settings import exact_products, one_thread

pytestmark = pytest.mark.usefixtures("single_thread")


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
    assert_same(backend, block, model)
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
            assert_same(backend, block, model)
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
    stream = stream_of(encode_tile(block, model, NUMPY))
    tile = TileValues.blank(block.shape, HOOD, model.largest, stream.first)
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
    decoder = TileDecoder(stream_of(encode_tile(block, model, NUMPY)), tile, model, meta)
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
