"""The module file in a stand-in for Slicer: it loads, declares, and its logic, panel and file plugins work."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from generated_images import head

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer_standin
from slicer_standin.bases import FilePluginParent, WidgetParent

pytestmark = pytest.mark.standalone

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "SlicerMedCompress"
MODULE_FILE = MODULE_FOLDER / "SlicerMedCompress.py"


@pytest.fixture
def standin(scene: Any) -> Iterator[slicer_standin.StandIn]:
    """Slicer's missing parts, around a fresh scene."""
    installed = slicer_standin.install()
    yield installed
    slicer_standin.remove(installed)


@pytest.fixture
def module(standin: slicer_standin.StandIn, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module file, executed as Slicer executes it."""
    spec = importlib.util.spec_from_file_location("SlicerMedCompress", MODULE_FILE)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "SlicerMedCompress", loaded)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def widget(module: Any) -> Iterator[Any]:
    """The panel, set up and entered."""
    made = module.SlicerMedCompressWidget(WidgetParent())
    made.setup()
    made.enter()
    yield made
    made.cleanup()


@pytest.fixture
def volume(scene: Any) -> Any:
    """A small CT volume in the scene."""
    node = slicer.util.addVolumeFromArray(head((6, 20, 22)), name="ct")
    node.SetSpacing(0.7, 0.7, 1.3)
    return node


@pytest.fixture
def compressed(module: Any, volume: Any, tmp_path: Path) -> Path:
    """A good .mcz of the volume."""
    path = tmp_path / "good.mcz"
    module.SlicerMedCompressLogic().compress(volume, str(path))
    return path


def choose(widget: Any, node: Any, path: Path | str) -> None:
    """What a user does before Apply."""
    widget.ui.inputSelector.setCurrentNode(node)
    widget.ui.outputPathEdit.text = str(path)


def apply_and_cancel(widget: Any, standin: Any) -> None:
    """Press Apply, and Cancel as soon as the progress dialog is there."""
    from SlicerMedCompressLib.errors import Cancelled

    standin.while_processing = lambda: setattr(standin.dialogs[-1], "wasCanceled", True)
    with suppress(Cancelled):
        widget.ui.applyButton.click()


def declaration(module: Any) -> SimpleNamespace:
    """What the module tells Slicer about itself."""
    parent = SimpleNamespace(path=str(MODULE_FILE))
    module.SlicerMedCompress(parent)
    return parent


def test_the_module_declares_title_category_and_help(module: Any) -> None:
    parent = declaration(module)
    assert (parent.title, parent.categories, parent.dependencies) == ("MedCompress", ["Utilities"], [])
    assert parent.contributors
    assert ".mcz" in parent.helpText
    assert "libjxl" in parent.acknowledgementText


def test_the_module_finds_its_icon(module: Any) -> None:
    assert not declaration(module).icon.isNull()


def test_slicer_finds_every_class_it_looks_for_by_name(module: Any) -> None:
    for suffix in ("", "Widget", "Logic", "Test", "FileReader", "FileWriter"):
        assert isinstance(getattr(module, f"SlicerMedCompress{suffix}"), type), suffix


def test_the_module_s_own_self_test_passes(module: Any) -> None:
    module.SlicerMedCompressTest().runTest()
    assert slicer.util.getNode("self test").IsA("vtkMRMLScalarVolumeNode")


def test_the_logic_compresses_and_loads_an_identical_volume(module: Any, volume: Any, tmp_path: Path) -> None:
    logic = module.SlicerMedCompressLogic()
    result = logic.compress(volume, str(tmp_path / "a.mcz"))
    loaded = logic.load(str(tmp_path / "a.mcz"), name="again")
    assert result.verified
    assert loaded.GetName() == "again"
    assert slicer.util.arrayFromVolume(loaded).tobytes() == slicer.util.arrayFromVolume(volume).tobytes()
    assert loaded.GetSpacing() == volume.GetSpacing()


def test_the_logic_reconstructs_beside_the_original(module: Any, volume: Any) -> None:
    logic = module.SlicerMedCompressLogic()
    twin = logic.reconstruct(volume, codec="jpegls")
    assert twin is not volume
    assert "JPEG-LS" in twin.GetName()
    assert np.array_equal(slicer.util.arrayFromVolume(twin), slicer.util.arrayFromVolume(volume))
    assert logic.lastResult.codec.startswith("jpegls")


def test_the_logic_keeps_its_settings_in_one_node_of_the_scene(module: Any, scene: Any) -> None:
    first, second = (module.SlicerMedCompressLogic().getParameterNode() for _ in range(2))
    first.preset = "fast"
    assert (second.preset, second.outputPath, second.inputNode) == ("fast", "", None)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScriptedModuleNode") == 1


def test_the_reader_recognizes_its_files_and_no_others(module: Any, compressed: Path, tmp_path: Path) -> None:
    reader = module.SlicerMedCompressFileReader(FilePluginParent())
    other = tmp_path / "other.mcz.zip"
    other.write_bytes(compressed.read_bytes())
    confidences = [reader.canLoadFileConfidence(str(path)) for path in (compressed, other, tmp_path / "ct.nrrd")]
    assert confidences == [0.9, 0.0, 0.0]
    assert {type(confidence) for confidence in confidences} == {float}
    assert reader.extensions() == ["Compressed image (*.mcz)"]


def test_the_reader_loads_a_node_and_tells_slicer_which(module: Any, compressed: Path, volume: Any) -> None:
    parent = FilePluginParent()
    assert module.SlicerMedCompressFileReader(parent).load({"fileName": str(compressed)}) is True
    (node_id,) = parent.loadedNodes
    loaded = slicer.mrmlScene.GetNodeByID(node_id)
    assert np.array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(volume))
    assert parent.messages() == []


def damaged_byte(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [damaged_byte, lambda data: data[: len(data) // 3], lambda data: b"", lambda data: b"not an archive"],
    ids=["one byte", "truncated", "empty", "text"],
)
def test_a_damaged_file_is_refused_with_one_message_and_an_unchanged_scene(
    module: Any, compressed: Path, scene: Any, damage: Any
) -> None:
    compressed.write_bytes(damage(compressed.read_bytes()))
    parent, before = FilePluginParent(), scene.GetNumberOfNodes()
    assert module.SlicerMedCompressFileReader(parent).load({"fileName": str(compressed)}) is False
    assert len(parent.messages()) == 1
    assert "good.mcz" in parent.messages()[0]
    assert scene.GetNumberOfNodes() == before
    assert parent.loadedNodes == []


def test_a_file_that_is_gone_is_refused_with_a_message(module: Any, tmp_path: Path) -> None:
    parent = FilePluginParent()
    assert module.SlicerMedCompressFileReader(parent).load({"fileName": str(tmp_path / "gone.mcz")}) is False
    assert len(parent.messages()) == 1


@pytest.mark.parametrize(
    ("kind", "confidence"),
    [("ScalarVolume", 0.3), ("LabelMapVolume", 0.3), ("Segmentation", 0.3), ("Sequence", 0.3), ("Model", 0.0)],
)
def test_the_writer_offers_itself_modestly_for_what_it_can_write(
    module: Any, scene: Any, kind: str, confidence: float
) -> None:
    node = scene.AddNewNodeByClass(f"vtkMRML{kind}Node")
    answer = module.SlicerMedCompressFileWriter(FilePluginParent()).canWriteObjectConfidence(node)
    assert (answer, type(answer)) == (confidence, float)


def test_the_writer_writes_a_node_and_tells_slicer_which(module: Any, volume: Any, tmp_path: Path) -> None:
    parent, path = FilePluginParent(), tmp_path / "saved.mcz"
    writer = module.SlicerMedCompressFileWriter(parent)
    assert writer.write({"nodeID": volume.GetID(), "fileName": str(path)}) is True
    assert parent.writtenNodes == [volume.GetID()]
    assert module.SlicerMedCompressFileReader(FilePluginParent()).canLoadFileConfidence(str(path)) == 0.9


@pytest.mark.parametrize("node_id", [None, "vtkMRMLScalarVolumeNode999"], ids=["no folder", "no node"])
def test_the_writer_says_why_it_cannot_write(module: Any, volume: Any, tmp_path: Path, node_id: str | None) -> None:
    parent = FilePluginParent()
    path = tmp_path / "a.mcz" if node_id else tmp_path / "missing" / "a.mcz"
    properties = {"nodeID": node_id or volume.GetID(), "fileName": str(path)}
    assert module.SlicerMedCompressFileWriter(parent).write(properties) is False
    assert len(parent.messages()) == 1
    assert parent.writtenNodes == []
    assert list(tmp_path.iterdir()) == []


def test_the_panel_has_every_widget_that_its_ui_file_names(widget: Any) -> None:
    for name in (
        *("inputSelector", "presetComboBox", "targetComboBox", "targetSpinBox"),
        *("outputPathEdit", "applyButton", "resultLabel"),
    ):
        assert hasattr(widget.ui, name), name
    assert widget.ui.presetComboBox.count >= 2


def test_apply_waits_for_an_input_and_a_path_and_says_so(widget: Any, volume: Any, tmp_path: Path) -> None:
    apply, seen = widget.ui.applyButton, []
    for node, path in (
        (None, tmp_path / "a.mcz"),
        (volume, ""),
        (volume, tmp_path / "a.nrrd"),
        (volume, tmp_path / "missing" / "a.mcz"),
        (volume, tmp_path / "a.mcz"),
    ):
        choose(widget, node, path)
        seen.append((apply.enabled, apply.toolTip))
    assert [enabled for enabled, _ in seen] == [False, False, False, False, True]
    for (_, reason), word in zip(seen, ("volume", ".mcz", ".mcz", "folder", "ct"), strict=True):
        assert word in reason


def test_apply_writes_the_file_and_shows_the_result(widget: Any, volume: Any, tmp_path: Path, standin: Any) -> None:
    path = tmp_path / "a.mcz"
    choose(widget, volume, path)
    widget.ui.applyButton.click()
    reloaded = widget.logic.load(str(path))
    assert np.array_equal(slicer.util.arrayFromVolume(reloaded), slicer.util.arrayFromVolume(volume))
    assert "verified" in widget.ui.resultLabel.text
    assert [dialog.closed for dialog in standin.dialogs] == [True]
    assert standin.questions == standin.errors == []


def choose_loss(widget: Any, name: str, value: float) -> None:
    targets = widget.ui.targetComboBox
    targets.currentIndex = next(number for number, (_, data) in enumerate(targets.items) if data == name)
    widget.ui.targetSpinBox.value = value


def test_nothing_is_lost_unless_that_is_chosen(widget: Any) -> None:
    assert widget.ui.targetComboBox.currentData == ""
    assert not widget.ui.targetSpinBox.enabled
    assert widget.ui.presetComboBox.enabled


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("maxError", 3.0, "no voxel differs by more than 3"),
        ("psnr", 45.0, "PSNR 4"),
        ("ratio", 2.5, "ratio 2."),
        ("bitsPerVoxel", 6.5, "6."),
    ],
)
def test_what_is_chosen_to_be_lost_is_lost_and_told(
    widget: Any, volume: Any, tmp_path: Path, name: str, value: float, told: str
) -> None:
    choose(widget, volume, tmp_path / "a.mcz")
    choose_loss(widget, name, value)
    assert widget.ui.targetSpinBox.enabled
    assert not widget.ui.presetComboBox.enabled
    widget.ui.applyButton.click()
    assert told in widget.ui.resultLabel.text
    original, loaded = (
        slicer.util.arrayFromVolume(node).astype(int) for node in (volume, widget.logic.load(str(tmp_path / "a.mcz")))
    )
    assert np.abs(original - loaded).max() > 0


def test_another_kind_of_loss_starts_from_a_usual_number(widget: Any, volume: Any, tmp_path: Path) -> None:
    choose(widget, volume, tmp_path / "a.mcz")
    choose_loss(widget, "maxError", 7.0)
    widget.ui.targetComboBox.currentIndex += 1
    assert widget.ui.targetSpinBox.value == 45.0


@pytest.mark.parametrize("before", [None, b"older"], ids=["new", "replacing"])
def test_cancelling_leaves_the_files_as_they_were(
    widget: Any, volume: Any, tmp_path: Path, standin: Any, before: bytes | None
) -> None:
    path = tmp_path / "a.mcz"
    if before is not None:
        path.write_bytes(before)
    choose(widget, volume, path)
    apply_and_cancel(widget, standin)
    assert [found.read_bytes() for found in tmp_path.iterdir()] == ([] if before is None else [before])
    assert [dialog.closed for dialog in standin.dialogs] == [True]
    assert "verified" not in widget.ui.resultLabel.text
    assert widget.ui.applyButton.enabled


def test_cancelling_is_not_shown_as_an_error(widget: Any, volume: Any, tmp_path: Path, standin: Any) -> None:
    choose(widget, volume, tmp_path / "a.mcz")
    apply_and_cancel(widget, standin)
    assert len(standin.dialogs) == 1
    assert standin.errors == []


def test_apply_cannot_be_pressed_again_while_it_works(widget: Any, volume: Any, tmp_path: Path, standin: Any) -> None:
    choose(widget, volume, tmp_path / "a.mcz")
    seen: list[bool] = []
    standin.while_processing = lambda: seen.append(
        bool(widget.ui.applyButton.enabled) and not standin.dialogs[-1].windowModality
    )
    widget.ui.applyButton.click()
    assert seen
    assert not any(seen)


def test_an_existing_file_is_replaced_only_after_a_yes(widget: Any, volume: Any, tmp_path: Path, standin: Any) -> None:
    path = tmp_path / "a.mcz"
    path.write_bytes(b"older")
    choose(widget, volume, path)
    standin.answer = False
    widget.ui.applyButton.click()
    assert path.read_bytes() == b"older"
    assert len(standin.questions) == 1
    assert str(path) in standin.questions[0]
    standin.answer = True
    widget.ui.applyButton.click()
    assert path.read_bytes() != b"older"
    assert len(standin.questions) == 2


def test_what_cannot_be_compressed_is_explained_in_a_dialog(
    widget: Any, scene: Any, tmp_path: Path, standin: Any
) -> None:
    choose(widget, scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hollow"), tmp_path / "a.mcz")
    with pytest.raises(Exception, match="hollow"):
        widget.ui.applyButton.click()
    assert len(standin.errors) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_panel_works_on_after_the_scene_was_closed(widget: Any, volume: Any, scene: Any, tmp_path: Path) -> None:
    choose(widget, volume, tmp_path / "a.mcz")
    scene.Clear(0)
    assert widget.ui.inputSelector.currentNode() is None
    assert not widget.ui.applyButton.enabled
    assert widget.panel.parameterNode.parameterNode.GetScene() is scene
    choose(widget, slicer.util.addVolumeFromArray(head((3, 8, 9)), name="next"), tmp_path / "b.mcz")
    widget.ui.applyButton.click()
    assert (tmp_path / "b.mcz").is_file()


def test_a_panel_that_is_not_shown_leaves_a_closed_scene_alone(widget: Any, volume: Any, scene: Any) -> None:
    widget.exit()
    widget.parent.isEntered = False
    scene.Clear(1)
    assert widget.panel.parameterNode is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLScriptedModuleNode") == 0


def test_removing_the_input_node_disables_apply(widget: Any, volume: Any, scene: Any, tmp_path: Path) -> None:
    choose(widget, volume, tmp_path / "a.mcz")
    scene.RemoveNode(volume)
    assert not widget.ui.applyButton.enabled
    assert widget.panel.parameterNode.inputNode is None


def test_settings_come_back_from_the_scene(module: Any, widget: Any, volume: Any, tmp_path: Path) -> None:
    choose(widget, volume, tmp_path / "a.mcz")
    presets = widget.ui.presetComboBox
    presets.currentIndex = next(number for number, (_, data) in enumerate(presets.items) if data == "fast")
    choose_loss(widget, "psnr", 51.5)
    widget.exit()
    other = module.SlicerMedCompressWidget(WidgetParent())
    other.setup()
    assert other.ui.targetComboBox.currentData == "psnr"
    assert other.ui.targetSpinBox.value == 51.5
    assert other.ui.inputSelector.currentNode() is volume
    assert other.ui.outputPathEdit.text == str(tmp_path / "a.mcz")
    assert other.ui.presetComboBox.currentData == "fast"
    assert other.ui.applyButton.enabled
    other.cleanup()


def test_an_open_panel_shows_the_settings_of_a_scene_that_is_loaded(
    widget: Any, scene: Any, volume: Any, tmp_path: Path
) -> None:
    choose(widget, volume, "saved.mcz")
    scene.SetURL(str(tmp_path / "saved.mrml"))
    assert scene.Commit()
    scene.Clear(0)
    assert widget.ui.outputPathEdit.text == ""
    scene.Connect()
    assert widget.logic.getParameterNode().outputPath == "saved.mcz"
    assert widget.ui.outputPathEdit.text == "saved.mcz"


def test_reloading_makes_a_working_panel_of_freshly_imported_code(
    module: Any, widget: Any, volume: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "SlicerMedCompressLib"]:
        monkeypatch.setitem(sys.modules, name, sys.modules[name])
    slicer.modules.slicermedcompress = SimpleNamespace(
        path=str(MODULE_FILE), widgetRepresentation=lambda: widget.parent
    )
    slicer.modules.SlicerMedCompressWidget = widget
    old_package = sys.modules["SlicerMedCompressLib.widget"]
    widget.onReload()
    reloaded = slicer.modules.SlicerMedCompressWidget
    assert reloaded is not widget
    assert sys.modules["SlicerMedCompressLib.widget"] is not old_package
    assert type(reloaded.panel) is sys.modules["SlicerMedCompressLib.widget"].MedCompressPanel
    assert widget.panel.parameterNode is None
    choose(reloaded, volume, tmp_path / "a.mcz")
    reloaded.ui.applyButton.click()
    assert "verified" in reloaded.ui.resultLabel.text
    reloaded.cleanup()
