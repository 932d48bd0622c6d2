"""Libraries that are imported where they are used, and what to say where one is missing."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from .errors import MissingLibraryError


def is_installed(module: str) -> bool:
    """Whether a top-level module could be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def library(module: str, package: str, wanted_by: str) -> ModuleType:
    """Import a module, or say in a MissingLibraryError what to install."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        # OSError: a shared object of it is missing.
        raise MissingLibraryError(
            f'{wanted_by} needs the Python package {package}: install it with "pip install {package}" '
            f"(in Slicer's Python console: slicer.util.pip_install('{package}')); the rest works without it. ({error})"
        ) from error
