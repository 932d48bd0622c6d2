"""Browser nodes that play sequences come back with their settings, and their proxies as they were shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from generated_images import sequence

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from sequence_nodes import (
    LABELS,
    LARGE,
    PLAYED,
    SEGMENTS,
    SMALL,
    assert_same_sequence,
    frame_image,
    sequence_of,
    through_a_file,
)

from SlicerMedCompressLib.errors import UnsupportedImageError
from SlicerMedCompressLib.image import FrameAxis, Image, same_voxels
from SlicerMedCompressLib.playback import Browser
from SlicerMedCompressLib.scene.browsers import browser_of, new_browser, settings_of
from SlicerMedCompressLib.scene.conversion import content_to_node, is_supported, node_to_image
from SlicerMedCompressLib.scene.logic import MedCompressLogic


@pytest.mark.parametrize("frames", [[SMALL] * 4, [SMALL, LABELS, SMALL, LARGE], [SEGMENTS] * 3], ids=len)
@pytest.mark.parametrize("asked", ["sequence", "browser"])
def test_a_browser_comes_back_with_its_settings(scene: Any, tmp_path: Path, frames: list[Image], asked: str) -> None:
    node = sequence_of(scene, frames)
    browser = new_browser(PLAYED, node, scene)
    assert settings_of(browser, node) == PLAYED
    reloaded = through_a_file(node if asked == "sequence" else browser, tmp_path / "a.mcz")
    assert_same_sequence(node, reloaded)
    other = browser_of(reloaded)
    assert settings_of(other, reloaded) == replace(PLAYED, name="player_1")
    assert not other.GetPlaybackActive()
    assert not other.GetRecordingActive()
    proxy = other.GetProxyNode(reloaded)
    assert proxy.GetClassName() == node.GetNthDataNode(2).GetClassName()
    assert same_voxels(frame_image(proxy).voxels, frames[2].voxels)


def test_the_proxy_of_a_sequence_under_another_name_is_named_after_it(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [SMALL] * 3, "cine")
    browser = new_browser(Browser(), node, scene)
    assert browser.GetProxyNode(node).GetName() == "cine"
    MedCompressLogic().compress(node, tmp_path / "a.mcz")
    reloaded = MedCompressLogic().load(tmp_path / "a.mcz", name="again")
    assert browser_of(reloaded).GetProxyNode(reloaded).GetName() == "again"


def test_a_sequence_that_nothing_plays_gets_no_browser(scene: Any, tmp_path: Path) -> None:
    reloaded = through_a_file(sequence_of(scene, [SMALL, LABELS]), tmp_path / "a.mcz")
    assert browser_of(reloaded) is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode") == 0


def test_of_two_browsers_the_one_that_is_given_is_kept(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [SMALL] * 3)
    new_browser(Browser(name="slow", playback_rate=1), node, scene)
    fast = new_browser(Browser(name="fast", playback_rate=50), node, scene)
    assert node_to_image(node).browser is None
    kept = node_to_image(fast).browser
    assert kept is not None
    assert (kept.name, kept.playback_rate) == ("fast", 50)


def test_a_browser_of_several_sequences_is_refused_with_what_to_do(scene: Any, tmp_path: Path) -> None:
    first, second = (sequence_of(scene, [SMALL] * 3, name) for name in ("first", "second"))
    browser = new_browser(replace(PLAYED, proxy_name=""), first, scene)
    browser.AddSynchronizedSequenceNodeID(second.GetID())
    with pytest.raises(UnsupportedImageError, match="plays several sequences; compress each"):
        MedCompressLogic().compress(browser, tmp_path / "a.mcz")
    kept = node_to_image(second).browser
    assert kept is not None
    assert (kept.name, kept.selected_item) == ("player", 2)


def test_a_browser_without_a_sequence_is_refused(scene: Any, tmp_path: Path) -> None:
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "idle")
    assert is_supported(browser)
    with pytest.raises(UnsupportedImageError, match="plays no sequence"):
        MedCompressLogic().compress(browser, tmp_path / "a.mcz")


@pytest.mark.parametrize("written", ["%s %s", "%n", "%.2000f", "%*d"])
def test_a_format_that_slicer_cannot_use_becomes_the_usual_one(scene: Any, written: str) -> None:
    node = sequence_of(scene, [SMALL] * 2)
    browser = new_browser(Browser(), node, scene)
    browser.SetIndexDisplayFormat(written)
    assert settings_of(browser, node).index_format == "%.2f"


@pytest.mark.parametrize("frames", [[SMALL] * 3, [SMALL, LARGE, SMALL]], ids=["alike", "different"])
def test_the_proxys_display_comes_back_on_the_proxy_and_on_the_frames(
    scene: Any, tmp_path: Path, frames: list[Image]
) -> None:
    node = sequence_of(scene, frames)
    browser = new_browser(Browser(selected_item=1), node, scene)
    shown = browser.GetProxyNode(node).GetDisplayNode()
    shown.SetAutoWindowLevel(False)
    shown.SetWindowLevel(351.25, 40.125)
    shown.SetAndObserveColorNodeID("vtkMRMLColorTableNodeIron")
    displays = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeDisplayNode")
    reloaded = through_a_file(node, tmp_path / "a.mcz")
    proxy = browser_of(reloaded).GetProxyNode(reloaded)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeDisplayNode") == displays + 1
    for display in (proxy.GetDisplayNode(), reloaded.GetNthDataNode(2).GetDisplayNode()):
        assert (display.GetWindow(), display.GetLevel()) == (351.25, 40.125)
    # Of Slicer's own tables the sequence's scene of frames has none, so that only the proxy can name one.
    assert proxy.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeIron"
    browser_of(reloaded).SetSelectedItemNumber(2)
    assert proxy.GetDisplayNode().GetWindow() == 351.25


def test_segments_of_the_proxy_are_shown_as_they_were(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [SEGMENTS] * 3)
    browser = new_browser(Browser(selected_item=1), node, scene)
    shown = browser.GetProxyNode(node).GetDisplayNode()
    shown.SetSegmentVisibility("S1", False)
    shown.SetSegmentOpacity3D("overlap", 0.25)
    reloaded = through_a_file(node, tmp_path / "a.mcz")
    proxy = browser_of(reloaded).GetProxyNode(reloaded).GetDisplayNode()
    assert not proxy.GetSegmentVisibility("S1")
    assert proxy.GetSegmentVisibility("S2")
    assert proxy.GetSegmentOpacity3D("overlap") == 0.25


def test_the_shown_frame_is_found_where_slicer_sorts_frames_otherwise(scene: Any) -> None:
    axis = FrameAxis(("20", "10", "30"), "time", "s")
    image = replace(sequence(), voxels=sequence().voxels[:3], frame_axis=axis, browser=Browser(selected_item=0))
    node = content_to_node(image, scene)
    browser = browser_of(node)
    assert node.GetNthIndexValue(browser.GetSelectedItemNumber()) == "20"
    assert same_voxels(frame_image(browser.GetProxyNode(node)).voxels, image.voxels[:1])


@pytest.mark.standalone
def test_without_slicers_sequences_logic_there_is_a_browser_and_no_proxy(scene: Any) -> None:
    bare = slicer.vtkMRMLScene()
    image = replace(sequence(), browser=PLAYED)
    node = content_to_node(image, bare)
    browser = browser_of(node)
    assert browser.GetProxyNode(node) is None
    assert settings_of(browser, node) == replace(PLAYED, proxy_name="")
    bare.Clear(1)
