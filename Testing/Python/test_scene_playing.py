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
from SlicerMedCompressLib.errors import CorruptFileError, InputError, UnsupportedImageError
from SlicerMedCompressLib.image import Image, Kind
from SlicerMedCompressLib.mixed_sequence import MixedSequence
from SlicerMedCompressLib.scene.logic import MedCompressLogic
from SlicerMedCompressLib.scene.playing import SequencePlayer
from SlicerMedCompressLib.scene.volumes import geometry_of, volume_to_image
from SlicerMedCompressLib.scene.voxels import image_data_of
from SlicerMedCompressLib.segments import Segmentation
from SlicerMedCompressLib.sequence_compression import compress_parts


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


def test_a_scene_that_was_cleared_and_a_player_that_was_closed_are_errors(scene: Any, tmp_path: Path) -> None:
    compress(IMAGE, tmp_path / "beat.mcz")
    with MedCompressLogic().play(tmp_path / "beat.mcz") as player:
        scene.Clear(1)
        with pytest.raises(InputError, match="was removed"):
            player.showFrame(2)
    with pytest.raises(InputError, match="closed"):
        player.showFrame(2)


def test_a_sequence_larger_than_the_cache_plays_forward_and_back(scene: Any, tmp_path: Path) -> None:
    compress(IMAGE, tmp_path / "beat.mcz")
    with SequencePlayer(tmp_path / "beat.mcz", frames=2) as player:
        for number in [*range(10), *range(9, -1, -1)]:
            player.showFrame(number)
            assert np.array_equal(volume_to_image(player.node).voxels[0], IMAGE.voxels[number])
            assert len(player._player._blocks) <= 2


def test_what_the_user_sets_of_the_display_stays_from_frame_to_frame(scene: Any, tmp_path: Path) -> None:
    compress(IMAGE, tmp_path / "beat.mcz")
    with MedCompressLogic().play(tmp_path / "beat.mcz") as player:
        display = player.node.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(123.0, 45.0)
        player.showFrame(7)
        assert player.node.GetDisplayNode().GetID() == display.GetID()
        assert (display.GetWindow(), display.GetLevel()) == (123.0, 45.0)


def test_the_node_has_the_attributes_of_all_frames_and_not_those_of_the_first(scene: Any, tmp_path: Path) -> None:
    compress(IMAGE, tmp_path / "beat.mcz")
    with MedCompressLogic().play(tmp_path / "beat.mcz") as player:
        assert player.node.GetAttribute("Modality") == "MR"
        assert player.node.GetAttribute("TriggerTime") is None


def test_an_image_without_a_name_gives_the_node_that_of_the_file(scene: Any, tmp_path: Path) -> None:
    compress(replace(IMAGE, name=""), tmp_path / "cine.mcz")
    with MedCompressLogic().play(tmp_path / "cine.mcz") as player:
        assert player.node.GetName() == "cine"


@pytest.mark.parametrize("voxels", [np.zeros((1, 3, 3, 1), np.int16), np.zeros(IMAGE.voxels.shape[1:], np.uint8)])
def test_a_node_that_was_given_voxels_of_another_size_or_type_is_left_alone(
    scene: Any, tmp_path: Path, voxels: np.ndarray
) -> None:
    compress(IMAGE, tmp_path / "beat.mcz")
    with MedCompressLogic().play(tmp_path / "beat.mcz") as player:
        player.node.SetAndObserveImageData(image_data_of(voxels))
        with pytest.raises(InputError, match="other voxels"):
            player.showFrame(1)
        assert not volume_to_image(player.node).voxels.any()


def test_a_segmentation_does_not_play_and_leaves_no_node(scene: Any, tmp_path: Path) -> None:
    labels = np.zeros((1, 2, 8, 8, 1), np.uint8)
    compress(Image(labels, kind=Kind.SEGMENTATION, segmentation=Segmentation(())), tmp_path / "organs.mcz")
    nodes = scene.GetNumberOfNodes()
    with pytest.raises(UnsupportedImageError, match="segmentation"):
        MedCompressLogic().play(tmp_path / "organs.mcz")
    assert scene.GetNumberOfNodes() == nodes


def test_frames_that_differ_do_not_play_and_leave_no_node(scene: Any, tmp_path: Path) -> None:
    axis = replace(IMAGE.frame_axis.part(range(4)), attributes=())
    parts = (
        replace(IMAGE, voxels=IMAGE.voxels[:2], frame_axis=axis.part([0, 1])),
        replace(IMAGE, voxels=IMAGE.voxels[2:4, :, :5], frame_axis=axis.part([2, 3])),
    )
    compress_parts(MixedSequence(parts, ((0, 1), (2, 3)), axis, "mixed"), tmp_path / "mixed.mcz")
    nodes = scene.GetNumberOfNodes()
    with pytest.raises(CorruptFileError, match="frames differ"):
        MedCompressLogic().play(tmp_path / "mixed.mcz")
    assert scene.GetNumberOfNodes() == nodes
