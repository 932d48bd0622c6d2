"""Decoded planes of frames that other frames are decoded after: each decoded once, however many threads ask."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

Tile = tuple[int, int]
"""Number of the slab, over all frames, and of the tile in it."""


class FramePlanes:
    """A small cache of decoded tiles.

    Args:
        decode: planes of a tile; it may ask this cache for those of an earlier frame.
        capacity: tiles kept.
    """

    def __init__(self, decode: Callable[[int, int], np.ndarray], capacity: int) -> None:
        self._decode, self._capacity = decode, capacity
        self._tiles: OrderedDict[Tile, Future[np.ndarray]] = OrderedDict()
        self._lock = threading.Lock()

    def planes(self, slab: int, number: int) -> np.ndarray:
        """The planes of a tile: kept, being decoded on another thread and waited for, or decoded now."""
        key = (slab, number)
        with self._lock:
            found = self._tiles.get(key)
            mine = found is None
            if found is None:
                found = self._tiles[key] = Future()
                self._drop_oldest()
        if mine:
            try:
                found.set_result(self._decode(slab, number))
            except BaseException as error:
                with self._lock:
                    # Asked again it is tried again: the disk may have been away for a moment.
                    if self._tiles.get(key) is found:
                        del self._tiles[key]
                found.set_exception(error)
        return found.result()

    def _drop_oldest(self) -> None:
        # Only a tile that waits for an earlier frame holds others up, never the other way: no two wait for each other.
        for key in list(self._tiles):
            if len(self._tiles) <= self._capacity:
                return
            if self._tiles[key].done():
                del self._tiles[key]
