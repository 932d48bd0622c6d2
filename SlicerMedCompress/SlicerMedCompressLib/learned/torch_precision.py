"""Products of float32 matrices in full float32, whatever PyTorch is set to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_users = 0
_restore: Callable[[], None] | None = None


@contextmanager
def exact_products(device: torch.device) -> Iterator[None]:
    """No TensorFloat-32 and no bfloat16 within, in which integers of 12 bits would be rounded.

    PyTorch has one setting for all threads: the first to come saves it, the last to go restores it.
    """
    global _users, _restore
    with _lock:
        if _users == 0:
            _restore = _saved_settings()
            torch.set_float32_matmul_precision("highest")
        _users += 1
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0 and _restore is not None:
                _restore()


def _saved_settings() -> Callable[[], None]:
    """What puts the settings back as they are now."""
    newer = [
        (module, module.fp32_precision)
        for module in (torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None))
        if hasattr(module, "fp32_precision")  # since PyTorch 2.9
    ]
    try:
        older = torch.get_float32_matmul_precision()
    except RuntimeError:
        # Set by the newer interface alone; then the older one does not answer.
        older = "highest"

    def restore() -> None:
        torch.set_float32_matmul_precision(older)
        for module, setting in newer:
            module.fp32_precision = setting

    return restore
