"""Slicer's own way to save and load: what every figure is compared with."""

from __future__ import annotations

import os
from typing import Any

import slicer

from ..errors import InputError, OutputError
from ..image import Image, Kind
from .volumes import NODE_CLASSES

STORAGE_CLASSES = {
    "vtkMRMLSegmentationNode": ("vtkMRMLSegmentationStorageNode", ".seg.nrrd"),
    "vtkMRMLSequenceNode": ("vtkMRMLVolumeSequenceStorageNode", ".seq.nrrd"),
}


def suffix_for(node: Any) -> str:
    """What Slicer would end the file name with: `.nrrd`, `.seg.nrrd` or `.seq.nrrd`."""
    return STORAGE_CLASSES.get(node.GetClassName(), ("", ".nrrd"))[1]


def write_nrrd(node: Any, path: str | os.PathLike[str]) -> None:
    """Save a node as Slicer does by default: gzip at its fastest setting, one thread."""
    storage = _storage(node.GetClassName(), path)
    storage.SetUseCompression(True)
    if not storage.WriteData(node):
        raise OutputError(f'Slicer could not write "{path}".')


def read_nrrd(path: str | os.PathLike[str], image: Image, scene: Any) -> Any:
    """Load what ``write_nrrd`` wrote of a node of this image into a new node of the scene."""
    name = class_for(image)
    node = scene.AddNewNodeByClass(name)
    if not _storage(name, path).ReadData(node):
        scene.RemoveNode(node)
        raise InputError(f'Slicer could not read "{path}".')
    if hasattr(node, "CreateDefaultDisplayNodes"):
        node.CreateDefaultDisplayNodes()
    return node


def class_for(image: Image) -> str:
    """The class of the node that holds an image."""
    if image.kind is Kind.SEGMENTATION:
        return "vtkMRMLSegmentationNode"
    return "vtkMRMLSequenceNode" if image.frame_axis is not None else NODE_CLASSES[image.kind]


def _storage(node_class: str, path: str | os.PathLike[str]) -> Any:
    storage = getattr(slicer, STORAGE_CLASSES.get(node_class, ("vtkMRMLVolumeArchetypeStorageNode", ""))[0])()
    storage.SetFileName(os.fspath(path))
    if hasattr(storage, "SetSingleFile"):
        storage.SetSingleFile(True)
    return storage
