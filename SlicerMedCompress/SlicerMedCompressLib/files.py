"""Image files to images and back, through SimpleITK: NRRD, NIfTI, MetaImage, TIFF, DICOM folders.

A `.seg.nrrd` is a segmentation. A `.seq.nrrd`, any NRRD with an axis of frames, and the scene of one
sequence (`.seq.mrb`, `.mrb`) are read without SimpleITK, which knows no frames. Of a DICOM series only
voxels and geometry are taken: no patient, study or device identifiers reach a file this way.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .dicom import read_series
from .errors import InputError, OutputError, UnsupportedImageError
from .frame_times import NIFTI_SUFFIXES, evenly_spaced, read_time_axis, start_and_step
from .image import FrameAxis, Geometry, Image, Kind, check_voxel_type, same_voxels
from .libraries import library
from .mrb_files import MRB_SUFFIXES, read_bundle
from .nrrd_header import INTERNAL_KEYS
from .segmentation_files import segmentation_from_header, segmentation_header
from .sequence_files import SEQUENCE_SUFFIXES, read_sequence, sequence_header, write_sequence

WRITABLE = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".tif", ".tiff")
SEGMENTATION_SUFFIX = ".seg.nrrd"
SEQUENCE_SUFFIX = ".seq.nrrd"
_KEEPS_ATTRIBUTES = (".nrrd", ".nhdr", ".mha", ".mhd")
_NRRD_SUFFIXES = (".nrrd", ".nhdr", *SEQUENCE_SUFFIXES)
_logger = logging.getLogger(__name__)


def read_image(path: str | os.PathLike[str], kind: Kind | None = None) -> Image:
    """Any image file or DICOM folder as an image.

    Args:
        kind: what the voxels are; by default what the file says of them (`.seg.nrrd`, `.seq.nrrd`), labels
            where its name says so (`_label`, `-label`, `_seg`), colour for 8 bit RGB(A), else scalar or vector.

    Raises:
        InputError, UnsupportedImageError: naming the file and the problem.
    """
    source = Path(path)
    if not os.path.exists(source):
        raise InputError(f'There is no file or folder "{path}".')
    sequence = _read_sequence(source, kind)
    if sequence is not None:
        return sequence
    sitk = _simpleitk()
    try:
        read = read_series(sitk, source) if source.is_dir() else sitk.ReadImage(os.fspath(source))
    except RuntimeError as error:
        raise InputError(f'Cannot read "{path}": it is not an image that SimpleITK knows, or is damaged.') from error
    try:
        return _to_image(sitk, read, source, kind)
    except UnsupportedImageError as error:
        raise UnsupportedImageError(f'"{path}": {error}') from error


def _read_sequence(source: Path, kind: Kind | None) -> Image | None:
    """The image with frames in a file of a kind that SimpleITK reads otherwise or not at all; else None."""
    suffix = _suffix(source)
    if source.is_dir():
        return None
    if suffix in MRB_SUFFIXES:
        return read_bundle(source, stem(source), lambda path, own: read_image(path, kind or own))
    header = sequence_header(source, kind) if suffix in _NRRD_SUFFIXES else None
    if header is None:
        return None
    return read_sequence(source, header, stem(source), kind, _kind(source, header.voxel_type, 1))


def write_image(image: Image, path: str | os.PathLike[str], compress: bool = True) -> None:
    """Write an image in the format that the file name ends in; an existing file is replaced at once.

    Raises OutputError if the format is unknown or cannot hold the image.
    """
    target = Path(path)
    suffix = _suffix(target)
    _check_suffix(target.name, suffix, image)
    if suffix == SEQUENCE_SUFFIX:
        write_sequence(image, target, compress)
        return
    sitk = _simpleitk()
    try:
        written = _from_image(sitk, image, target.name)
    except RuntimeError as error:
        raise OutputError(f'Cannot write "{target}": ITK refuses its geometry. ({_last_line(error)})') from error
    fields = segmentation_header(image) if image.kind is Kind.SEGMENTATION else dict(image.attributes)
    keeps = suffix in (*_KEEPS_ATTRIBUTES, SEGMENTATION_SUFFIX)
    kept = {key: text for key, text in fields.items() if keeps and _fits_header(key, text)}
    for key, text in kept.items():
        written.SetMetaData(key, text)
    if len(kept) < len(fields):
        _logger.warning(
            "%s: %d of %d attributes are left out: the format keeps none, or none with line breaks or colons.",
            target.name,
            len(fields) - len(kept),
            len(fields),
        )
    _write(sitk, written, image, target, compress)


def _check_suffix(name: str, suffix: str, image: Image) -> None:
    """Raise OutputError if no file of such a name can be written, or none that holds the image."""
    own = (SEGMENTATION_SUFFIX, SEQUENCE_SUFFIX)
    if suffix not in (*own, *WRITABLE):
        raise OutputError(f'"{name}": choose a name that ends in {", ".join((*own, *WRITABLE))}.')
    if (suffix == SEGMENTATION_SUFFIX) != (image.kind is Kind.SEGMENTATION):
        needed = SEGMENTATION_SUFFIX if image.kind is Kind.SEGMENTATION else ".nrrd or another volume format"
        raise OutputError(f'"{name}": a {image.kind.value} needs a name that ends in {needed}.')
    if suffix == SEQUENCE_SUFFIX and image.frame_axis is None:
        raise OutputError(
            f'"{name}": an image without frames needs a name that ends in .nrrd or another volume format.'
        )


def _fits_header(key: str, text: str) -> bool:
    """Whether the line-based headers of NRRD and MetaImage keep a field: others break the file."""
    plain = key.strip() == key and key and not set(key) & set(":=#\n\r") and key.isprintable()
    return bool(plain) and not set(text) & set("\n\r\0") and text.strip() == text


def _write(sitk: ModuleType, written: Any, image: Image, target: Path, compress: bool) -> None:
    """Write into a folder of its own beside the target, read back, compare, move.

    ITK's writers do not all tell when a disk is full, and some headers do not read back.
    """
    try:
        if target.is_dir():
            raise OutputError(f'"{target}" is a folder; name a file to write.')
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".medcompress-") as folder:
            scratch = Path(folder) / target.name
            try:
                sitk.WriteImage(written, os.fspath(scratch), useCompression=compress)
                again = sitk.GetArrayFromImage(sitk.ReadImage(os.fspath(scratch)))
            except RuntimeError as error:
                raise OutputError(
                    f'Cannot write "{target}": the disk is full, or the format cannot hold the image. '
                    f"({_last_line(error)})"
                ) from error
            if not same_voxels(again.reshape(-1), np.ascontiguousarray(image.voxels).reshape(-1)):
                raise OutputError(
                    f'Cannot write "{target}": it does not read back to the same voxels; is the disk full?'
                )
            # The header of a pair goes last: without it the data are no image yet.
            for part in sorted(Path(folder).iterdir(), key=lambda part: part == scratch):
                os.replace(part, target.with_name(part.name))
    except OSError as error:
        raise OutputError(
            f'Cannot write "{target}": the folder is missing or not writable, or the disk is full. ({error.strerror})'
        ) from error


def _simpleitk() -> ModuleType:
    return library("SimpleITK", "SimpleITK", "Reading and writing image files")


def _suffix(path: Path) -> str:
    name = path.name.lower()
    for double in (SEGMENTATION_SUFFIX, *SEQUENCE_SUFFIXES, ".seq.mrb", ".nii.gz"):
        if name.endswith(double):
            return double
    return path.suffix.lower()


def stem(path: Path) -> str:
    """The file name without its suffix, `.nii.gz`, `.seg.nrrd` and `.seq.nrrd` included."""
    suffix = _suffix(path)
    return path.name[: -len(suffix)] if suffix else path.name


def _to_image(sitk: ModuleType, read: Any, source: Path, kind: Kind | None) -> Image:
    dimension = read.GetDimension()
    if dimension not in (2, 3, 4):
        raise UnsupportedImageError(f"It has {dimension} dimensions; MedCompress takes 2, 3 or 4.")
    array = sitk.GetArrayFromImage(read)
    check_voxel_type(array.dtype)
    components = read.GetNumberOfComponentsPerPixel()
    frames = read.GetSize()[3] if dimension == 4 else 1
    spatial = array.shape[1 if dimension == 4 else 0 : dimension]
    shape = (frames, *((1,) * (3 - len(spatial))), *spatial, components)
    keys = _metadata(read)
    if _suffix(source) == SEGMENTATION_SUFFIX and kind in (None, Kind.SEGMENTATION):
        kind = Kind.SEGMENTATION
    if keys.get("0008|0060", "").strip() == "SEG" and kind is None and components == 1:
        kind = Kind.LABEL
    is_text_format = _suffix(source) in (*_KEEPS_ATTRIBUTES, SEGMENTATION_SUFFIX)
    return Image(
        array.reshape(shape),
        geometry=_geometry(read),
        kind=kind or _kind(source, array.dtype, components),
        name=stem(source),
        dimension=dimension,
        attributes={key: text for key, text in keys.items() if is_text_format and not key.startswith(INTERNAL_KEYS)},
        frame_axis=_frame_axis(read, source) if dimension == 4 else None,
        segmentation=segmentation_from_header(keys, array) if kind is Kind.SEGMENTATION else None,
    )


def _metadata(read: Any) -> dict[str, str]:
    """The text fields of a file. SimpleITK refuses names that are not UTF-8; such bytes of a text become "?"."""
    names = [name for name in read.GetMetaDataKeys() if name.isprintable()]
    return {name: read.GetMetaData(name).encode("utf-8", "replace").decode() for name in names}


def _kind(source: Path, dtype: np.dtype, components: int) -> Kind:
    if components > 1:
        return Kind.COLOR if dtype == np.uint8 and components in (3, 4) else Kind.VECTOR
    name = stem(source).lower()
    if dtype.kind != "f" and name.endswith(("_label", "-label", "_labels", "-labels", "_seg", "-seg", "_labelmap")):
        return Kind.LABEL
    return Kind.SCALAR


def _geometry(read: Any) -> Geometry:
    """Geometry in RAS from SimpleITK's LPS: the first two axes change sign, exactly."""
    dimension = read.GetDimension()
    origin, spacing = [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]
    directions = np.eye(3)
    own = np.array(read.GetDirection()).reshape(dimension, dimension)
    for axis in range(min(dimension, 3)):
        origin[axis], spacing[axis] = read.GetOrigin()[axis], read.GetSpacing()[axis]
        directions[axis, : min(dimension, 3)] = own[axis, : min(dimension, 3)]
    directions[:2] *= -1
    rows = tuple((float(a), float(b), float(c)) for a, b, c in directions)
    return Geometry((-origin[0], -origin[1], origin[2]), (spacing[0], spacing[1], spacing[2]), rows)


def _frame_axis(read: Any, source: Path) -> FrameAxis:
    count = read.GetSize()[3]
    found = read_time_axis(source, count) if _suffix(source) in NIFTI_SUFFIXES else None
    values = evenly_spaced(repr(read.GetOrigin()[3]), repr(read.GetSpacing()[3]), count)
    return found or FrameAxis(values, "time", "s")


def _from_image(sitk: ModuleType, image: Image, name: str) -> Any:
    voxels = image.voxels
    is_vector = voxels.shape[-1] > 1
    array = voxels if is_vector else voxels[..., 0]
    if image.frame_axis is None:
        array = array[0]
        if image.dimension == 2 and array.shape[0] == 1:
            array = array[0]
    dimension = array.ndim - is_vector
    if dimension == 4 and is_vector:
        raise OutputError(f'"{name}": a sequence of vectors or colors needs a name that ends in .seq.nrrd.')
    written = sitk.GetImageFromArray(np.ascontiguousarray(array), isVector=is_vector)
    _set_geometry(written, image, dimension, name)
    return written


def _set_geometry(written: Any, image: Image, dimension: int, name: str) -> None:
    spatial = min(dimension, 3)
    directions = np.array(image.geometry.directions)
    directions[:2] *= -1
    origin = [-image.geometry.origin[0], -image.geometry.origin[1], image.geometry.origin[2]][:spatial]
    spacing = list(image.geometry.spacing)[:spatial]
    matrix = np.eye(dimension)
    matrix[:spatial, :spatial] = directions[:spatial, :spatial]
    if dimension == 4:
        start, step = start_and_step(image.frame_axis, name)
        origin.append(start)
        spacing.append(step)
    # Minus zero is what a sign change makes of the zeros of an axis-aligned image.
    written.SetOrigin([value + 0.0 for value in origin])
    written.SetSpacing(spacing)
    written.SetDirection((matrix + 0.0).ravel().tolist())


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip() if str(error).strip() else type(error).__name__
