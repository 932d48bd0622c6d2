"""The panel: choose a node, a preset or what may be lost, and a file, press Apply."""

from __future__ import annotations

import os
from typing import Any

import slicer
import vtk

from .errors import Cancelled
from .presets import PRESETS
from .scene.conversion import is_supported
from .scene.dependencies import ensure_installed
from .targets import BitsPerVoxel, MaxError, Psnr, Ratio, Target

SUFFIX = ".mcz"
TARGETS: dict[str, tuple[str, type[Target] | None, float]] = {
    "": ("Nothing", None, 2.0),
    "maxError": ("Up to a largest error in stored units (HU for CT)", MaxError, 2.0),
    "psnr": ("As a PSNR in dB allows", Psnr, 45.0),
    "ratio": ("As a ratio of sizes needs", Ratio, 15.0),
    "bitsPerVoxel": ("As bits per voxel need", BitsPerVoxel, 1.5),
}
"""What the parameter node calls a target: its text, its class, and the number to start from."""


class MedCompressPanel:
    """Connects the widgets of SlicerMedCompress.ui with the logic.

    Args:
        ui: the widgets by name, from ``slicer.util.childWidgetVariables``.
        logic: a SlicerMedCompressLogic.
    """

    def __init__(self, ui: Any, logic: Any) -> None:
        self.ui, self.logic = ui, logic
        self.parameterNode: Any = None
        self._observer: int | None = None
        for preset in PRESETS.values():
            ui.presetComboBox.addItem(f"{preset.title}: {preset.description}", preset.id)
        ui.presetComboBox.currentIndex = list(PRESETS).index("balanced")
        for name, (text, _, _) in TARGETS.items():
            ui.targetComboBox.addItem(text, name)
        ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInputChanged)
        ui.presetComboBox.connect("currentIndexChanged(int)", self.onSettingChanged)
        ui.targetComboBox.connect("currentIndexChanged(int)", self.onTargetChanged)
        ui.targetSpinBox.connect("valueChanged(double)", self.onSettingChanged)
        ui.outputPathEdit.connect("textChanged(QString)", self.onSettingChanged)
        ui.applyButton.connect("clicked(bool)", self.onApply)
        self.updateApply()

    def setParameterNode(self, parameterNode: Any) -> None:
        """Show and follow the settings of this parameter node, or let go of the scene with None."""
        if self.parameterNode is not None and self._observer is not None:
            self.parameterNode.RemoveObserver(self._observer)
        self.parameterNode, self._observer = parameterNode, None
        if parameterNode is not None:
            self._observer = parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, self.onParametersChanged)
        self.onParametersChanged()

    def onParametersChanged(self, *_: object) -> None:
        """Show what the parameter node holds: a scene was loaded, or a script changed a setting."""
        shown = self.parameterNode
        if shown is not None:
            # The widgets report what is set on them; that must not be written back meanwhile.
            self.parameterNode = None
            self.ui.inputSelector.setCurrentNode(shown.inputNode)
            if shown.preset in PRESETS:
                self.ui.presetComboBox.currentIndex = list(PRESETS).index(shown.preset)
            if shown.target in TARGETS:
                self.ui.targetComboBox.currentIndex = list(TARGETS).index(shown.target)
            self.ui.targetSpinBox.value = shown.targetValue
            self.ui.outputPathEdit.text = shown.outputPath
            self.parameterNode = shown
        self.updateApply()

    def onInputChanged(self, node: Any = None) -> None:
        """A node was chosen: remember it and check whether it can be compressed."""
        self.onSettingChanged()

    def onTargetChanged(self, *_: object) -> None:
        """Another kind of loss was chosen: its number starts from a usual one."""
        if self.parameterNode is not None:
            self.ui.targetSpinBox.value = TARGETS[self.targetName()][2]
        self.onSettingChanged()

    def onSettingChanged(self, *_: object) -> None:
        """Keep the settings in the scene and the Apply button up to date."""
        if self.parameterNode is not None:
            # All are read before any is written: writing shows the others as they were.
            node, preset, path = self.ui.inputSelector.currentNode(), self.preset(), self.ui.outputPathEdit.text
            target, value = self.targetName(), float(self.ui.targetSpinBox.value)
            self.parameterNode.inputNode = node
            self.parameterNode.preset = preset
            self.parameterNode.target = target
            self.parameterNode.targetValue = value
            self.parameterNode.outputPath = path
        self.updateApply()

    def preset(self) -> str:
        """The chosen preset's id."""
        return list(PRESETS)[max(0, int(self.ui.presetComboBox.currentIndex))]

    def targetName(self) -> str:
        """The chosen target's name in the parameter node; empty for none."""
        return list(TARGETS)[max(0, int(self.ui.targetComboBox.currentIndex))]

    def target(self) -> Target | None:
        """What may be lost; None for nothing."""
        kind = TARGETS[self.targetName()][1]
        return None if kind is None else kind(float(self.ui.targetSpinBox.value))

    def isValid(self) -> tuple[bool, str]:
        """Whether Apply can run, and what it will do or what is missing."""
        node, path = self.ui.inputSelector.currentNode(), self.ui.outputPathEdit.text
        if not is_supported(node):
            return False, "Choose a volume, segmentation or sequence."
        if not path.lower().endswith(SUFFIX):
            return False, "Name a file that ends in .mcz."
        if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            return False, "The folder of the file does not exist."
        return True, f'Compress "{node.GetName()}" to {path}.'

    def updateApply(self) -> None:
        """Enable Apply or say in its tooltip why not."""
        loses = self.targetName() != ""
        self.ui.targetSpinBox.enabled, self.ui.presetComboBox.enabled = loses, not loses
        valid, reason = self.isValid()
        self.ui.applyButton.enabled = valid
        self.ui.applyButton.toolTip = reason

    def onApply(self, *_: object) -> None:
        """Compress with progress and Cancel; show the result, or the error in a dialog."""
        node, path = self.ui.inputSelector.currentNode(), self.ui.outputPathEdit.text
        if os.path.exists(path) and not slicer.util.confirmOkCancelDisplay(f"{path} exists. Replace it?"):
            return
        # Progress lets the window live, so Apply must not start a second run meanwhile.
        self.ui.applyButton.enabled = False
        try:
            with slicer.util.tryWithErrorDisplay("Compression failed.", waitCursor=False):
                ensure_installed()
                self.ui.resultLabel.text = self._compressed(node, path)
        finally:
            self.updateApply()

    def _compressed(self, node: Any, path: str) -> str:
        """Compress behind a progress dialog; the result, or that it was cancelled, as a line."""
        dialog = slicer.util.createProgressDialog(maximum=100, windowTitle="MedCompress")

        def progress(fraction: float, stage: str) -> bool:
            dialog.value = int(100 * fraction)
            dialog.labelText = stage
            slicer.app.processEvents()
            return not dialog.wasCanceled

        target = self.target()
        how = {"preset": self.preset()} if target is None else {"target": target}
        try:
            return str(self.logic.compress(node, path, progress=progress, **how))
        except Cancelled as cancelled:
            return str(cancelled)
        finally:
            dialog.close()
