"""Does every codec keep every bound on every voxel of real images?

    python Testing/Benchmarks/bounds.py IMAGE...

Bounds of 1, 2, 4 and 8 stored units (for floats also those shares of a thousandth of the range, and relative
ones of 1 and 5 percent). Each tile is decoded as it is coded and compared with its original; a voxel beyond
the bound ends the run with an error. Codecs without a bound of their own are taken at the step that would
just keep it, so that corrections have work to do.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from SlicerMedCompressLib.codecs import CODECS, LossyCodec
from SlicerMedCompressLib.container import Plan, write_archive
from SlicerMedCompressLib.errors import UnsupportedImageError
from SlicerMedCompressLib.files import read_image
from SlicerMedCompressLib.image import Image, Kind
from SlicerMedCompressLib.lossy_plans import Source, bounded_plans
from SlicerMedCompressLib.parallel import thread_count, thread_pool
from SlicerMedCompressLib.progress import Progress
from SlicerMedCompressLib.tolerance import Tolerance
from SlicerMedCompressLib.transforms import analyse

BOUNDS = (1.0, 2.0, 4.0, 8.0)
RELATIVE = (0.01, 0.05)


def tolerances(source: Source) -> Iterator[Tolerance]:
    """What is asked of an image."""
    yield from map(Tolerance, BOUNDS)
    if not source.is_integer:
        yield from (Tolerance(bound * source.range / 1000) for bound in BOUNDS)
    yield from (Tolerance(bound, relative=True) for bound in RELATIVE)


def middle(plans: list[Plan]) -> Plan:
    """The step that would just keep the bound, of those that are tried; else the first way."""
    return plans[2] if len(plans) > 3 else plans[0]


def check(path: Path, image: Image, counts: Counter[str]) -> None:
    """All codecs and bounds on one image; VerificationError if one is broken."""
    with thread_pool(None) as pool:
        source = Source.of(image, analyse(image, pool))
        for name, kind in CODECS.items():
            if kind.for_labels or kind.unavailable_reason() is not None:
                continue
            for tolerance in tolerances(source):
                try:
                    plan = middle(bounded_plans(source, kind(), tolerance))
                except UnsupportedImageError:
                    assert tolerance.relative, "only relative bounds may be refused"
                    assert issubclass(kind, LossyCodec)
                    continue
                header = write_archive(io.BytesIO(), image, plan, pool, thread_count(None), Progress())
                assert tolerance.relative or header.guarantee.maximum_error <= tolerance.bound, (path, name)
                counts[name] += 1


def main() -> None:
    """Check all images and tell how many pairs of image and bound each codec kept."""
    counts: Counter[str] = Counter()
    for text in sys.argv[1:]:
        path = Path(text)
        image = read_image(path)
        if image.kind is not Kind.LABEL:
            check(path, image, counts)
            print(path.name, sum(counts.values()), flush=True)
    print("bounds kept:", ", ".join(f"{name} {count}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
