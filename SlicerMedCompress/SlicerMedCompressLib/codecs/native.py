"""Turning whatever a codec library raises on bad data into one kind of error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import CorruptStreamError, EncodingError, MedCompressError


@contextmanager
def encoding_errors(title: str) -> Iterator[None]:
    """Wrap a library's encoder: its errors become EncodingError."""
    try:
        yield
    except Exception as error:
        raise EncodingError(
            f"{title} could not code a tile ({error or type(error).__name__}); choose a preset or another codec."
        ) from error


@contextmanager
def decoding_errors(title: str) -> Iterator[None]:
    """Wrap a library's decoder: its errors become CorruptStreamError.

    The libraries raise anything from RuntimeError subclasses of their own to IndexError and
    struct.error on bad data, so these are the places that catch Exception; MemoryError
    is among them, because a stream that asks for too much is a bad stream.
    """
    try:
        yield
    except MedCompressError:
        raise
    except Exception as error:
        raise CorruptStreamError(f"{title} failed on a tile: {error or type(error).__name__}") from error
