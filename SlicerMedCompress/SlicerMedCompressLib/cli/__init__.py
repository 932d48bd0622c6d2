"""`medcompress` on a terminal: ``main`` reads the command line, the other files do what it says."""

from .main import main

__all__ = ["main"]
