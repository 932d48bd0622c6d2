"""Real images of every modality come back identical, through nodes and through the terminal.

They are not part of the repository; MEDCOMPRESS_DATA names their folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SHARED_DATA, shared_files

from SlicerMedCompressLib.cli import main
from SlicerMedCompressLib.files import read_image
from SlicerMedCompressLib.image import Image, Kind, same_voxels

FILES = shared_files()
DICOM = sorted(path for path in (SHARED_DATA / "DICOM").glob("*") if path.is_dir())

pytestmark = pytest.mark.skipif(not FILES, reason="the real images are not here; set MEDCOMPRESS_DATA to their folder")


def name(path: Path) -> str:
    return path.name


def assert_same(first: Image, second: Image) -> None:
    assert same_voxels(first.voxels, second.voxels)
    assert first.dimension == second.dimension
    assert np.allclose(first.geometry.ijk_to_ras, second.geometry.ijk_to_ras, rtol=0, atol=1e-4)


@pytest.mark.parametrize("path", [*FILES, *DICOM], ids=name)
@pytest.mark.parametrize("preset", ["fast", "balanced"])
def test_through_the_terminal(tmp_path: Path, path: Path, preset: str) -> None:
    suffix = ".nii.gz" if path.name.endswith(".nii.gz") else ".nrrd"
    assert main(["compress", os.fspath(path), os.fspath(tmp_path / "a.mcz"), "--preset", preset]) == 0
    assert main(["decompress", os.fspath(tmp_path / "a.mcz"), os.fspath(tmp_path / f"a{suffix}")]) == 0
    original = read_image(path)
    assert_same(read_image(tmp_path / f"a{suffix}", kind=original.kind), original)


@pytest.mark.parametrize("path", FILES, ids=name)
@pytest.mark.parametrize("preset", ["fast", "balanced"])
def test_through_a_node(scene: Any, tmp_path: Path, path: Path, preset: str) -> None:
    from test_scene_volumes import assert_same_node

    from SlicerMedCompressLib.scene.conversion import image_to_node
    from SlicerMedCompressLib.scene.logic import MedCompressLogic

    node = read_as_slicer_does(path, scene) or image_to_node(read_image(path), scene)
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz", preset=preset)
    assert_same_node(logic.load(tmp_path / "a.mcz"), node)


def read_as_slicer_does(path: Path, scene: Any) -> Any:
    """A node read by Slicer's own storage node; None for color, which needs another one."""
    import slicer

    from SlicerMedCompressLib.scene.nrrd import read_nrrd

    image = read_image(path)
    if image.kind is Kind.COLOR or (image.frame_axis is not None and image.kind is Kind.LABEL):
        return None
    if image.frame_axis is None:
        return read_nrrd(path, image, scene)
    storage = slicer.vtkMRMLVolumeSequenceStorageNode()
    storage.SetFileName(os.fspath(path))
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    assert storage.ReadData(node)
    return node
