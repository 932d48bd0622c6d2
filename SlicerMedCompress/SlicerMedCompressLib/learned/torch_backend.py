"""The learned codec with PyTorch, on a CUDA device or the processor: the same voxels as NumpyBackend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from ..errors import CorruptStreamError
from .model import Model
from .prediction import Prediction
from .stream_encoding import stream_of
from .tile_geometry import TileGeometry
from .tile_stream import TileStream
from .tile_values import TileValues
from .torch_decoding import TileDecoder
from .torch_graphs import captured_steps
from .torch_prediction import Predictor, TileTensors, errors_of, on_device, predictor
from .torch_settings import exact_products, one_thread

_CHUNK = {"cuda": 1 << 18, "cpu": 1 << 12}
"""Voxels looked at together where all are known, some 4 kB each: enough for a GPU, and for a processor's cache."""
_SMALLEST_CHUNK = 1 << 10
_CHECK_EVERY = 256
"""Planes after which a damaged stream is noticed."""


class TorchBackend:
    """Looks at chunks of known voxels to encode, at one plane after another to decode.

    Args:
        device: a CUDA device, or the processor, where the same operations run.
    """

    def __init__(self, device: torch.device) -> None:
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", torch.cuda.current_device())
        self.device = device
        self.name = "cuda" if device.type == "cuda" else "torch"
        self.chunk = _CHUNK.get(device.type, _CHUNK["cpu"])
        self._idle_streams: list[torch.cuda.Stream] = []

    @torch.inference_mode()
    def predict(self, tile: TileValues, model: Model) -> Prediction:
        """Distributions of all voxels of a known tile, in the order of decoding."""
        size = len(tile.geometry.order)
        with exact_products(self.device), one_thread(self.device):
            model_tensors = predictor(model, tile.reference is not None, self.device)
            tensors = TileTensors.of(tile, self.device)
            addresses, rank = _raster(tile.geometry, self.device)
            centre, level = np.empty(size, np.int32), np.empty(size, np.int32)

            def fill_distributions(which: slice) -> None:
                found = _distributions(tensors, model_tensors, addresses[which])
                centre[which], level[which] = (tensor.int().cpu().numpy() for tensor in found)

            self._in_chunks(size, lambda which: _fill_errors(tensors, model_tensors, addresses[which]))
            self._in_chunks(size, fill_distributions)
        return Prediction(centre[rank], level[rank])

    def encode(self, tile: TileValues, model: Model) -> TileStream:
        """The stream of a known tile."""
        return stream_of(self.predict(tile, model), tile, model)

    def _in_chunks(self, size: int, work: Callable[[slice], None]) -> None:
        """Run ``work`` on parts of ``size`` voxels, on smaller ones once the memory of the device does not do."""
        start, chunk = 0, self.chunk
        while start < size:
            fits = True
            try:
                work(slice(start, min(start + chunk, size)))
            except torch.cuda.OutOfMemoryError:
                if chunk <= _SMALLEST_CHUNK:
                    raise
                fits = False
            # Only outside of the handler is free again what the attempt held.
            if fits:
                start += chunk
            else:
                chunk //= 2
                torch.cuda.empty_cache()

    @torch.inference_mode()
    def decode(self, stream: TileStream, tile: TileValues, model: Model) -> None:
        """Fill in the values of a blank tile; CorruptStreamError if the stream ends too early."""
        with exact_products(self.device), one_thread(self.device), self._own_stream():
            decoder = TileDecoder(stream, tile, model, self.device)
            steps = self._steps(decoder, stream.lanes)
            for number, step in enumerate(steps, 1):
                step()
                if (number % _CHECK_EVERY == 0 or number == len(steps)) and decoder.is_exhausted():
                    raise CorruptStreamError("A tile of the learned codec ends too early.")
            tile.values[:] = decoder.values()

    @contextmanager
    def _own_stream(self) -> Iterator[None]:
        """On a CUDA device a stream of its own, so that tiles decoded in several threads share the device."""
        if self.device.type != "cuda":
            yield
            return
        # Used again and again, because memory that one stream gave back is not lent to another.
        try:
            stream = self._idle_streams.pop()
        except IndexError:
            stream = torch.cuda.Stream(self.device)
        try:
            with torch.cuda.stream(stream):
                yield
        finally:
            self._idle_streams.append(stream)

    def _steps(self, decoder: TileDecoder, lanes: int) -> list[Callable[[], None]]:
        """What decodes each plane."""
        if self.device.type == "cuda":
            extents = decoder.tables.shared_extents(lanes)
            replays = captured_steps(decoder, extents, self.device)
            if replays is not None:
                return [replays[extent] for extent in extents]
        return [partial(decoder.step, extent) for extent in decoder.tables.exact_extents()]


def _fill_errors(tile: TileTensors, model: Predictor, addresses: Tensor) -> None:
    """Linear errors of known voxels (voxel,), written where their neighbours look for them."""
    slices = tile.slices(addresses)
    neighbours = tile.around(addresses, slices, tile.neighbours)
    look = model.look(neighbours, tile.before.index_select(0, slices))
    errors = errors_of(tile.volume.index_select(0, addresses), look)
    tile.volume.index_copy_(0, addresses.long() + tile.errors_from, errors)


def _distributions(tile: TileTensors, model: Predictor, addresses: Tensor) -> tuple[Tensor, Tensor]:
    """Centres and width levels of voxels (voxel,) whose neighbours' linear errors are known."""
    slices = tile.slices(addresses)
    before, around = tile.before.index_select(0, slices), tile.around(addresses, slices)
    look = model.look(around[:, : tile.neighbours], before)
    return model.distributions(around, look, before)


@lru_cache(maxsize=4)
def _raster(geometry: TileGeometry, device: torch.device) -> tuple[Tensor, np.ndarray]:
    """Voxels in C order, in which neighbours lie close together in memory.

    Returns:
        addresses int32 (voxel,); for the voxels in the order of decoding their places in it, int32.
    """
    cells = np.arange(int(np.prod(geometry.padded_shape)), dtype=np.int32)
    addresses = geometry.unpadded(cells).reshape(-1)
    place = np.empty(len(cells), np.int32)
    place[addresses] = np.arange(len(addresses), dtype=np.int32)
    return on_device(addresses, torch.int32, device), place[geometry.order]
