"""Sizes exact, speeds as medians of repeated runs, every decode compared with the original."""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..errors import MedCompressError, VerificationError
from ..files import read_image
from ..image import Image, same_voxels
from .reference import Figures, encode_jpegxl, encode_tomoz
from .sides import Side, make_side

_logger = logging.getLogger(__name__)
Result = TypeVar("Result")
NRRD, JPEGXL7 = "nrrd", "jpegxl7-slices"
REFERENCES: dict[str, Callable[[Image, int | None], Figures | None]] = {
    JPEGXL7: encode_jpegxl,
    "jpegxl9-slices": partial(encode_jpegxl, effort=9),
    "tomoz": encode_tomoz,
}
"""Methods that are bare streams in memory, without a file."""


@dataclass(frozen=True)
class Measurement:
    """One method on one file.

    Attributes:
        method: ``nrrd`` is Slicer's default save; ``jpegxl7-slices`` the bare streams of JPEG XL
            effort 7, slice by slice, of the same integers, ``tomoz`` those of Tomoz; others are presets and codecs.
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
        """Bits of the file a voxel."""
        return 8 * self.size / self.voxel_count

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values."""
        return {**asdict(self), "bits_per_voxel": self.bits_per_voxel}


def bench(
    paths: Iterable[Path],
    methods: Sequence[str],
    repeats: int = 3,
    threads: int | None = None,
    tell: Callable[[str], None] = _logger.info,
    side: Side | None = None,
) -> Iterator[Measurement]:
    """Measure methods (``nrrd``, ``jpegxl7-slices``, presets, codecs) on image files, one by one.

    A file that cannot be read and a codec that cannot take an image are told and passed over.

    Raises:
        VerificationError: if anything did not decode to the original.
    """
    side = side or make_side()
    for path in paths:
        try:
            image = read_image(path)
        except MedCompressError as error:
            tell(f"passed over: {error}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            run = _Run(side, image, side.hold(image), Path(folder), repeats, threads)
            yield from _bench_image(run, path, methods, tell)


@dataclass(frozen=True, eq=False)
class _Run:
    """One image on one side, and how often and with how many threads it is measured."""

    side: Side
    image: Image
    node: Any
    folder: Path
    repeats: int
    threads: int | None

    def measure(self, method: str) -> tuple[_Figures, Any] | None:
        """Figures and what was loaded last (None for the reference); None if the method does not apply."""
        if method in REFERENCES:
            encoded = REFERENCES[method](self.image, self.threads)
            return None if encoded is None else (_Figures(method, encoded[0], encoded[1], 0.0, encoded[2]), None)
        if method == NRRD:
            target = self.folder / ("reference" + self.side.nrrd_suffix(self.node))
            save, _ = _median(self.repeats, lambda: self.side.write_nrrd(self.node, target))
            load, loaded = _median(self.repeats, lambda: self.side.read_nrrd(target, self.image), self.side.release)
            return _Figures(method, target.stat().st_size, save, 0.0, load), loaded
        target = self.folder / "measured.mcz"
        save, _ = _median(self.repeats, lambda: self.side.save(self.node, target, method, self.threads, False))
        verified, result = _median(self.repeats, lambda: self.side.save(self.node, target, method, self.threads, True))
        load, loaded = _median(self.repeats, lambda: self.side.load(target, self.threads), self.side.release)
        return _Figures(result.codec, target.stat().st_size, save, verified, load), loaded


@dataclass(frozen=True)
class _Figures:
    codec: str
    size: int
    save_seconds: float
    verified_save_seconds: float
    load_seconds: float


def _bench_image(run: _Run, path: Path, methods: Sequence[str], tell: Callable[[str], None]) -> Iterator[Measurement]:
    sizes: dict[str, int] = {}
    for method in methods:
        tell(f"{path.name}: {method}")
        try:
            measured = run.measure(method)
        except VerificationError:
            raise
        except MedCompressError as error:
            tell(f"{path.name}: {method} passed over: {error}")
            continue
        if measured is None:
            continue
        figures, loaded = measured
        sizes[method] = figures.size
        if loaded is not None:
            _check_identical(run, loaded, path, method, tell)
            run.side.release(loaded)
        yield Measurement(
            file=path.name,
            method=method,
            voxel_bytes=run.image.voxels.nbytes,
            voxel_count=run.image.voxel_count,
            nrrd_size=sizes.get(NRRD, 0),
            jpegxl7_size=sizes.get(JPEGXL7, 0),
            **asdict(figures),
        )
    run.side.release(run.node)


def _check_identical(run: _Run, loaded: Any, path: Path, method: str, tell: Callable[[str], None]) -> None:
    if same_voxels(run.side.image(loaded).voxels, run.side.image(run.node).voxels):
        return
    if method != NRRD:
        raise VerificationError(f'"{path}" did not come back identical through {method}.')
    # Slicer flips the axes of some left-handed volumes when it reads them.
    tell(f"{path.name}: Slicer's NRRD came back with voxels in other places")


def _median(
    repeats: int, work: Callable[[], Result], release: Callable[[Result], None] | None = None
) -> tuple[float, Result]:
    """Median seconds of a call, and the last result; earlier ones are released outside the timing."""
    seconds = []
    for number in range(repeats):
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
        if release is not None and number + 1 < repeats:
            release(result)
    return statistics.median(seconds), result
