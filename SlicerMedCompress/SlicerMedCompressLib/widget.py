"""The panel: choose a node, a preset and a file, press Apply."""

from __future__ import annotations

import os
from typing import Any

import slicer

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
        for preset in PRESETS.values():
            ui.presetComboBox.addItem(f"{preset.title}: {preset.description}", preset.id)
        ui.presetComboBox.currentIndex = list(PRESETS).index("balanced")
        ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInputChanged)
        ui.presetComboBox.connect("currentIndexChanged(int)", self.onSettingChanged)
        ui.outputPathEdit.connect("textChanged(QString)", self.onSettingChanged)
        ui.applyButton.connect("clicked(bool)", self.onApply)
        self.updateApply()

    def setParameterNode(self, parameterNode: Any) -> None:
        """Show the settings of this parameter node, or let go of the scene with None."""
        self.parameterNode = None
        if parameterNode is not None:
            self.ui.inputSelector.setCurrentNode(parameterNode.inputNode)
            if parameterNode.preset in PRESETS:
                self.ui.presetComboBox.currentIndex = list(PRESETS).index(parameterNode.preset)
            self.ui.outputPathEdit.text = parameterNode.outputPath
        self.parameterNode = parameterNode
        self.updateApply()

    def onInputChanged(self, node: Any = None) -> None:
        """A node was chosen: remember it and check whether it can be compressed."""
        self.onSettingChanged()

    def onSettingChanged(self, *_: object) -> None:
        """Keep the settings in the scene and the Apply button up to date."""
        if self.parameterNode is not None:
            self.parameterNode.inputNode = self.ui.inputSelector.currentNode()
            self.parameterNode.preset = self.preset()
            self.parameterNode.outputPath = self.ui.outputPathEdit.text
        self.updateApply()

    def preset(self) -> str:
        """The chosen preset's id."""
        return list(PRESETS)[max(0, self.ui.presetComboBox.currentIndex)]

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
        with slicer.util.tryWithErrorDisplay("Compression failed.", waitCursor=False):
            ensure_installed()
            dialog = slicer.util.createProgressDialog(maximum=100, windowTitle="MedCompress")
            try:

                def progress(fraction: float, stage: str) -> bool:
                    dialog.value = int(100 * fraction)
                    dialog.labelText = stage
                    slicer.app.processEvents()
                    return not dialog.wasCanceled

                result = self.logic.compress(node, path, preset=self.preset(), progress=progress)
            finally:
                dialog.close()
            self.ui.resultLabel.text = str(result)
