"""Sequence nodes, and the browser nodes that play them, come back as they were, in a real MRML scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated_images import OBLIQUE, described_head, full_range, head, scalar, segmentation, sequence
from hypothesis import given, settings
from hypothesis import strategies as st

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from SlicerMedCompressLib.appearance import Display
from SlicerMedCompressLib.container.guarantee import LOSS_ATTRIBUTE
from SlicerMedCompressLib.errors import Cancelled, CorruptFileError, InputError, UnsupportedImageError
from SlicerMedCompressLib.image import FrameAxis, Geometry, Image, Kind, same_voxels
from SlicerMedCompressLib.mixed_sequence import MixedSequence
from SlicerMedCompressLib.playback import Browser
from SlicerMedCompressLib.scene.browsers import browser_of, new_browser, settings_of
from SlicerMedCompressLib.scene.conversion import content_to_node, is_supported, node_to_content, node_to_image
from SlicerMedCompressLib.scene.logic import MedCompressLogic
from SlicerMedCompressLib.scene.segmentations import segmentation_to_image
from SlicerMedCompressLib.scene.volumes import volume_to_image
from SlicerMedCompressLib.targets import BitsPerVoxel, MaxError, Psnr, Ratio

SMALL = scalar(head((5, 12, 14)), name="small")
MOVED = replace(SMALL, geometry=OBLIQUE)
LARGE = scalar(head((6, 20, 22)))
LABELS = scalar((head((5, 12, 14)) > 100).astype(np.uint8), kind=Kind.LABEL)
FLOATS = scalar(full_range(np.dtype("float32"), (5, 12, 14)))
VECTORS = Image(full_range(np.dtype("float32"), (1, 4, 9, 11, 3)), geometry=OBLIQUE, kind=Kind.VECTOR)
COLORS = Image(full_range(np.dtype("uint8"), (1, 4, 9, 11, 3)), kind=Kind.COLOR)
SEGMENTS = segmentation()
KINDS = {
    "scalar": SMALL,
    "moved": MOVED,
    "large": LARGE,
    "labels": LABELS,
    "floats": FLOATS,
    "vectors": VECTORS,
    "colors": COLORS,
    "segments": SEGMENTS,
}


def sequence_of(scene: Any, images: Sequence[Image], name: str = "seq") -> Any:
    """A sequence node filled as Slicer's modules fill one, a frame named f0, f1, ... every 40 ms."""
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    node.SetIndexName("trigger")
    node.SetIndexUnit("ms")
    for number, image in enumerate(images):
        frame = content_to_node(image, scene, f"f{number}")
        node.SetDataNodeAtValue(frame, str(40 * number))
        scene.RemoveNode(frame)
    return node


def frame_image(frame: Any) -> Image:
    return (
        segmentation_to_image(frame, may_be_blank=True)
        if frame.IsA("vtkMRMLSegmentationNode")
        else volume_to_image(frame)
    )


def assert_same_sequence(first: Any, second: Any) -> None:
    """Index, and of every frame class, name, voxels, geometry, kind, attributes, units and segments."""
    for read in ("GetIndexName", "GetIndexUnit", "GetIndexType", "GetNumberOfDataNodes"):
        assert getattr(first, read)() == getattr(second, read)(), read
    for number in range(first.GetNumberOfDataNodes()):
        assert first.GetNthIndexValue(number) == second.GetNthIndexValue(number)
        one, other = first.GetNthDataNode(number), second.GetNthDataNode(number)
        assert one.GetClassName() == other.GetClassName()
        assert one.GetAttribute("Sequences.BaseName") == other.GetAttribute("Sequences.BaseName")
        original, decoded = frame_image(one), frame_image(other)
        assert same_voxels(original.voxels, decoded.voxels)
        for field in ("geometry", "kind", "quantity", "units", "attributes", "segmentation"):
            assert getattr(original, field) == getattr(decoded, field), field


def through_a_file(node: Any, path: Path, **options: Any) -> Any:
    MedCompressLogic().compress(node, path, **options)
    return MedCompressLogic().load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_every_kind_come_back(scene: Any, tmp_path: Path, kind: str) -> None:
    node = sequence_of(scene, [KINDS[kind]] * 3)
    assert isinstance(node_to_content(node), MixedSequence) == (kind == "segments")
    assert_same_sequence(node, through_a_file(node, tmp_path / "a.mcz"))


@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=6))
@settings(max_examples=12)
def test_any_mixture_of_frames_comes_back(kinds: list[str]) -> None:
    from tempfile import TemporaryDirectory

    from SlicerMedCompressLib.scene.standalone import new_scene

    standalone = new_scene()
    with TemporaryDirectory() as folder:
        node = sequence_of(standalone.scene, [KINDS[kind] for kind in kinds])
        assert_same_sequence(node, through_a_file(node, Path(folder) / "a.mcz", preset="fast"))
    standalone.scene.Clear(1)


def test_frames_that_follow_and_are_alike_share_a_part(scene: Any) -> None:
    node = sequence_of(scene, [SMALL, SMALL, LARGE, SMALL, SEGMENTS, SEGMENTS])
    content = node_to_content(node)
    assert isinstance(content, MixedSequence)
    assert content.numbers == ((0, 1), (2,), (3,), (4,), (5,))
    assert content.parts[0].frame_axis == FrameAxis(("0", "40"), "trigger", "ms", True, ("f0", "f1"))


def test_attributes_of_single_frames_come_back(scene: Any, tmp_path: Path) -> None:
    frames = [
        replace(
            SMALL, attributes={"all": "same", "DICOM.instanceUIDs": f"1.2.{number}"} | ({"odd": ""} if number else {})
        )
        for number in range(3)
    ]
    node = sequence_of(scene, frames)
    image = node_to_image(node)
    assert image.attributes == {"all": "same"}
    assert image.frame_axis is not None
    assert image.frame_axis.attributes[0] == {"DICOM.instanceUIDs": "1.2.0"}
    assert image.frame_axis.attributes[2] == {"DICOM.instanceUIDs": "1.2.2", "odd": ""}
    reloaded = through_a_file(node, tmp_path / "a.mcz")
    assert_same_sequence(node, reloaded)
    assert node_to_image(reloaded).frame_axis == image.frame_axis


def test_a_text_index_and_names_of_any_letters_come_back(scene: Any, tmp_path: Path) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Phasen")
    node.SetIndexType(node.TextIndex)
    node.SetIndexName("Phase")
    for value, name in (("systolisch ü", "頭"), ("diastolisch", "a b\nc")):
        node.SetDataNodeAtValue(content_to_node(LARGE, scene, name), value)
    reloaded = through_a_file(node, tmp_path / "a.mcz")
    assert_same_sequence(node, reloaded)
    assert reloaded.GetName() == "Phasen_1"


PLAYED = Browser(
    name="player",
    playback_rate=24.5,
    looped=False,
    item_skipping=False,
    selected_item=2,
    index_display="index",
    index_format="%.1f s",
    proxy_name="shown frame",
    save_changes=True,
    record_master_only=True,
    recording=True,
    recording_sampling="all",
)


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


@pytest.mark.parametrize("segments", [0, 2])
def test_segmentations_with_nothing_drawn_come_back_empty(scene: Any, tmp_path: Path, segments: int) -> None:
    node = sequence_of(scene, [SEGMENTS])
    blank = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "gone")
    for number in range(segments):
        blank.GetSegmentation().AddEmptySegment(f"S{number}", f"tumor {number}", (1.0, 0.5, 0.25))
    node.SetDataNodeAtValue(blank, "40")
    new_browser(Browser(selected_item=1), node, scene)
    reloaded = through_a_file(node, tmp_path / "a.mcz")
    assert_same_sequence(node, reloaded)
    decoded = reloaded.GetNthDataNode(1).GetSegmentation()
    assert decoded.GetNumberOfSegments() == segments
    for number in range(segments):
        assert decoded.GetNthSegment(number).GetRepresentation("Binary labelmap").IsEmpty()


def test_a_part_that_was_damaged_leaves_the_scene_as_it_was(scene: Any, tmp_path: Path) -> None:
    MedCompressLogic().compress(sequence_of(scene, [SMALL, LARGE, LABELS]), tmp_path / "a.mcz")
    data = bytearray((tmp_path / "a.mcz").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "a.mcz").write_bytes(bytes(data))
    nodes = scene.GetNumberOfNodes()
    with pytest.raises(CorruptFileError, match=r"a\.mcz.*parts/"):
        MedCompressLogic().load(tmp_path / "a.mcz")
    assert scene.GetNumberOfNodes() == nodes


def test_the_shown_frame_is_found_where_slicer_sorts_frames_otherwise(scene: Any) -> None:
    axis = FrameAxis(("20", "10", "30"), "time", "s")
    image = replace(sequence(), voxels=sequence().voxels[:3], frame_axis=axis, browser=Browser(selected_item=0))
    node = content_to_node(image, scene)
    browser = browser_of(node)
    assert node.GetNthIndexValue(browser.GetSelectedItemNumber()) == "20"
    assert same_voxels(frame_image(browser.GetProxyNode(node)).voxels, image.voxels[:1])


def test_a_frame_that_cannot_be_compressed_is_named(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [SMALL])
    node.SetDataNodeAtValue(scene.AddNewNodeByClass("vtkMRMLLinearTransformNode"), "99")
    with pytest.raises(UnsupportedImageError, match=r'Frame 1 of the sequence "seq".*seq\.mrb'):
        MedCompressLogic().compress(node, tmp_path / "a.mcz")
    assert list(tmp_path.iterdir()) == []


def test_what_needs_one_image_refuses_frames_that_differ(scene: Any) -> None:
    node = sequence_of(scene, [SMALL, LARGE])
    with pytest.raises(UnsupportedImageError, match="needs a single image"):
        MedCompressLogic().sweep(node, ["jpegls"])


def test_each_part_keeps_a_bound_and_labels_keep_every_voxel(scene: Any, tmp_path: Path) -> None:
    frames = [SMALL, SMALL, LABELS, LARGE, SEGMENTS]
    node = sequence_of(scene, frames)
    logic = MedCompressLogic()
    result = logic.compress(node, tmp_path / "a.mcz", target=MaxError(3))
    assert result.maximum_error == result.reached == 3
    assert [part.guarantee == "identical to the original" for part in result.parts] == [False, True, False, True]
    assert "2 of 4 parts identical" in str(result)
    reloaded = logic.load(tmp_path / "a.mcz")
    for number, original in enumerate(frames):
        decoded = frame_image(reloaded.GetNthDataNode(number))
        allowed = 0 if original.kind in (Kind.LABEL, Kind.SEGMENTATION) else 3
        assert np.abs(decoded.voxels.astype(int) - original.voxels).max() <= allowed
        assert (LOSS_ATTRIBUTE in decoded.attributes) == (allowed > 0)


def test_each_part_reaches_a_psnr(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [scalar(head((12, 40, 42))), scalar(head((12, 44, 42)))])
    result = MedCompressLogic().compress(node, tmp_path / "a.mcz", target=Psnr(40))
    assert all(part.psnr == pytest.approx(40, abs=0.3) for part in result.parts)
    assert result.psnr == min(part.psnr for part in result.parts)


@pytest.mark.parametrize("target", [Ratio(10), BitsPerVoxel(1)])
def test_a_size_for_frames_that_differ_is_refused(scene: Any, tmp_path: Path, target: Any) -> None:
    with pytest.raises(UnsupportedImageError, match="a largest error or a PSNR"):
        MedCompressLogic().compress(sequence_of(scene, [SMALL, LARGE]), tmp_path / "a.mcz", target=target)


def test_loss_of_labels_alone_is_refused(scene: Any, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="labels"):
        MedCompressLogic().compress(sequence_of(scene, [LABELS, SEGMENTS]), tmp_path / "a.mcz", target=MaxError(2))


def test_a_lossless_region_of_frames_that_differ_is_refused(scene: Any, tmp_path: Path) -> None:
    region = content_to_node(SEGMENTS, scene)
    node = sequence_of(scene, [SMALL, LARGE])
    with pytest.raises(UnsupportedImageError, match="no region is the same in all"):
        MedCompressLogic().compress(node, tmp_path / "a.mcz", target=MaxError(2), losslessRegion=region)


def test_a_codec_codes_the_parts_that_it_suits(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [SMALL, SEGMENTS])
    result = MedCompressLogic().compress(node, tmp_path / "a.mcz", codec="crackle")
    assert [part.codec.startswith("crackle") for part in result.parts] == [False, True]
    with pytest.raises(UnsupportedImageError):
        MedCompressLogic().compress(sequence_of(scene, [SMALL, LARGE]), tmp_path / "b.mcz", codec="crackle")


def test_what_was_lost_of_single_frames_before_stays_told(scene: Any, tmp_path: Path) -> None:
    frames = [replace(SMALL, attributes={LOSS_ATTRIBUTE: f"much of {number}"}) for number in range(2)]
    reloaded = through_a_file(sequence_of(scene, frames), tmp_path / "a.mcz", target=MaxError(2))
    told = reloaded.GetNthDataNode(1).GetAttribute(LOSS_ATTRIBUTE)
    assert "more than 2" in told
    assert told.endswith("before that, much of 1")


def test_a_reconstruction_of_a_mixed_sequence_is_beside_it(scene: Any) -> None:
    node = sequence_of(scene, [SMALL, LARGE, SEGMENTS])
    new_browser(PLAYED, node, scene)
    logic = MedCompressLogic()
    twin = logic.reconstruct(node, codec="jpegls")
    assert_same_sequence(node, twin)
    assert twin.GetName().startswith("seq (JPEG-LS")
    assert browser_of(twin).GetName() == "player_1"


def test_progress_goes_over_all_parts_and_cancelling_leaves_nothing(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [SMALL, LARGE, LABELS])
    seen: list[float] = []
    logic = MedCompressLogic()
    logic.compress(node, tmp_path / "a.mcz", progress=lambda done, _: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    before = (tmp_path / "a.mcz").read_bytes()
    with pytest.raises(Cancelled):
        logic.compress(node, tmp_path / "a.mcz", progress=lambda done, _: done < 0.7)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mcz"]
    assert (tmp_path / "a.mcz").read_bytes() == before
    nodes = scene.GetNumberOfNodes()
    with pytest.raises(Cancelled):
        logic.load(tmp_path / "a.mcz", progress=lambda done, _: done < 0.7)
    assert scene.GetNumberOfNodes() == nodes


def test_a_sequence_that_cannot_be_completed_leaves_the_scene_as_it_was(
    scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = sequence_of(scene, [SMALL, LARGE])
    new_browser(PLAYED, node, scene)
    MedCompressLogic().compress(node, tmp_path / "a.mcz")
    before = [scene.GetNthNode(number).GetID() for number in range(scene.GetNumberOfNodes())]

    def failing(*_: object) -> None:
        raise ValueError("no such display")

    monkeypatch.setattr("SlicerMedCompressLib.scene.sequences._show_proxy", failing)
    with pytest.raises(UnsupportedImageError, match="cannot become a node"):
        MedCompressLogic().load(tmp_path / "a.mcz")
    assert [scene.GetNthNode(number).GetID() for number in range(scene.GetNumberOfNodes())] == before


def test_the_original_is_never_changed(scene: Any, tmp_path: Path) -> None:
    node = sequence_of(scene, [SMALL, SEGMENTS, described_head()])
    times = [node.GetNthDataNode(number).GetMTime() for number in range(3)]
    browser = new_browser(Browser(), node, scene)
    changed, browsed = node.GetMTime(), browser.GetMTime()
    MedCompressLogic().compress(node, tmp_path / "a.mcz")
    assert [node.GetNthDataNode(number).GetMTime() for number in range(3)] == times
    assert (node.GetMTime(), browser.GetMTime()) == (changed, browsed)


def test_a_sequence_from_an_older_program_is_as_it_was(scene: Any, tmp_path: Path) -> None:
    node = content_to_node(replace(sequence(), display=Display(window=100.0, level=50.0)), scene)
    reloaded = through_a_file(node, tmp_path / "a.mcz")
    assert_same_sequence(node, reloaded)
    assert node_to_image(reloaded).display == node_to_image(node).display


def test_geometry_that_differs_in_the_last_bit_is_kept(scene: Any, tmp_path: Path) -> None:
    near = replace(SMALL, geometry=Geometry(spacing=(1.0, 1.0, 1.0000000000000002)))
    node = sequence_of(scene, [SMALL, near])
    assert_same_sequence(node, through_a_file(node, tmp_path / "a.mcz"))


@pytest.mark.standalone
def test_without_slicers_sequences_logic_there_is_a_browser_and_no_proxy(scene: Any) -> None:
    bare = slicer.vtkMRMLScene()
    image = replace(sequence(), browser=PLAYED)
    node = content_to_node(image, bare)
    browser = browser_of(node)
    assert browser.GetProxyNode(node) is None
    assert settings_of(browser, node) == replace(PLAYED, proxy_name="")
    bare.Clear(1)


def test_one_frame_is_loaded_as_a_volume_of_its_own(scene: Any, tmp_path: Path) -> None:
    images = [scalar(head((5, 12, 14)) + number) for number in range(5)]
    MedCompressLogic().compress(sequence_of(scene, images), tmp_path / "beat.mcz")
    node = MedCompressLogic().loadFrame(tmp_path / "beat.mcz", 3)
    assert node.IsA("vtkMRMLScalarVolumeNode")
    assert node.GetName() == "f3"
    assert same_voxels(volume_to_image(node).voxels, images[3].voxels)
    before = scene.GetNumberOfNodes()
    with pytest.raises(InputError, match="counted from 0 to 4"):
        MedCompressLogic().loadFrame(tmp_path / "beat.mcz", 5)
    assert scene.GetNumberOfNodes() == before
