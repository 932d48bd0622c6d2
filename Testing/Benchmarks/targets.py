"""How near do targets come, and in how many encodes of the whole image?

    python Testing/Benchmarks/targets.py IMAGE...

Every codec that codes with loss, and two lossless ones on quantized voxels, at a PSNR, a ratio and bits per
voxel. A line a codec: targets reached, the largest distance from them, whole encodes (mean and most), and
those that the codec cannot reach, which are errors that tell the nearest.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from pathlib import Path

from SlicerMedCompressLib.codecs import CODECS
from SlicerMedCompressLib.compression import compress_in_memory
from SlicerMedCompressLib.errors import UnreachableTargetError
from SlicerMedCompressLib.files import read_image
from SlicerMedCompressLib.image import Image, Kind
from SlicerMedCompressLib.results import CompressResult
from SlicerMedCompressLib.targets import BitsPerVoxel, Psnr, Ratio, SearchedTarget

TARGETS = (Psnr(40), Psnr(50), Ratio(10), BitsPerVoxel(1.5))
METHODS = (*(name for name, codec in CODECS.items() if codec.guarantee != "lossless"), "jpegls", "zstd", "lossy")


def distance(target: SearchedTarget, result: CompressResult) -> float:
    """From the target: dB, or a share of the size."""
    assert result.reached is not None
    return abs(result.reached - target.value) if isinstance(target, Psnr) else abs(result.reached / target.value - 1)


def measure(image: Image, method: str, target: SearchedTarget) -> CompressResult | None:
    """The result, or None where the codec cannot reach the target."""
    named = {"preset": method} if method == "lossy" else {"codec": method}
    try:
        return compress_in_memory(image, target=target, **named)[1]  # type: ignore[arg-type]
    except UnreachableTargetError:
        return None


def main() -> None:
    """Measure all images, then print a line a codec."""
    images = [image for image in map(read_image, map(Path, sys.argv[1:])) if image.kind is not Kind.LABEL]
    print("codec | reached | furthest dB | furthest size | whole encodes, mean | most | beyond reach")
    for method in METHODS:
        off: dict[str, list[float]] = defaultdict(list)
        encodes, beyond = [], 0
        for image in images:
            for target in TARGETS:
                result = measure(image, method, target)
                if result is None:
                    beyond += 1
                    continue
                off["dB" if isinstance(target, Psnr) else "size"].append(distance(target, result))
                encodes.append(result.whole_encodes)
        furthest = f"{max(off['dB'], default=0):.2f} | {max(off['size'], default=0):.1%}"
        count = f"{statistics.mean(encodes):.1f} | {max(encodes)}" if encodes else "- | -"
        print(f"{method} | {len(encodes)} | {furthest} | {count} | {beyond}", flush=True)


if __name__ == "__main__":
    main()
