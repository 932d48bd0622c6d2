"""Speed of every codec with one thread and with two, encoding and decoding.

    python Testing/Benchmarks/codec_speeds.py IMAGE [--threads 1,2]

MB (10^6 bytes of voxels) a second, medians of three. Lossless codecs as they are set; lossy ones at the step
that aims at 50 dB. Encoding is without verification; for lossy codecs it includes decoding and comparing each
tile, which every lossy write does. Decoding is from the file in memory to an array.
"""

from __future__ import annotations

import argparse
import io
import math
import statistics
import time
from pathlib import Path

from SlicerMedCompressLib.codecs import CODECS, Codec, LossyCodec
from SlicerMedCompressLib.container import Plan, Reader, write_archive
from SlicerMedCompressLib.files import read_image
from SlicerMedCompressLib.image import Image
from SlicerMedCompressLib.lossy_plans import Source, plan_with_step
from SlicerMedCompressLib.parallel import thread_pool
from SlicerMedCompressLib.presets import lossless_plans
from SlicerMedCompressLib.progress import Progress
from SlicerMedCompressLib.tolerance import Tolerance
from SlicerMedCompressLib.transforms import analyse

PSNR = 50.0
REPEATS = 3


def plan_of(image: Image, codec: Codec, threads: int) -> Plan:
    """How the codec is measured."""
    with thread_pool(threads) as pool:
        facts = analyse(image, pool)
    if not isinstance(codec, LossyCodec):
        return lossless_plans(image, facts, [codec])[0]
    source = Source.of(image, facts)
    step = source.range * math.sqrt(12) * 10 ** (-PSNR / 20)
    return plan_with_step(source, codec, step, Tolerance(math.inf))


def speeds(image: Image, plan: Plan, threads: int) -> tuple[float, float]:
    """Encoding and decoding in MB a second."""
    encode, decode = [], []
    for _ in range(REPEATS):
        stream = io.BytesIO()
        started = time.perf_counter()
        with thread_pool(threads) as pool:
            write_archive(stream, image, plan, pool, threads, Progress())
        written = time.perf_counter()
        with Reader(stream, threads) as reader:
            reader.read()
        encode.append(written - started)
        decode.append(time.perf_counter() - written)
    megabytes = image.voxels.nbytes / 1e6
    return megabytes / statistics.median(encode), megabytes / statistics.median(decode)


def main() -> None:
    """A line a codec."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("--threads", default="1,2")
    options = parser.parse_args()
    image, counts = read_image(options.image), [int(text) for text in options.threads.split(",")]
    print("codec | " + " | ".join(f"encode {n} | decode {n}" for n in counts) + " | scaling of encode, decode")
    for name, kind in CODECS.items():
        if kind.for_labels or kind.unavailable_reason() is not None:
            continue
        found = [speeds(image, plan_of(image, kind(), n), n) for n in counts]
        scaling = [found[-1][way] / found[0][way] for way in (0, 1)]
        cells = " | ".join(f"{encode:.0f} | {decode:.0f}" for encode, decode in found)
        print(f"{name} | {cells} | {scaling[0]:.2f}, {scaling[1]:.2f}", flush=True)


if __name__ == "__main__":
    main()
