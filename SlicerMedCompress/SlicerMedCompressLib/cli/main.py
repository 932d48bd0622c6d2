"""Reads the command line and turns what happens into an exit status.

Exit status: 0 done, 1 a problem told in one sentence on standard error, 2 wrong usage,
130 interrupted. Results go to standard output, progress and problems to standard error.
"""

from __future__ import annotations

import argparse
import io
import logging
import sys
from collections.abc import Callable, Sequence

from .. import __version__
from ..errors import MedCompressError
from . import converting, inspecting, measuring, training


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show must not turn a success into a failure.
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="medcompress: %(message)s", level=logging.WARNING)
    try:
        return int(options.run(options) or 0)
    except MedCompressError as error:
        print(f"medcompress: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nmedcompress: interrupted; nothing was left half written.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        print(
            f"medcompress: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr
        )
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="medcompress",
        description="Compress medical images: without loss unless told what may be lost, and always verified.",
    )
    parser.add_argument("--version", action="version", version=f"medcompress {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int | None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    for part in (converting, inspecting, measuring, training):
        part.add_commands(command)
    return parser
