"""How far long work is, on one line of a terminal."""

from __future__ import annotations

import sys
import time


class ProgressLine:
    """One line on standard error that shows a fraction and a stage; silent where that is no terminal."""

    def __init__(self, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._last = 0.0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def update(self, fraction: float | None, stage: str) -> None:
        """Show it, at most ten times a second."""
        now = time.monotonic()
        if self._shown and (now - self._last > 0.1 or fraction == 1 or fraction is None):
            self._last = now
            done = "" if fraction is None else f"{fraction:4.0%} "
            print(f"\r\x1b[K{done}{stage}", end="", file=sys.stderr, flush=True)
