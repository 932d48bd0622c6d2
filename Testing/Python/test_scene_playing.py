"""A sequence plays from its file in one node of a real MRML scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_frames import IMAGE

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from SlicerMedCompressLib.appearance import Display
from SlicerMedCompressLib.compression import compress
from SlicerMedCompressLib.errors import InputError
from SlicerMedCompressLib.scene.logic import MedCompressLogic
from SlicerMedCompressLib.scene.volumes import geometry_of, volume_to_image


def test_every_frame_is_shown_in_one_node_as_the_sequence_was(scene: Any, tmp_path: Path) -> None:
    compress(replace(IMAGE, display=Display(window=300.0, level=40.0)), tmp_path / "beat.mcz")
    with MedCompressLogic().play(tmp_path / "beat.mcz") as player:
        node, nodes = player.node, scene.GetNumberOfNodes()
        assert player.frameCount == 10
        assert player.indexValue(3) == "1.5 s"
        assert node.GetName() == "beat"
        for number in (0, 9, 4, 5):
            assert player.showFrame(number) is node
            assert player.currentFrame == number
            assert np.array_equal(volume_to_image(node).voxels[0], IMAGE.voxels[number])
        assert node.GetDisplayNode().GetWindow() == 300.0
        assert geometry_of(node) == IMAGE.geometry
        assert scene.GetNumberOfNodes() == nodes
    assert np.array_equal(volume_to_image(node).voxels[0], IMAGE.voxels[5])


def test_showing_a_frame_tells_the_views(scene: Any, tmp_path: Path) -> None:
    compress(IMAGE, tmp_path / "beat.mcz")
    with MedCompressLogic().play(tmp_path / "beat.mcz") as player:
        told: list[str] = []
        player.node.AddObserver("ModifiedEvent", lambda *_: told.append("node"))
        player.node.GetImageData().AddObserver("ModifiedEvent", lambda *_: told.append("voxels"))
        player.showFrame(1)
        assert {"node", "voxels"} <= set(told)


def test_a_node_that_was_removed_is_an_error_not_a_crash(scene: Any, tmp_path: Path) -> None:
    compress(IMAGE, tmp_path / "beat.mcz")
    with MedCompressLogic().play(tmp_path / "beat.mcz") as player:
        scene.RemoveNode(player.node)
        with pytest.raises(InputError, match="was removed"):
            player.showFrame(2)
        with pytest.raises(InputError, match="10 frames"):
            player.showFrame(10)
