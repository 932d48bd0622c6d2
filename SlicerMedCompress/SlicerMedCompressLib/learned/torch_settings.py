"""What PyTorch has to be set to while it codes a tile: products in full float32, one thread for each tile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

_lock = threading.Lock()
_users = 0
_single = 0
_threads = 1
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


@contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """On the processor no more threads than the one that is here; the others have tiles of their own.

    The products of a plane are so small that several threads wait for one another longer than they compute.
    """
    global _single, _threads
    if device.type != "cpu":
        yield
        return
    with _lock:
        # New threads start with the setting of the last one that changed it, so only the first can know.
        if _single == 0:
            _threads = torch.get_num_threads()
        _single, before = _single + 1, _threads
    try:
        torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(before)
        with _lock:
            _single -= 1


def _saved_settings() -> Callable[[], None]:
    """What puts the settings back as they are now."""
    modules: list[Any] = [torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)]
    # PyTorch 2.9 has a second interface to the same settings, and tells more by it.
    newer = [(module, module.fp32_precision) for module in modules if hasattr(module, "fp32_precision")]
    try:
        older = torch.get_float32_matmul_precision()
    except RuntimeError:
        # Where the newer interface has set what the older cannot say, the older does not answer.
        older = "highest"

    def restore() -> None:
        torch.set_float32_matmul_precision(older)
        for module, setting in newer:
            module.fp32_precision = setting

    return restore
