"""What tests of hostile files share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from SlicerMedCompressLib.compression import decompress
from SlicerMedCompressLib.errors import CorruptFileError


def refusal(tmp_path: Path, data: bytes, read: Callable[[Path], Any] = decompress) -> str:
    """Why the file was refused; it names the file and is one sentence."""
    path = tmp_path / "hostile.mcz"
    path.write_bytes(data)
    with pytest.raises(CorruptFileError) as refused:
        read(path)
    message = str(refused.value)
    assert "hostile.mcz" in message
    assert "\n" not in message
    assert len(message) < 600
    return message
