"""The panel: choose a node, a preset and a file, press Apply."""

from __future__ import annotations

import os
from typing import Any

import slicer
import vtk

from .errors import Cancelled
from .presets import PRESETS
from .scene.conversion import is_supported
from .scene.dependencies import ensure_installed

SUFFIX = ".mcz"


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
        ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInputChanged)
        ui.presetComboBox.connect("currentIndexChanged(int)", self.onSettingChanged)
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
            self.ui.outputPathEdit.text = shown.outputPath
            self.parameterNode = shown
        self.updateApply()

    def onInputChanged(self, node: Any = None) -> None:
        """A node was chosen: remember it and check whether it can be compressed."""
        self.onSettingChanged()

    def onSettingChanged(self, *_: object) -> None:
        """Keep the settings in the scene and the Apply button up to date."""
        if self.parameterNode is not None:
            # All are read before any is written: writing shows the others as they were.
            node, preset, path = self.ui.inputSelector.currentNode(), self.preset(), self.ui.outputPathEdit.text
            self.parameterNode.inputNode = node
            self.parameterNode.preset = preset
            self.parameterNode.outputPath = path
        self.updateApply()

    def preset(self) -> str:
        """The chosen preset's id."""
        return list(PRESETS)[max(0, int(self.ui.presetComboBox.currentIndex))]

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

        try:
            return str(self.logic.compress(node, path, preset=self.preset(), progress=progress))
        except Cancelled as cancelled:
            return str(cancelled)
        finally:
            dialog.close()
