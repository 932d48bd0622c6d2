"""Whatever happens during a save, the old file or the new one is there, whole."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from generated_images import head, scalar

from SlicerMedCompressLib.compression import compress, decompress
from SlicerMedCompressLib.container import replacing
from SlicerMedCompressLib.errors import OutputError
from SlicerMedCompressLib.image import same_voxels

SAVER = """
import sys
sys.path[:0] = sys.argv[2:]
from generated_images import head, scalar
from SlicerMedCompressLib.compression import compress
image = scalar(head((40, 160, 160)) + 1)
print("ready", flush=True)
while True:
    compress(image, sys.argv[1], preset="fast")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_kill_9_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    target = tmp_path / "head.mcz"
    old = head((40, 160, 160))
    folders = [path for path in sys.path if path]
    random = np.random.default_rng(0)
    for _ in range(8):
        compress(scalar(old), target, preset="fast")
        saver = subprocess.Popen([sys.executable, "-c", SAVER, str(target), *folders], stdout=subprocess.PIPE)
        assert saver.stdout is not None
        assert saver.stdout.readline() == b"ready\n"
        time.sleep(random.uniform(0, 0.25))
        saver.send_signal(signal.SIGKILL)
        saver.communicate()
        found = decompress(target).voxels[0, ..., 0]
        assert same_voxels(found, old) or same_voxels(found, old + 1)


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.mcz"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(target) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "no right"), (errno.EROFS, "read-only")]
)
def test_a_failing_disk_is_told_in_a_sentence(tmp_path: Path, number: int, advice: str) -> None:
    target = tmp_path / "a.mcz"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match=advice), replacing(target):
        raise OSError(number, os.strerror(number))
    assert target.read_bytes() == b"old"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no always full device here")
def test_a_really_full_device_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("SlicerMedCompressLib.container.atomic.os.open", lambda *_: _FULL(os.O_RDWR))
    with pytest.raises(OutputError, match="disk is full"):
        compress(scalar(head((20, 100, 100))), tmp_path / "a.mcz", preset="fast", verify=False)
    assert list(tmp_path.iterdir()) == []


def _FULL(flags: int, _open: object = os.open) -> int:
    return _open("/dev/full", flags)  # type: ignore[operator]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder does not exist"):
        compress(scalar(head((2, 9, 9))), tmp_path / "no" / "a.mcz")


def test_a_folder_as_target_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        compress(scalar(head((2, 9, 9))), tmp_path)


def test_a_link_keeps_pointing_to_the_file_it_named(tmp_path: Path) -> None:
    real = tmp_path / "real.mcz"
    link = tmp_path / "link.mcz"
    real.write_bytes(b"old")
    link.symlink_to(real)
    compress(scalar(head((2, 9, 9))), link)
    assert link.is_symlink()
    assert decompress(real).voxels.shape == (1, 2, 9, 9, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "a.mcz"
    target.write_bytes(b"old")
    target.chmod(0o640)
    compress(scalar(head((2, 9, 9))), target)
    assert target.stat().st_mode & 0o777 == 0o640
