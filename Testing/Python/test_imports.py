"""Importing the package pulls in numpy and the standard library, nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import SlicerMedCompressLib

PACKAGE = Path(SlicerMedCompressLib.__file__).parent

ON_DEMAND = ("learned.numba_", "learned.torch_", "learned.trainable", "learned.optimising", "training.train")
"""What is imported only where numba or torch is to work."""

SCRIPT = f"""
import pkgutil, importlib, sys
import numpy
before = set(sys.modules)
import SlicerMedCompressLib
for module in pkgutil.walk_packages(SlicerMedCompressLib.__path__, "SlicerMedCompressLib."):
    part = module.name.partition(".")[2]
    if not part.startswith(("scene", "widget", *{ON_DEMAND!r})) \
            and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(new - set(sys.stdlib_module_names) - {{"SlicerMedCompressLib", "numpy"}}))
"""


def test_the_package_needs_numpy_only() -> None:
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=PACKAGE.parent, capture_output=True, text=True, check=True, env=None
    )
    assert [name for name in found.stdout.split() if not name.startswith("_")] == []


ORDER = [
    "errors",
    "libraries",
    "progress",
    "appearance",
    "playback",
    "segments",
    "image",
    "mixed_sequence",
    "tiling",
    "tolerance",
    "transforms",
    "learned",
    "codecs",
    "parallel",
    "results",
    "container",
    "quality",
    "lossless_region",
    "sampling",
    "presets",
    "frame_groups",
    "fitting_plans",
    "targets",
    "lossy_plans",
    "request",
    "lossy_choice",
    "search",
    "target_search",
    "compression",
    "frames",
    "sequence_compression",
    "sweep",
    "segmentation_files",
    "dicom",
    "frame_times",
    "nrrd_header",
    "nrrd_voxels",
    "sequence_files",
    "mrb_files",
    "files",
    "training",
    "scene",
    "benchmark",
    "demo",
    "cli",
    "widget",
]


def test_imports_point_one_way() -> None:
    """A part may import what stands before it in ORDER, never what stands after."""
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] not in ORDER:
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] != ["from"] or not words[1].startswith("."):
                continue
            level = len(words[1]) - len(words[1].lstrip("."))
            target = (*parts[: len(parts) - level], *filter(None, words[1].lstrip(".").split(".")))
            names = [target[0]] if target else [word.strip(",()") for word in words[3:]]
            for name in names:
                if name in ORDER and name != parts[0]:
                    assert ORDER.index(name) < ORDER.index(parts[0]), f"{path.name} imports {name}"
