"""Playing a sequence from its file: a few frames in memory, the next ones decoded ahead on a thread of their own."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np

from ..errors import InputError
from ..tiling import Span
from .reader import Reader

BUDGET = 1 << 29
"""Bytes of decoded frames that are kept unless told otherwise."""


class FramePlayer:
    """Frames of an open file, decoded when they are asked for and a little before. Use as a context manager.

    Safe to use from several threads. Frames that share their tiles, as where time was coded in the place of slices, are
    decoded and kept together.

    Args:
        reader: it has to stay open as long as this is in use.
        kept: frames in memory at most; at least those of two decodings. Default: as many as BUDGET holds.
    """

    def __init__(self, reader: Reader, kept: int | None = None) -> None:
        self._reader, self._lock, self._closed = reader, threading.Lock(), False
        self._blocks: OrderedDict[Span, Future[np.ndarray]] = OrderedDict()
        self._worker = ThreadPoolExecutor(1, "MedCompress player")
        frame_bytes = reader.header.voxel_bytes // reader.frame_count
        longest = max(stop - start for start, stop in map(self._block_of, range(reader.frame_count)))
        self.kept = max(2 * longest, kept if kept is not None else BUDGET // max(1, frame_bytes))
        self._last = 0

    def frame(self, number: int) -> np.ndarray:
        """Voxels (slice, row, column, component) of a frame, not to be written to.

        Raises InputError if there is no such frame or the player was closed, and what ``Reader`` raises for a
        damaged frame; asking again tries again.
        """
        self._reader.check_frame_number(number)
        block = self._block_of(number)
        while True:
            found = self._asked_for(number, block)
            try:
                frames: np.ndarray = found.result()
                break
            except CancelledError:
                # Others asked for so many frames meanwhile that this one was dropped, or the player was closed.
                continue
            except BaseException:
                with self._lock:
                    if self._blocks.get(block) is found:
                        del self._blocks[block]
                raise
        frame: np.ndarray = frames[number - block[0]]
        return frame

    def _asked_for(self, number: int, block: Span) -> Future[np.ndarray]:
        """The block of a frame, being decoded; the one that comes next in the direction of play after it."""
        with self._lock:
            found = self._requested(block)
            ahead = block[1] if number >= self._last else block[0] - 1
            self._last = number
            if 0 <= ahead < self._reader.frame_count:
                self._requested(self._block_of(ahead))
                # What is shown now must not make room for what comes next.
                self._blocks.move_to_end(block)
            self._drop_oldest(block)
            return found

    def close(self) -> None:
        """Stop decoding ahead, once the frame in hand is done, and let go of all frames."""
        with self._lock:
            self._closed = True
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._blocks.clear()

    def __enter__(self) -> FramePlayer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _block_of(self, number: int) -> Span:
        access = self._reader.access
        return access.decoded_with(number) if access.over_time else (number, number + 1)

    def _requested(self, block: Span) -> Future[np.ndarray]:
        if self._closed:
            raise InputError("The player was closed; open the file again.")
        if block not in self._blocks:
            self._blocks[block] = self._worker.submit(self._decoded, block)
        self._blocks.move_to_end(block)
        return self._blocks[block]

    def _decoded(self, block: Span) -> np.ndarray:
        frames = self._reader.read_frames(block)
        frames.flags.writeable = False
        return frames

    def _drop_oldest(self, wanted: Span) -> None:
        held = sum(stop - start for start, stop in self._blocks)
        for block in list(self._blocks):
            if held <= self.kept:
                return
            if block != wanted:
                # One that was not begun is not needed any more either.
                self._blocks.pop(block).cancel()
                held -= block[1] - block[0]
