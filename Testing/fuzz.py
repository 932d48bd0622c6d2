"""Many mutations of `.mcz` files, each batch in a process of its own that is watched.

    python Testing/fuzz.py --count 10000

Tells how many were refused and how many gave the right voxels, and fails if any gave wrong
voxels, another kind of error, a crash, more than 2 GB of memory or more than a minute a batch.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
BATCH = 250
MEMORY_LIMIT = 2 << 30


def main() -> int:
    """Run the batches and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.batch is not None:
        return run_batch(options.batch)
    outcomes: Counter[str] = Counter()
    failed = 0
    for seed in range(options.seed, options.seed + -(-options.count // BATCH)):
        command = [sys.executable, __file__, "--batch", str(seed)]
        try:
            child = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            failed += 1
            print(f"batch {seed} took more than a minute")
            continue
        if child.returncode:
            failed += 1
            print(f"batch {seed} ended with {child.returncode}: {child.stderr[-800:]}")
            continue
        refused, right = map(int, child.stdout.split()[-2:])
        outcomes.update(refused=refused, right=right)
    print(
        f"{sum(outcomes.values())} mutations: {outcomes['refused']} refused, {outcomes['right']} right, "
        f"{failed} failed batches"
    )
    return 1 if failed else 0


def run_batch(seed: int) -> int:
    """One batch; prints how many were refused and how many gave the right voxels."""
    sys.path[:0] = [str(HERE / "Python"), str(HERE.parent / "SlicerMedCompress")]
    import numpy as np
    from mutations import mutated
    from test_hostile_files import samples

    from SlicerMedCompressLib.compression import decompress
    from SlicerMedCompressLib.errors import CorruptFileError, InputError

    files = samples()
    random = np.random.default_rng(seed)
    refused = right = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutated.mcz"
        before = peak()
        for number in range(BATCH):
            data, voxels = files[number % len(files)]
            path.write_bytes(mutated(data, random))
            try:
                decoded = decompress(path, threads=1)
            except (CorruptFileError, InputError) as error:
                refused += str(path) in str(error)
                assert str(path) in str(error), error
            else:
                assert decoded.voxels.tobytes() == voxels.tobytes(), "wrong voxels were accepted"
                right += 1
        assert peak() - before < MEMORY_LIMIT, "a mutation took too much memory"
    print(refused, right)
    return 0


def peak() -> int:
    """Bytes of the largest resident size so far."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    sys.exit(main())
