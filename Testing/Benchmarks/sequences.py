"""Sequences: what the time axis is worth, as Markdown tables.

    python Testing/Benchmarks/sequences.py FILES...

For every sequence the size of Slicer's `.seq.nrrd`, that of each lossless way frame by frame and with frames coded
after others, the same at a PSNR for lossy ones, how long one frame takes, and how long saving and loading take
beside Slicer.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from SlicerMedCompressLib import compression, lossy_choice
from SlicerMedCompressLib.container import Reader
from SlicerMedCompressLib.errors import UnreachableTargetError
from SlicerMedCompressLib.files import read_image
from SlicerMedCompressLib.image import Image, same_voxels
from SlicerMedCompressLib.scene.standalone import new_scene
from SlicerMedCompressLib.targets import Psnr

LOSSLESS: dict[str, dict[str, Any]] = {
    "fast": {"preset": "fast"},
    "balanced": {"preset": "balanced"},
    "JPEG XL 7": {"codec": "jpegxl:7"},
    "causal:0": {"codec": "causal:0"},
}
DECIBELS = (40, 45)


@contextmanager
def frame_by_frame() -> Iterator[None]:
    """No frame is coded with others in view."""
    views = lossy_choice.views

    def one_view(*arguments: Any) -> list[Any]:
        return views(*arguments)[:1]

    with (
        mock.patch.object(compression, "in_groups", lambda image, plan: plan),
        mock.patch.object(compression, "views", one_view),
        mock.patch.object(lossy_choice, "in_groups", lambda image, plan: plan),
        mock.patch.object(lossy_choice, "views", one_view),
    ):
        yield


def written(image: Image, path: Path, how: dict[str, Any]) -> int:
    """Bytes of the file, read back and compared where nothing may be lost."""
    compression.compress(image, path, **how)
    if "target" not in how:
        assert same_voxels(compression.decompress(path).voxels, image.voxels)
    return path.stat().st_size


def alone(how: dict[str, Any]) -> dict[str, Any]:
    """The same for a codec that looks at frames by itself."""
    return {"codec": "causal:0,frames=1"} if how.get("codec") == "causal:0" else how


def seconds(work: Callable[[], Any], repeats: int = 3) -> float:
    """Least of a few times."""
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


def lossless_row(image: Image, folder: Path) -> list[str]:
    """Sizes frame by frame and after one another."""
    cells = []
    for name, how in LOSSLESS.items():
        with frame_by_frame():
            before = written(image, folder / f"{name}-alone.mcz", alone(how))
        after = written(image, folder / f"{name}.mcz", how)
        bits = 8 / image.voxel_count
        cells.append(f"{before * bits:.3f} → {after * bits:.3f} ({100 * (after / before - 1):+.1f} %)")
    return cells


def lossy_row(image: Image, folder: Path) -> list[str]:
    """The same at equal PSNR."""
    cells = []
    for decibels in DECIBELS:
        how = {"target": Psnr(decibels)}
        try:
            with frame_by_frame():
                before = written(image, folder / "a.mcz", how)
            after = written(image, folder / "b.mcz", how)
        except UnreachableTargetError as error:
            cells.append(str(error).split(";")[0])
            continue
        with Reader(folder / "b.mcz") as reader:
            told = f"{reader.header.codec.id}{', over time' if reader.header.over_time else ''}"
        cells.append(f"{100 * (after / before - 1):+.1f} % ({told})")
    return cells


def frame_times(folder: Path, frames: int) -> str:
    """Time of one frame, in the median and at most, in times of one that was coded on its own."""

    def one(path: Path, frame: int) -> float:
        def read() -> None:
            with Reader(path, 1) as reader:
                reader.read_region(frame)

        return seconds(read)

    own = statistics.median(one(folder / "balanced-alone.mcz", frame) for frame in range(frames))
    times = [one(folder / "balanced.mcz", frame) / own for frame in range(frames)]
    return f"{statistics.median(times):.1f} x, at most {max(times):.1f} x"


def beside_slicer(image: Image, folder: Path) -> list[str]:
    """Size of `.seq.nrrd`; how much faster `fast` saves (and checks) and loads nodes."""
    import slicer

    from SlicerMedCompressLib.scene.conversion import image_to_node
    from SlicerMedCompressLib.scene.logic import MedCompressLogic
    from SlicerMedCompressLib.scene.nrrd import read_nrrd, write_nrrd

    standalone = new_scene()
    node, logic = image_to_node(image, slicer.mrmlScene, "measured"), MedCompressLogic()
    nrrd, ours = folder / "slicer.seq.nrrd", folder / "ours.mcz"
    save = seconds(lambda: write_nrrd(node, nrrd), 2)
    load = seconds(lambda: read_nrrd(nrrd, image, slicer.mrmlScene), 2)
    ours_saves = seconds(lambda: logic.compress(node, ours, preset="fast"), 2)
    ours_loads = seconds(lambda: logic.load(ours), 2)
    size = 8 * os.path.getsize(nrrd) / image.voxel_count
    standalone.scene.Clear(False)
    return [f"{size:.3f}", f"{save / ours_saves:.1f} x", f"{load / ours_loads:.1f} x"]


def main() -> None:
    """Three tables."""
    rows: list[tuple[str, list[str], list[str], list[str], str]] = []
    for path in map(Path, sys.argv[1:]):
        image = read_image(path)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            slicer_cells = beside_slicer(image, folder)
            lossless = lossless_row(image, folder)
            rows.append(
                (path.name, lossless, lossy_row(image, folder), slicer_cells, frame_times(folder, len(image.voxels)))
            )
        print("measured", path.name, *rows[-1][1:], file=sys.stderr, flush=True)
    print("| sequence | `.seq.nrrd` | " + " | ".join(LOSSLESS) + " |\n|---|" + "---|" * (len(LOSSLESS) + 1))
    for name, lossless, _, beside, _ in rows:
        print(f"| {name} | {beside[0]} | " + " | ".join(lossless) + " |")
    print("\n| sequence | " + " | ".join(f"{decibels} dB" for decibels in DECIBELS) + " | one frame | save | load |")
    print("|---|" + "---|" * (len(DECIBELS) + 3))
    for name, _, lossy, beside, frame in rows:
        print(f"| {name} | " + " | ".join(lossy) + f" | {frame} | {beside[1]} | {beside[2]} |")


if __name__ == "__main__":
    main()
