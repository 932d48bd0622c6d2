"""Steps of the decoder as CUDA graphs: a step is hundreds of operations, each of which starts slower than it runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch

from .torch_decoding import TileDecoder
from .torch_planes import Extent

_logger = logging.getLogger(__name__)
_capturing = threading.Lock()

Replay = Callable[[], None]


def captured_steps(
    decoder: TileDecoder, extents: Sequence[Extent], device: torch.device
) -> dict[Extent, Replay] | None:
    """What runs the decoder's step of each extent on the current stream, or None where graphs do not work.

    The decoder stands before its first plane afterwards.
    """
    current = torch.cuda.current_stream(device)
    # One capture at a time, as PyTorch demands.
    with _capturing:
        side = _side_stream(device)
        side.wait_stream(current)
        try:
            return _captured(decoder, sorted(set(extents), key=lambda extent: extent.most), side)
        except RuntimeError as error:
            _logger.warning("A step of the decoder cannot be captured, so it is slower: %s", error)
            return None
        finally:
            decoder.restart()
            current.wait_stream(side)


def _captured(decoder: TileDecoder, extents: Sequence[Extent], side: torch.cuda.Stream) -> dict[Extent, Replay]:
    found: dict[Extent, Replay] = {}
    with torch.cuda.stream(side):
        # Libraries load and take memory in their first calls, which must not happen in a capture.
        for extent in [*extents, *extents]:
            decoder.restart()
            decoder.step(extent)
        side.synchronize()
        pool = torch.cuda.graph_pool_handle()
        for extent in extents:
            graph = torch.cuda.CUDAGraph()
            # Not by torch.cuda.graph, which waits for the work of all threads and empties the cache, every time.
            graph.capture_begin(pool=pool, capture_error_mode="thread_local")
            try:
                decoder.step(extent)
            finally:
                graph.capture_end()
            found[extent] = graph.replay
    return found


@lru_cache(maxsize=8)
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """The stream of all captures: libraries keep memory for every stream that they meet."""
    return torch.cuda.Stream(device)
