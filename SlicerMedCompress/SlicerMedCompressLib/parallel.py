"""Tiles through a pool of threads, in order, with few in flight."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

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


def thread_pool(requested: int | None) -> ThreadPoolExecutor:
    """A pool for one operation. The codec libraries release the interpreter lock."""
    return ThreadPoolExecutor(thread_count(requested), thread_name_prefix="medcompress")


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
