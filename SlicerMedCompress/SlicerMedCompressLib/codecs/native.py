"""Turning whatever a codec library raises on bad data into one kind of error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import CorruptStreamError, MedCompressError


@contextmanager
def native_errors(title: str) -> Iterator[None]:
    """Wrap a library call: its errors become CorruptStreamError.

    The libraries raise anything from RuntimeError subclasses of their own to IndexError and
    struct.error on bad data, so this is the one place that catches Exception; MemoryError
    is among them, because a stream that asks for too much is a bad stream.
    """
    try:
        yield
    except MedCompressError:
        raise
    except Exception as error:
        raise CorruptStreamError(f"{title} failed on a tile: {error or type(error).__name__}") from error
