"""Installing what Slicer does not bring, when the user presses Apply and agrees."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import slicer

REQUIREMENTS = {"imagecodecs": "imagecodecs", "crackle": "crackle-codec"}


def missing_packages() -> list[str]:
    """Packages of Resources/requirements.txt that are not installed."""
    return [package for module, package in REQUIREMENTS.items() if importlib.util.find_spec(module) is None]


def requirements_file() -> Path | None:
    """Resources/requirements.txt: beside the package where installed, beside its folder in development."""
    here = Path(__file__).resolve().parents[2]
    for folder in (here, here.parent):
        path = folder / "Resources" / "requirements.txt"
        if path.exists():
            return path
    return None


def ensure_installed() -> None:
    """Ask and install what is missing; RuntimeError if the user declines.

    Slicer 5.12 does this with slicer.packaging; before, the question is asked here.
    """
    missing = missing_packages()
    if not missing:
        return
    try:
        from slicer import packaging
    except ImportError:
        packaging = None
    requirements = requirements_file()
    if packaging is not None and requirements is not None:
        packaging.pip_ensure(packaging.load_requirements(str(requirements)), requester="MedCompress")
        return
    names = ", ".join(missing)
    if not slicer.util.confirmOkCancelDisplay(f"MedCompress needs {names}. Install now? This needs the Internet."):
        raise RuntimeError(f"Without {names} MedCompress cannot compress.")
    for package in missing:
        slicer.util.pip_install(package)
