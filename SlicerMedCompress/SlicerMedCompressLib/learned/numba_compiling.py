"""How functions of the numba backend are compiled: when they are first called, once for all processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit


def _fingerprint() -> str:
    """Of all that compiled code may be made of: these modules. Numba alone would look at one file only."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


_FINGERPRINT = _fingerprint()


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, compiled when it is first called and kept on disk where there is a place for it."""
    # Numba keeps it under this name.
    function.__qualname__ += f"_{_FINGERPRINT}"
    options = {"nogil": True, "error_model": "numpy"}
    try:
        found: Callable[..., Any] = njit(cache=True, **options)(function)
    except RuntimeError:
        found = njit(**options)(function)
    return found


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a part of compiled ones that use it; it cannot be called by others, and makes no arrays."""
    # Counting references to all arrays at every call would take a third of the time.
    options = {"forceinline": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    found: Callable[..., Any] = njit(nogil=True, error_model="numpy", **options)(function)
    return found
