"""Sizes exact, speeds as medians of repeated runs, every decode compared with the original."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import MedCompressError, VerificationError
from ..files import read_image
from ..image import Image, same_voxels
from .reference import encode_jpegxl7
from .sides import Side, make_side

Result = TypeVar("Result")
NRRD, JPEGXL7 = "nrrd", "jpegxl7-slices"


@dataclass(frozen=True)
class Measurement:
    """One method on one file.

    Attributes:
        method: ``nrrd`` is Slicer's default save; ``jpegxl7-slices`` the bare streams of JPEG XL
            effort 7, slice by slice, of the same integers; others are presets and codecs.
        codec: what a preset chose.
        voxel_bytes, voxel_count: of the image in memory.
        size: bytes of the whole file.
        save_seconds: to write the file, without verification; verified_save_seconds with it.
        load_seconds: from the file to a node (or an array, outside of Slicer).
        nrrd_size, jpegxl7_size: sizes of these two for the same file, 0 where not measured.
    """

    file: str
    method: str
    codec: str
    voxel_bytes: int
    voxel_count: int
    size: int
    save_seconds: float
    verified_save_seconds: float
    load_seconds: float
    nrrd_size: int
    jpegxl7_size: int

    @property
    def bits_per_voxel(self) -> float:
        """Bits of the file a sample."""
        return 8 * self.size / self.voxel_count

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values."""
        return {**asdict(self), "bits_per_voxel": self.bits_per_voxel}


def bench(
    paths: Iterable[Path],
    methods: Sequence[str],
    repeats: int = 3,
    threads: int | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Iterator[Measurement]:
    """Measure methods (``nrrd``, ``jpegxl7-slices``, presets, codecs) on image files, one by one.

    A file that cannot be read and a codec that cannot take an image are told and passed over.

    Raises:
        VerificationError: if anything did not decode to the original.
    """
    side = make_side()
    for path in paths:
        try:
            image = read_image(path)
        except MedCompressError as error:
            tell(f"passed over: {error}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            yield from _bench_image(image, path, Path(folder), side, methods, repeats, threads, tell)


def _bench_image(
    image: Image,
    path: Path,
    folder: Path,
    side: Side,
    methods: Sequence[str],
    repeats: int,
    threads: int | None,
    tell: Callable[[str], None],
) -> Iterator[Measurement]:
    node = side.hold(image)
    nrrd_size = jpegxl7_size = 0
    for method in methods:
        tell(f"{path.name}: {method}")
        codec, verified = method, 0.0
        try:
            if method == NRRD:
                target = folder / ("reference" + side.nrrd_suffix(node))
                save, _ = _median(repeats, lambda: side.write_nrrd(node, target))
                size = nrrd_size = target.stat().st_size
                load, loaded = _median(repeats, lambda: side.read_nrrd(target, image), side.release)
            elif method == JPEGXL7:
                encoded = encode_jpegxl7(image, threads)
                if encoded is None:
                    continue
                size, save, load = jpegxl7_size, _, _ = encoded
                loaded = None
            else:
                target = folder / "measured.mcz"
                save, _ = _median(repeats, lambda: side.save(node, target, method, threads, False))
                verified, result = _median(repeats, lambda: side.save(node, target, method, threads, True))
                size, codec = target.stat().st_size, result.codec
                load, loaded = _median(repeats, lambda: side.load(target, threads), side.release)
        except VerificationError:
            raise
        except MedCompressError as error:
            tell(f"{path.name}: {method} passed over: {error}")
            continue
        if loaded is not None:
            if not same_voxels(side.image(loaded).voxels, side.image(node).voxels):
                if method != NRRD:
                    raise VerificationError(f'"{path}" did not come back identical through {method}.')
                # Slicer flips the axes of some left-handed volumes when it reads them.
                tell(f"{path.name}: Slicer's NRRD came back with other voxels in other places")
            side.release(loaded)
        yield Measurement(
            path.name, method, codec, image.voxels.nbytes, image.voxel_count, size, save, verified, load, nrrd_size, jpegxl7_size
        )
    side.release(node)


def _median(
    repeats: int, work: Callable[[], Result], release: Callable[[Result], None] = lambda result: None
) -> tuple[float, Result]:
    """Median seconds of a call, and the last result; earlier ones are released outside the timing."""
    seconds = []
    for number in range(repeats):
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
        if number + 1 < repeats:
            release(result)
    return statistics.median(seconds), result
