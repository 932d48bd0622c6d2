"""Sizes at an error bound: every way of keeping it, beside quantization and JPEG XL effort 7.

    python Testing/Benchmarks/near_lossless.py --json figures.json IMAGE...

Sizes are of whole files, in bits per voxel; every decoded voxel was compared with its original. The
reference are the bare streams of JPEG XL effort 7, a slice each, of the voxels quantized to steps of
2 x bound + 1 (floats: 2 x bound).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from SlicerMedCompressLib.codecs import codec_named
from SlicerMedCompressLib.codecs.jpegxl import JpegXl
from SlicerMedCompressLib.compression import compress_in_memory
from SlicerMedCompressLib.files import read_image
from SlicerMedCompressLib.image import Image
from SlicerMedCompressLib.lossy_plans import Source, bounded_plans
from SlicerMedCompressLib.parallel import thread_pool
from SlicerMedCompressLib.targets import MaxError
from SlicerMedCompressLib.tiling import Region
from SlicerMedCompressLib.transforms import analyse

BOUNDS = (1, 2, 4, 8)
REFERENCE = "JXL e7 slices"
METHODS = "jpegxl:3,jpegxl:5,jpegxl:7,jpegls,htj2k,jpegls-near,sperr,sz3,zfp,bounded"


def reference_bits(image: Image, bound: int) -> float:
    """Bits per voxel of the reference."""
    codec = JpegXl(7)
    with thread_pool(None) as pool:
        source = Source.of(image, analyse(image, pool))
        pipeline = bounded_plans(source, codec, MaxError(bound).tolerance(None))[0].pipeline
        frames, slices, rows, columns, _ = image.voxels.shape

        def size(index: tuple[int, ...]) -> int:
            region = Region(index[0], (index[1], index[1] + 1), (0, rows), (0, columns))
            planes = pipeline.forward(region.of(image.voxels), region)
            return sum(len(codec.encode(np.ascontiguousarray(planes[..., plane]))) for plane in range(planes.shape[-1]))

        return 8 * sum(pool.map(size, np.ndindex(frames, slices))) / image.voxel_count


def measured(path: Path, methods: Sequence[str], bounds: Sequence[int]) -> list[dict[str, Any]]:
    """A row a bound: bits per voxel of each method and the largest error found; None where it does not apply."""
    image = read_image(path)
    rows = []
    for bound in bounds:
        row: dict[str, Any] = {"file": path.name, "bound": bound, REFERENCE: reference_bits(image, bound)}
        for method in methods:
            named = {"preset": "bounded"} if method == "bounded" else {"codec": codec_named(method)}
            _, result = compress_in_memory(image, target=MaxError(bound), **named)  # type: ignore[arg-type]
            assert result.maximum_error <= bound, (path, method, bound)
            row[method] = result.bits_per_voxel
            if method == "bounded":
                row["chosen"] = result.codec
        rows.append(row)
        print(
            path.name,
            bound,
            {key: round(value, 3) for key, value in row.items() if isinstance(value, float)},
            flush=True,
        )
    return rows


def summary(rows: list[dict[str, Any]], methods: Sequence[str]) -> str:
    """For each bound the mean size of each method in percent of the reference's."""
    lines = ["bound  files  " + "  ".join(f"{method:>11}" for method in methods)]
    for bound in sorted({row["bound"] for row in rows}):
        own = [row for row in rows if row["bound"] == bound]
        means = [statistics.mean(row[method] / row[REFERENCE] for row in own) for method in methods]
        lines.append(f"{bound:5}  {len(own):5}  " + "  ".join(f"{mean:11.1%}" for mean in means))
    return "\n".join(lines)


def main() -> None:
    """Measure all images and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    methods = options.methods.split(",")
    rows = [row for path in options.images for row in measured(path, methods, BOUNDS)]
    print(summary(rows, methods))
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
