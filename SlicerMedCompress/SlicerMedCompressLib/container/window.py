"""Some bytes of a file as a file of their own."""

from __future__ import annotations

import io
import os
import threading
from typing import Any, BinaryIO


class Window(io.RawIOBase):
    """Some bytes of a stream as a stream of their own, to read; nothing outside of them can be reached."""

    def __init__(self, stream: BinaryIO, lock: threading.Lock, start: int, length: int) -> None:
        self._stream, self._lock, self._start, self._length = stream, lock, start, length
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._length}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning")
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        wanted = max(0, min(len(buffer), self._length - self._place))
        with self._lock:
            self._stream.seek(self._start + self._place)
            data = self._stream.read(wanted)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
