"""Decoders behind a process boundary.

Some libraries trust their streams: a damaged one can make them write outside their memory and end
the program, with all that the user has open. So such streams are decoded by child processes, which
may die; their death is an error like any other.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from ..errors import CorruptStreamError, MissingLibraryError

SECONDS_A_STREAM = 60.0
"""A stream that takes longer is taken for one that never ends."""

WORKER = Path(__file__).with_name("decoder_worker.py")

DONE, FAILED, MISSING = range(3)
"""First byte of an answer; decoder_worker.py has the same."""


class DecoderProcesses:
    """Child processes, as many as threads have asked at once; each decodes one stream at a time."""

    def __init__(self, seconds_a_stream: float = SECONDS_A_STREAM) -> None:
        self._seconds = seconds_a_stream
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()

    def decode(self, decoder: str, stream: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        """The block of this shape and type in a stream.

        Args:
            decoder: one of DECODERS in decoder_worker.py.

        Raises CorruptStreamError if the stream cannot be decoded, gives another block, or ends the child.
        """
        request = _request(decoder, stream, shape, dtype)
        while True:
            child, is_new = self._take()
            answered = False
            try:
                status, answer = child.ask(request, np.empty(shape, dtype), self._seconds)
                answered = True
                break
            except (OSError, EOFError, ValueError) as error:
                # An earlier stream may have damaged a child that was used before: a new one tells.
                if is_new or child.is_late:
                    raise CorruptStreamError(f"The decoder {decoder} ended on a tile: it is damaged.") from error
            finally:
                self._give_back(child, answered)
        if isinstance(answer, np.ndarray):
            return answer
        if status == MISSING:
            raise MissingLibraryError(f"The library of the decoder {decoder} cannot be imported: {answer}")
        raise CorruptStreamError(f"The decoder {decoder} failed on a tile: {answer}")

    def _take(self) -> tuple[_Child, bool]:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_running:
                    self._busy.add(child)
                    return child, False
                child.end()
            child = _Child()
            self._busy.add(child)
            return child, True

    def _give_back(self, child: _Child, is_usable: bool) -> None:
        with self._lock:
            known = child in self._busy
            self._busy.discard(child)
            if known and is_usable:
                self._idle.append(child)
                return
        child.end()

    def stop(self) -> None:
        """End all children; the next stream starts another."""
        with self._lock:
            children = [*self._idle, *self._busy]
            self._idle.clear()
            self._busy.clear()
        for child in children:
            child.end()

    @property
    def process_ids(self) -> list[int]:
        """Of the children that wait for a stream."""
        with self._lock:
            return [child.process.pid for child in self._idle]


class _Child:
    """One child process, started at once."""

    def __init__(self) -> None:
        self.is_late = False
        self._is_ready = self._is_ended = False
        self._interpreter = _interpreter()
        try:
            self.process = subprocess.Popen(
                [self._interpreter, os.fspath(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                # What this program can import, the child can: Slicer and others extend the path as they run.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        except OSError as error:
            raise self._not_started() from error

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def ask(self, request: list[bytes], block: np.ndarray, seconds: float) -> tuple[int, np.ndarray | str]:
        """How it went, and the block or the text of an error; OSError or EOFError if the child died."""
        alarm = threading.Timer(seconds, self._expire)
        alarm.start()
        try:
            return self._ask(request, block)
        finally:
            alarm.cancel()

    def _ask(self, request: list[bytes], block: np.ndarray) -> tuple[int, np.ndarray | str]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if not self._is_ready:
            if self.process.stdout.read(1) != b"R":
                if self._is_ended or self.is_late:
                    raise EOFError("The decoder's process was ended.")
                raise self._not_started()
            self._is_ready = True
        for part in request:
            self.process.stdin.write(part)
        self.process.stdin.flush()
        head = bytearray(9)
        self._read_into(memoryview(head))
        status, length = struct.unpack("<BQ", head)
        if status == DONE:
            if length != block.nbytes:
                # What it still wants to say is not read: the child must go.
                raise CorruptStreamError(f"A tile decoded to {length} bytes instead of {block.nbytes}.")
            self._read_into(block.reshape(-1).view(np.uint8).data)
            return status, block
        text = bytearray(min(length, 1000))
        self._read_into(memoryview(text))
        return status, text.decode(errors="replace")

    def _not_started(self) -> MissingLibraryError:
        return MissingLibraryError(
            f'A process for decoding could not be started with "{self._interpreter}": it needs to be a Python that '
            "runs. Other codecs still work."
        )

    def _read_into(self, target: memoryview) -> None:
        assert self.process.stdout is not None
        position = 0
        while position < len(target):
            count = self.process.stdout.readinto(target[position:])  # type: ignore[attr-defined]
            if not count:
                raise EOFError("The decoder's process ended.")
            position += count

    def _expire(self) -> None:
        self.is_late = True
        self.process.kill()

    def end(self) -> None:
        """Kill it, whatever it does."""
        self._is_ended = True
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    # What was not sent yet has nobody to read it.
                    continue


def _request(decoder: str, stream: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> list[bytes]:
    arguments = json.dumps({"decoder": decoder, "shape": [int(length) for length in shape], "dtype": dtype.name})
    return [struct.pack("<IQ", len(arguments), len(stream)), arguments.encode(), stream]


def _interpreter() -> str:
    """A Python that has this one's packages: in Slicer, where the program is no Python, PythonSlicer."""
    if "python" in Path(sys.executable or "").name.lower():
        return sys.executable
    found = shutil.which("PythonSlicer")
    if found is None:
        raise MissingLibraryError(
            "Decoding this needs a Python interpreter beside this program; none was found. Other codecs still work."
        )
    return found


PROCESSES = DecoderProcesses()
atexit.register(PROCESSES.stop)
