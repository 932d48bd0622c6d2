"""Whether asking PyTorch for a CUDA device is worth the seconds that importing it takes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_LINUX_SIGNS = (
    "/dev/nvidiactl",
    "/proc/driver/nvidia/version",
    "/dev/nvhost-gpu",  # Jetson
    "/usr/lib/wsl/lib/libcuda.so.1",  # Windows Subsystem for Linux has no device files of its own
)


def has_cuda_driver() -> bool:
    """Whether an NVIDIA driver seems present; a look at a few files, PyTorch is not imported.

    True promises nothing: PyTorch may be built without CUDA, or too new for the driver.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").exists()
    return sys.platform.startswith("linux") and any(Path(sign).exists() for sign in _LINUX_SIGNS)
