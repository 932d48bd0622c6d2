"""How long a slice, a 64 voxel cube and a frame take out of a large file.

    python Testing/Benchmarks/random_access.py [IMAGE]

The volume is 512 x 512 x 300: an image's slices repeated up and down, so that noise and anatomy
are real, or a generated head without one. Warm: the file is in the system's cache.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from SlicerMedCompressLib.compression import compress
from SlicerMedCompressLib.container import Reader
from SlicerMedCompressLib.image import Image
from SlicerMedCompressLib.presets import PRESETS

SHAPE = (300, 512, 512)
TRIES = 60


def large_volume(path: Path | None) -> np.ndarray:
    """(300, 512, 512) of 16 bit."""
    if path is None:
        random = np.random.default_rng(0)
        z, y, x = np.ogrid[-1:1:300j, -1:1:512j, -1:1:512j]
        ball = np.clip(1.1 - np.sqrt(x * x + y * y + z * z), 0, 0.6) * 1500
        return (ball + random.normal(0, 12, SHAPE)).astype(np.int16)
    from SlicerMedCompressLib.files import read_image

    voxels = read_image(path).voxels[0, ..., 0]
    if voxels.shape[1:] != SHAPE[1:]:
        raise SystemExit(f"{path} has slices of {voxels.shape[1:]}; name a volume of 512 x 512.")
    mirrored = np.concatenate([voxels, voxels[::-1]])
    return mirrored[np.arange(SHAPE[0]) % len(mirrored)]


def milliseconds(reader: Reader, boxes: list[tuple]) -> list[float]:
    """Time of each box, after one that is not counted."""
    reader.read_region(0, *boxes[0])
    found = []
    for box in boxes:
        started = time.perf_counter()
        reader.read_region(0, *box)
        found.append(1000 * (time.perf_counter() - started))
    return found


def main() -> None:
    """Print medians and worst cases for every preset."""
    voxels = large_volume(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    random = np.random.default_rng(1)
    starts = [tuple(int(random.integers(length - 64)) for length in SHAPE) for _ in range(TRIES)]
    cubes = [tuple((start, start + 64) for start in corner) for corner in starts]
    slices = [((int(z), int(z) + 1), None, None) for z in random.integers(0, SHAPE[0], TRIES)]
    with tempfile.TemporaryDirectory() as folder:
        for preset in PRESETS:
            path = Path(folder) / f"{preset}.mcz"
            result = compress(Image(voxels[np.newaxis, ..., np.newaxis]), path, preset=preset)
            with Reader(path) as reader:
                for name, boxes in (("slice", slices), ("64^3 cube", cubes)):
                    times = milliseconds(reader, boxes)
                    print(
                        f"{preset:>9} {result.codec:<9} {name:<9} median {statistics.median(times):6.1f} ms, "
                        f"worst {max(times):6.1f} ms, {sum(time <= 50 for time in times)} of {TRIES} within 50 ms"
                    )


if __name__ == "__main__":
    main()
