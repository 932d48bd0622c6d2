"""Voxels of a vtkImageData as numpy arrays and back, without copying."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from vtk.util import numpy_support

from ..errors import UnsupportedImageError


def voxels_of(image_data: Any, name: str) -> np.ndarray:
    """View (slice, row, column, component) of a vtkImageData's memory.

    Raises UnsupportedImageError where there are no voxels.
    """
    scalars = image_data.GetPointData().GetScalars() if image_data is not None else None
    if scalars is None or scalars.GetNumberOfTuples() == 0:
        raise UnsupportedImageError(f'"{name}" has no voxels; load or create an image first.')
    columns, rows, slices = image_data.GetDimensions()
    array = numpy_support.vtk_to_numpy(scalars)
    return _standard(array).reshape(slices, rows, columns, scalars.GetNumberOfComponents())


def image_data_of(voxels: np.ndarray) -> Any:
    """A vtkImageData over the memory of an array (slice, row, column, component), which it keeps alive."""
    slices, rows, columns, components = voxels.shape
    flat = np.ascontiguousarray(voxels).reshape(-1, components)
    scalars = numpy_support.numpy_to_vtk(flat if components > 1 else flat.ravel(), deep=False, array_type=None)
    scalars.SetName("ImageScalars")
    image_data = vtk.vtkImageData()
    image_data.SetDimensions(columns, rows, slices)
    image_data.GetPointData().SetScalars(scalars)
    return image_data


def _standard(array: np.ndarray) -> np.ndarray:
    # VTK's long is int64 on Linux and int32 on Windows; numpy names both by width, which is what is kept.
    return array.view(array.dtype.newbyteorder("="))
