"""Crackle's decoder behind a process boundary.

crackle-codec trusts its streams: a damaged one can make it write outside its memory and end
the program, with all that the user has open. So streams are decoded by a child process that is
started once and may die; its death is an error like any other.
"""

from __future__ import annotations

import atexit
import os
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path

from ..errors import CorruptStreamError, MissingLibraryError

SECONDS_A_STREAM = 60.0
"""A stream that takes longer is taken for one that never ends."""


class CrackleProcess:
    """One child process, started at the first stream and again after it died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def decode(self, stream: bytes, size: int) -> bytes:
        """The labels in a stream, x fastest, as ``size`` bytes of their type.

        Raises CorruptStreamError if the stream cannot be decoded, gives another size, or ends the child.
        """
        with self._lock:
            child = self._running()
            alarm = threading.Timer(SECONDS_A_STREAM, child.kill)
            alarm.start()
            try:
                failed, answer = self._ask(child, stream, size)
            except (OSError, EOFError) as error:
                self.stop()
                raise CorruptStreamError("Crackle ended on a tile: it is damaged.") from error
            finally:
                alarm.cancel()
        if failed:
            raise CorruptStreamError(f"Crackle failed on a tile: {answer.decode(errors='replace')[:200]}")
        return answer

    def _ask(self, child: subprocess.Popen[bytes], stream: bytes, size: int) -> tuple[bool, bytes]:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(struct.pack("<Q", len(stream)))
        child.stdin.write(stream)
        child.stdin.flush()
        head = child.stdout.read(9)
        if len(head) != 9:
            raise EOFError
        failed, length = struct.unpack("<BQ", head)
        if not failed and length != size:
            self.stop()
            raise CorruptStreamError("A tile decoded to labels of another size.")
        answer = child.stdout.read(length)
        if len(answer) != length:
            raise EOFError
        return bool(failed), answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            worker = Path(__file__).with_name("crackle_worker.py")
            hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
            self._child = subprocess.Popen(
                [_interpreter(), os.fspath(worker)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=hidden,
                # What this program can import, the child can: Slicer and others extend the path as they run.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
            assert self._child.stdout is not None
            if self._child.stdout.read(1) != b"R":
                self.stop()
                raise MissingLibraryError(
                    "Crackle's decoder could not be started: reinstall crackle-codec. Other codecs still work."
                )
        return self._child

    def stop(self) -> None:
        """End the child; the next stream starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()


def _interpreter() -> str:
    """A Python that has this one's packages: in Slicer, where the program is no Python, PythonSlicer."""
    if "python" in Path(sys.executable or "").name.lower():
        return sys.executable
    found = shutil.which("PythonSlicer")
    if found is None:
        raise MissingLibraryError(
            "Decoding crackle labels needs a Python interpreter beside this program; none was found."
        )
    return found


PROCESS = CrackleProcess()
atexit.register(PROCESS.stop)
