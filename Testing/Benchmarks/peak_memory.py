"""Peak memory of compressing and decompressing a file, in multiples of its voxels.

    python Testing/Benchmarks/peak_memory.py IMAGE

Each runs in a process of its own; what the interpreter and the libraries need by themselves,
measured after a tiny image went the same way, is subtracted. The volume itself counts.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from SlicerMedCompressLib.presets import QUICK_PRESETS
from SlicerMedCompressLib.targets import MaxError

METHODS: dict[str, dict[str, Any]] = {
    **{preset: {"preset": preset} for preset in QUICK_PRESETS},
    "bounded": {"target": MaxError(2)},
    "sperr": {"codec": "sperr", "target": MaxError(2)},
    "hevc": {"codec": "hevc"},
    "causal": {"codec": "causal", "device": "cpu"},
    "causal with numpy alone": {"codec": "causal", "device": "numpy"},
}


def peak() -> float:
    """Bytes of the largest resident size so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def child(action: str, source: str, target: str, method: str) -> None:
    """Do it once on nothing much and once on the file; print the difference in volumes."""
    import numpy as np

    from SlicerMedCompressLib.compression import compress, decompress
    from SlicerMedCompressLib.files import read_image
    from SlicerMedCompressLib.image import Image

    tiny = Image(np.arange(64, dtype=np.int16).reshape(1, 4, 4, 4, 1))
    compress(tiny, target + ".tiny", **METHODS[method])
    device = METHODS[method].get("device", "auto")
    decompress(target + ".tiny", device=device)
    if action == "compress":
        import SimpleITK  # noqa: F401
    before = peak()
    if action == "compress":
        image = read_image(source)
        compress(image, target, **METHODS[method])
    else:
        image = decompress(source, device=device)
    print(f"{(peak() - before) / image.voxels.nbytes:.2f}")


def main() -> None:
    """Print a line a method."""
    if len(sys.argv) == 5:
        child(*sys.argv[1:])
        return
    source = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        for method in METHODS:
            target = os.fspath(Path(folder) / f"{method}.mcz")
            figures = [
                subprocess.run(
                    [sys.executable, __file__, *words, method], capture_output=True, text=True, check=True
                ).stdout.strip()
                for words in (["compress", source, target], ["decompress", target, target])
            ]
            print(f"{method:>23}: compress {figures[0]} x the volume, decompress {figures[1]} x")


if __name__ == "__main__":
    main()
