"""Playing a sequence from its file: a few frames in memory, the next ones decoded ahead on a thread of their own."""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np

from ..errors import InputError
from ..tiling import Span
from .reader import Reader

BUDGET = 1 << 29
"""Bytes of decoded frames that are kept unless told otherwise."""


class FramePlayer:
    """Frames of a file, decoded when they are asked for and a little before. Use as a context manager.

    Safe to use from several threads. Frames that share their tiles, as where time was coded in the place of slices, are
    decoded and kept together.

    Args:
        source: a path, or an open reader, which has to stay open as long as this is in use.
        kept: frames in memory at most, but for those that several threads wait for at once; at least those of two
            decodings. Default: as many as BUDGET holds. The reader keeps some tiles of its own besides, for frames that
            others are coded after: those of a group, and four a thread.
    """

    def __init__(self, source: Reader | str | os.PathLike[str], kept: int | None = None) -> None:
        self._owned = not isinstance(source, Reader)
        self._reader = source if isinstance(source, Reader) else Reader(source)
        self._lock, self._closed = threading.Lock(), False
        self._blocks: OrderedDict[Span, Future[np.ndarray]] = OrderedDict()
        self._waited: Counter[Span] = Counter()
        self._worker = ThreadPoolExecutor(1, "MedCompress player")
        count = self._reader.frame_count
        longest = max(stop - start for start, stop in map(self._block_of, range(count)))
        frame_bytes = self._reader.header.voxel_bytes // count
        self.kept = max(2 * longest, kept if kept is not None else BUDGET // max(1, frame_bytes))
        self._last, self._forward = 0, True

    def frame(self, number: int) -> np.ndarray:
        """Voxels (slice, row, column, component) of a frame, not to be written to.

        Raises InputError if there is no such frame or the player was closed, and what ``Reader`` raises for a
        damaged frame; asking again tries again.
        """
        self._reader.check_frame_number(number)
        block = self._block_of(number)
        found = self._asked_for(number, block)
        try:
            frames: np.ndarray = found.result()
        except CancelledError:
            raise _was_closed() from None
        finally:
            self._answered(block, found)
        frame: np.ndarray = frames[number - block[0]]
        return frame

    def _asked_for(self, number: int, block: Span) -> Future[np.ndarray]:
        """The block of a frame, being decoded; the one that comes next in the direction of play after it."""
        with self._lock:
            found = self._requested(block)
            self._waited[block] += 1
            if number != self._last:
                self._forward, self._last = number > self._last, number
            ahead = block[1] if self._forward else block[0] - 1
            if 0 <= ahead < self._reader.frame_count:
                self._requested(self._block_of(ahead))
                # What is shown now must not make room for what comes next.
                self._blocks.move_to_end(block)
            self._drop_oldest()
            return found

    def _answered(self, block: Span, found: Future[np.ndarray]) -> None:
        with self._lock:
            self._waited[block] -= 1
            if not self._waited[block]:
                del self._waited[block]
            failed = found.done() and (found.cancelled() or found.exception() is not None)
            if failed and self._blocks.get(block) is found:
                del self._blocks[block]
            self._drop_oldest()

    def close(self) -> None:
        """Stop decoding ahead, once the frame in hand is done, and let go of all frames."""
        with self._lock:
            self._closed = True
        self._worker.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            self._blocks.clear()
        if self._owned:
            self._reader.close()

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
            raise _was_closed()
        if block not in self._blocks:
            self._blocks[block] = self._worker.submit(self._decoded, block)
        self._blocks.move_to_end(block)
        return self._blocks[block]

    def _decoded(self, block: Span) -> np.ndarray:
        frames = self._reader.read_frames(block)
        frames.flags.writeable = False
        return frames

    def _drop_oldest(self) -> None:
        """Make room: of what nobody waits for, the oldest that is decoded or was not begun.

        What is being decoded takes its memory anyway, and dropped it might be decoded twice.
        """
        held = sum(stop - start for start, stop in self._blocks)
        for block, found in list(self._blocks.items()):
            if held <= self.kept:
                return
            if block not in self._waited and (found.done() or found.cancel()):
                del self._blocks[block]
                held -= block[1] - block[0]


def _was_closed() -> InputError:
    return InputError("The player was closed; open the file again.")
