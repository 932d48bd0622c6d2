"""What several commands take."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ..learned.backends import DEVICES

Command = Callable[[str, Callable[[argparse.Namespace], "int | None"], str], argparse.ArgumentParser]
"""Adds a command: its name, what runs it, and its help."""


def add_common(parser: argparse.ArgumentParser) -> None:
    """Threads, device and silence."""
    parser.add_argument("--threads", type=positive, help="default: all processors")
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where a learned codec works; the voxels are the same (default: auto, the processor)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")


def add_rounding(parser: argparse.ArgumentParser) -> None:
    """What to do with a file with loss that decodes otherwise than it did where it was written."""
    parser.add_argument(
        "--accept-rounding",
        action="store_true",
        help="decode a file with loss even where this decoder rounds otherwise; its bound is not vouched for then",
    )


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return int(text)
