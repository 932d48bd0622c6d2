"""Progress of long work, and the user's wish to stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .errors import Cancelled

ProgressCallback = Callable[[float, str], "bool | None"]
"""Called with the done fraction (0 to 1) and the stage in words; returning False cancels."""


@dataclass(frozen=True)
class Progress:
    """A span of the whole work, reported to one callback on the calling thread."""

    callback: ProgressCallback | None = None
    start: float = 0.0
    stop: float = 1.0

    def part(self, start: float, stop: float) -> Progress:
        """The span from ``start`` to ``stop`` of this one."""
        length = self.stop - self.start
        return Progress(self.callback, self.start + length * start, self.start + length * stop)

    def report(self, fraction: float, stage: str) -> None:
        """Tell how far this span is; raises Cancelled if the callback returned False."""
        done = self.start + (self.stop - self.start) * fraction
        if self.callback is not None and self.callback(done, stage) is False:
            raise Cancelled
