"""Tiles through a pool of threads, in order, with few in flight."""

from __future__ import annotations

import importlib
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from .libraries import is_installed

Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_count(requested: int | None) -> int:
    """The requested number of threads, or that of the processors this process may use."""
    if requested is not None:
        if requested < 1:
            raise ValueError(f"The number of threads must be at least 1, not {requested}.")
        return requested
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def thread_pool(requested: int | None) -> Iterator[ThreadPoolExecutor]:
    """A pool for one operation. The codec libraries release the interpreter lock.

    While it is open, matrix products use one thread each: those of numpy's BLAS and of the pool would wait for
    one another.
    """
    with _BLAS.one_thread(), ThreadPoolExecutor(thread_count(requested), thread_name_prefix="medcompress") as pool:
        yield pool


class _Blas:
    """Threads of the process's BLAS, which are a setting of the whole process: the last to leave restores it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._limits: Any = None

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """One thread a product inside, where threadpoolctl is installed."""
        with self._lock:
            self._users += 1
            if self._users == 1 and is_installed("threadpoolctl"):
                self._limits = importlib.import_module("threadpoolctl").threadpool_limits(1, "blas")
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0 and self._limits is not None:
                    self._limits.restore_original_limits()
                    self._limits = None


_BLAS = _Blas()


def ordered_map(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Generator[Result, None, None]:
    """``map`` in order with at most ``ahead`` calls started and not yet consumed.

    When the consumer stops early (an error, a cancellation) calls not yet begun are dropped
    and the running ones are waited for, so that nothing touches the data afterwards.
    """
    pending: deque[Future[Result]] = deque()
    source = iter(items)
    try:
        for item in source:
            pending.append(pool.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
        for future in pending:
            if not future.cancelled():
                future.exception()
