"""The folder of a DICOM series as one volume, or an error where it is not whole.

Only voxels and geometry are taken; slices are in the order of their positions (GDCM).
"""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .errors import InputError

_POSITION = "0020|0032"
"""Image Position (Patient), DICOM PS3.3 C.7.6.2: of the first voxel, mm, left-posterior-superior."""


def read_series(sitk: ModuleType, folder: Path) -> Any:
    """The series in a folder as a SimpleITK image.

    Raises InputError, naming what is wrong, for no series or several, a file that is damaged or does
    not belong, and slices that are not evenly spaced.
    """
    reader = sitk.ImageSeriesReader
    series = reader.GetGDCMSeriesIDs(os.fspath(folder))
    if not series:
        raise InputError(f'The folder "{folder}" holds no DICOM series; name a file, or the folder of one series.')
    if len(series) > 1:
        raise InputError(
            f'The folder "{folder}" holds {len(series)} DICOM series; put the files of one into a folder of its own.'
        )
    names = reader.GetGDCMSeriesFileNames(os.fspath(folder), series[0])
    _check_complete(folder, names)
    if len(names) == 1:
        return sitk.ReadImage(names[0])
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    reader.MetaDataDictionaryArrayUpdateOn()
    read = reader.Execute()
    _check_evenly_spaced(folder, read, [reader.GetMetaData(number, _POSITION) for number in range(len(names))])
    return read


def _check_complete(folder: Path, names: tuple[str, ...]) -> None:
    """Raise InputError if a DICOM file of the folder is not in the series: it may be damaged."""
    used = {Path(name).name for name in names}
    for path in sorted(folder.iterdir()):
        if path.name in used or path.name.upper() == "DICOMDIR" or not path.is_file():
            continue
        with path.open("rb") as stream:
            if stream.read(132)[128:] == b"DICM":
                raise InputError(
                    f'"{path}" is a DICOM file that is damaged or does not belong to the series in its folder; '
                    "get it again, or move it elsewhere."
                )


def _check_evenly_spaced(folder: Path, read: Any, positions: list[str]) -> None:
    """Raise InputError if the distances between slices differ by more than a hundredth."""
    places = np.array([[float(part) for part in position.split("\\")] for position in positions])
    normal = np.array(read.GetDirection()).reshape(3, 3)[:, 2]
    gaps = np.abs(np.diff(places @ normal))
    if gaps.size and gaps.max() - gaps.min() > 0.01 * max(gaps.max(), 1e-6):
        raise InputError(
            f'The slices in "{folder}" are {gaps.min():.3g} to {gaps.max():.3g} mm apart: one is missing, or there are '
            "several volumes; put the files of one evenly spaced volume into a folder of its own."
        )
