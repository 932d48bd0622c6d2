"""Where a measurement runs: nodes in a MRML scene where slicer-core is installed, else plain arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from ..compression import compress, decompress
from ..errors import InputError
from ..files import read_image, write_image
from ..image import Image, Kind
from ..presets import PRESETS
from ..results import CompressResult


class Side(Protocol):
    """Holding, saving and loading one image; ``held`` is a node or an Image."""

    label: str

    def hold(self, image: Image) -> Any: ...

    def image(self, held: Any) -> Image: ...

    def release(self, held: Any) -> None: ...

    def nrrd_suffix(self, held: Any) -> str: ...

    def write_nrrd(self, held: Any, path: Path) -> None: ...

    def read_nrrd(self, path: Path, image: Image) -> Any: ...

    def save(self, held: Any, path: Path, method: str, threads: int | None, verify: bool) -> CompressResult: ...

    def load(self, path: Path, threads: int | None) -> Any: ...


def chosen(method: str) -> tuple[str | None, str | None]:
    """Preset and codec of ``compress`` for a preset's or a codec's name."""
    return (method, None) if method in PRESETS else (None, method)


class SceneSide:
    """Nodes in a scene; NRRD through Slicer's own storage nodes."""

    label = "Slicer's NRRD through slicer-core"

    def __init__(self) -> None:
        from ..scene import conversion, logic, nrrd, standalone

        self._conversion, self._nrrd = conversion, nrrd
        self._standalone = standalone.new_scene()
        self._logic = logic.MedCompressLogic()

    def hold(self, image: Image) -> Any:
        return self._conversion.image_to_node(image, self._standalone.scene)

    def image(self, held: Any) -> Image:
        return self._conversion.node_to_image(held)

    def release(self, held: Any) -> None:
        self._standalone.scene.RemoveNode(held)

    def nrrd_suffix(self, held: Any) -> str:
        return self._nrrd.suffix_for(held)

    def write_nrrd(self, held: Any, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._nrrd.write_nrrd(held, path)

    def read_nrrd(self, path: Path, image: Image) -> Any:
        return self._nrrd.read_nrrd(path, image, self._standalone.scene)

    def save(self, held: Any, path: Path, method: str, threads: int | None, verify: bool) -> CompressResult:
        preset, codec = chosen(method)
        return self._logic.compress(held, path, preset, codec, threads, verify)

    def load(self, path: Path, threads: int | None) -> Any:
        return self._logic.load(path, threads=threads)


class ArraySide:
    """Images in memory; NRRD through SimpleITK, which is ITK's writer as Slicer's is, at its own level."""

    label = "NRRD through SimpleITK (slicer-core is not installed)"

    def hold(self, image: Image) -> Image:
        return image

    def image(self, held: Image) -> Image:
        return held

    def release(self, held: Image) -> None:
        pass

    def nrrd_suffix(self, held: Image) -> str:
        return ".seg.nrrd" if held.kind is Kind.SEGMENTATION else ".nrrd"

    def write_nrrd(self, held: Image, path: Path) -> None:
        write_image(held, path)

    def read_nrrd(self, path: Path, image: Image) -> Image:
        return read_image(path, kind=image.kind)

    def save(self, held: Image, path: Path, method: str, threads: int | None, verify: bool) -> CompressResult:
        preset, codec = chosen(method)
        return compress(held, path, preset=preset, codec=codec, threads=threads, verify=verify)

    def load(self, path: Path, threads: int | None) -> Image:
        return decompress(path, threads=threads)


def make_side() -> Side:
    """Nodes where slicer-core is installed, else arrays."""
    try:
        return SceneSide()
    except ImportError:
        return ArraySide()


def image_files(paths: list[Path]) -> list[Path]:
    """Files as given, and all image files below folders; a folder of DICOM files counts as one image.

    Raises InputError if nothing is found.
    """
    known = (".nrrd", ".nii", ".nii.gz", ".mha", ".mhd", ".tif", ".tiff")
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        for folder in sorted({path, *(child for child in path.rglob("*") if child.is_dir())}):
            files = sorted(child for child in folder.iterdir() if child.is_file())
            found += [file for file in files if file.name.lower().endswith(known)]
            if any(file.suffix.lower() == ".dcm" for file in files):
                found.append(folder)
    if not found:
        raise InputError(f"There are no images in {', '.join(map(str, paths))}.")
    return found
