"""Decoders in processes of their own: whatever happens there, this program goes on."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from SlicerMedCompressLib.codecs import decoder_process
from SlicerMedCompressLib.codecs.crackle import Crackle
from SlicerMedCompressLib.codecs.decoder_process import WORKER, DecoderProcesses
from SlicerMedCompressLib.errors import CorruptStreamError, MissingLibraryError

LABELS = (np.indices((6, 20, 24)).sum(0) // 7 % 5).astype(np.uint16)
STREAM = Crackle().encode(LABELS)

STUB = """
import json, os, struct, sys, time
requests, answers = sys.stdin.buffer, sys.stdout.buffer
answers.write(b"R")
answers.flush()
while len(head := requests.read(12)) == 12:
    length, size = struct.unpack("<IQ", head)
    arguments, stream = json.loads(requests.read(length)), requests.read(size)
    if stream == b"die":
        os._exit(11)
    if stream == b"hang":
        time.sleep(60)
    if stream == b"wear out":
        # Answers this one and dies of the next.
        size, stream = -1, b"12"
    if stream == b"no library":
        answers.write(struct.pack("<BQ", 2, 4) + b"none")
    elif stream == b"wrong":
        answers.write(struct.pack("<BQ", 1, 5) + b"wrong")
    else:
        answers.write(struct.pack("<BQ", 0, len(stream)) + stream)
    answers.flush()
    if size == -1:
        os._exit(11) if requests.read(1) else None
"""


@pytest.fixture
def processes() -> Iterator[DecoderProcesses]:
    found = DecoderProcesses()
    yield found
    found.stop()


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DecoderProcesses]:
    """Children that do what the stream says."""
    worker = tmp_path / "worker.py"
    worker.write_text(STUB)
    monkeypatch.setattr(decoder_process, "WORKER", worker)
    found = DecoderProcesses(seconds_a_stream=2.0)
    yield found
    found.stop()


def labels_of(processes: DecoderProcesses) -> np.ndarray:
    return processes.decode("crackle", STREAM, LABELS.shape, LABELS.dtype)


def two_bytes(processes: DecoderProcesses, stream: bytes) -> np.ndarray:
    return processes.decode("any", stream, (1, 1, 2), np.dtype(np.uint8))


def test_a_stream_is_decoded_and_the_child_serves_the_next(processes: DecoderProcesses) -> None:
    assert np.array_equal(labels_of(processes), LABELS)
    children = processes.process_ids
    assert np.array_equal(labels_of(processes), LABELS)
    assert processes.process_ids == children


def test_a_child_that_is_killed_is_replaced(processes: DecoderProcesses) -> None:
    labels_of(processes)
    (child,) = processes.process_ids
    os.kill(child, getattr(signal, "SIGKILL", signal.SIGTERM))
    assert np.array_equal(labels_of(processes), LABELS)
    assert processes.process_ids != [child]


def test_a_stream_that_ends_the_child_is_corrupt_and_the_next_is_decoded(stub: DecoderProcesses) -> None:
    with pytest.raises(CorruptStreamError, match="damaged"):
        two_bytes(stub, b"die")
    assert stub.process_ids == []
    assert two_bytes(stub, b"\1\2").tolist() == [[[1, 2]]]


def test_a_good_stream_does_not_suffer_from_an_earlier_one(stub: DecoderProcesses) -> None:
    two_bytes(stub, b"wear out")
    assert two_bytes(stub, b"\1\2").tolist() == [[[1, 2]]]


def test_a_stream_that_never_ends_is_corrupt(stub: DecoderProcesses) -> None:
    two_bytes(stub, b"\1\2")
    start = time.monotonic()
    with pytest.raises(CorruptStreamError, match="damaged"):
        two_bytes(stub, b"hang")
    assert time.monotonic() - start < 20


def test_an_answer_of_another_size_is_refused(stub: DecoderProcesses) -> None:
    for stream in (b"", b"\1", b"\1\2\3", bytes(1 << 20)):
        with pytest.raises(CorruptStreamError, match="instead of 2"):
            two_bytes(stub, stream)


def test_an_error_in_the_child_is_told(stub: DecoderProcesses) -> None:
    with pytest.raises(CorruptStreamError, match="wrong"):
        two_bytes(stub, b"wrong")
    with pytest.raises(MissingLibraryError, match="none"):
        two_bytes(stub, b"no library")


def test_several_threads_decode_at_once(processes: DecoderProcesses) -> None:
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: labels_of(processes), range(12)))
    assert all(np.array_equal(labels, LABELS) for labels in found)
    assert 1 <= len(processes.process_ids) <= 3


def test_stop_ends_the_children_and_the_next_stream_starts_another(processes: DecoderProcesses) -> None:
    labels_of(processes)
    children = list(processes._idle)
    processes.stop()
    assert children
    assert not any(child.is_running for child in children)
    assert np.array_equal(labels_of(processes), LABELS)


def test_stop_ends_a_child_at_work(stub: DecoderProcesses) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(two_bytes, stub, b"hang")
        while not stub._busy:
            time.sleep(0.01)
        stub.stop()
        with pytest.raises(CorruptStreamError):
            waiting.result()


def test_a_block_of_another_type_or_an_unknown_decoder_is_refused(processes: DecoderProcesses) -> None:
    with pytest.raises(CorruptStreamError, match="instead of"):
        processes.decode("crackle", STREAM, LABELS.shape, np.dtype(np.uint8))
    with pytest.raises(CorruptStreamError, match="nonsense"):
        processes.decode("nonsense", STREAM, LABELS.shape, LABELS.dtype)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not limit a process's memory so")
def test_a_decoder_cannot_take_memory_without_end() -> None:
    script = (
        "import runpy, sys; names = runpy.run_path(sys.argv[1]); names['_limit_memory'](1 << 20)\n"
        "try:\n    bytearray(2 << 30)\nexcept MemoryError:\n    print('refused')"
    )
    found = subprocess.run([sys.executable, "-c", script, os.fspath(WORKER)], capture_output=True, text=True)
    assert found.stdout.strip() == "refused", found.stderr


def test_what_a_library_prints_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "crackle.py").write_text(
        "import os, numpy\n"
        "def decompress(stream):\n"
        "    os.write(1, b'noise'); print('noise', flush=True)\n"
        "    return numpy.full((2, 1, 1), 7, 'uint8')\n"
    )
    arguments = json.dumps({"decoder": "crackle", "shape": [1, 1, 2], "dtype": "uint8"}).encode()
    request = struct.pack("<IQ", len(arguments), 1) + arguments + b"x"
    environment = {**os.environ, "PYTHONPATH": os.fspath(tmp_path)}
    found = subprocess.run([sys.executable, os.fspath(WORKER)], input=request, env=environment, capture_output=True)
    assert found.stdout == b"R" + struct.pack("<BQ", 0, 2) + b"\7\7"


@pytest.mark.parametrize("worker", ["import sys; sys.exit(3)", "print('Usage: no Python')"])
def test_a_child_that_cannot_start_is_a_missing_library_and_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: DecoderProcesses, worker: str
) -> None:
    (tmp_path / "worker.py").write_text(worker)
    monkeypatch.setattr(decoder_process, "WORKER", tmp_path / "worker.py")
    with pytest.raises(MissingLibraryError, match="could not be started"):
        processes.decode("crackle", STREAM, LABELS.shape, LABELS.dtype)


def test_an_interpreter_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: DecoderProcesses
) -> None:
    monkeypatch.setattr(decoder_process, "_interpreter", lambda: os.fspath(tmp_path / "no-python"))
    with pytest.raises(MissingLibraryError, match="no-python"):
        processes.decode("crackle", STREAM, LABELS.shape, LABELS.dtype)
