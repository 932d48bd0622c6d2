"""``slicer.ScriptedLoadableModule``: the four base classes of a scripted module, and their parents."""

from __future__ import annotations

import unittest
from typing import Any

import slicer

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]


class ScriptedLoadableModule:
    """Base of the declaring class; more lenient: ``parent`` may be any object that takes attributes."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent, self.moduleName = parent, type(self).__name__
        parent.title, parent.categories, parent.dependencies = "", [], []
        parent.contributors, parent.helpText, parent.acknowledgementText = [], "", ""


class ScriptedLoadableModuleWidget:
    """Base of the panel; more lenient: a parent must be given, and there is no developer section."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent, self.layout = parent, parent.layout()

    def setup(self) -> None:
        """Nothing but the developer section, in Slicer."""

    def cleanup(self) -> None:
        """To be overridden."""

    def onReload(self) -> None:
        """Run Slicer's own reload of this module."""
        slicer.util.reloadScriptedModule(self.moduleName)


class ScriptedLoadableModuleLogic:
    """Base of the logic, with the singleton parameter node that Slicer's makes. Not more lenient."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> Any:
        """This module's vtkMRMLScriptedModuleNode in the scene, made where there is none."""
        kind = "vtkMRMLScriptedModuleNode"
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, kind)
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass(kind)
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
            node = slicer.mrmlScene.AddNode(node)
        node.SetAttribute("ModuleName", self.moduleName)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base of the self test; more lenient: nothing is shown and nothing waits."""

    def runTest(self) -> None:
        """To be overridden."""

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        """Slicer shows the message for a moment."""


class Layout(list):
    """A layout as a list of widgets; more lenient: it owns nothing."""

    addWidget = list.append
    removeItem = list.remove
    itemAt = list.__getitem__

    def count(self) -> int:  # type: ignore[override]
        """Number of widgets, as in Qt."""
        return len(self)


class WidgetParent:
    """The qSlicerScriptedLoadableModuleWidget of a panel; more lenient: ``isEntered`` is set by the test."""

    def __init__(self) -> None:
        self.isEntered, self._layout = True, Layout()

    def layout(self) -> Layout:
        """The layout that the panel fills."""
        return self._layout

    def children(self) -> list[Any]:
        """The widgets of the layout."""
        return list(self._layout)

    def reload(self) -> None:
        """Make the panel of the module file as it was just executed again."""
        import sys

        widget = sys.modules["SlicerMedCompress"].SlicerMedCompressWidget(self)
        widget.setup()
        slicer.modules.SlicerMedCompressWidget = widget


class FilePluginParent:
    """The qSlicerScriptedFileReader or -Writer of a file plugin; more lenient: it does not check types."""

    def __init__(self) -> None:
        self.loadedNodes: list[str] = []
        self.writtenNodes: list[str] = []
        self._messages = slicer.vtkMRMLMessageCollection()

    def userMessages(self) -> Any:
        """A real vtkMRMLMessageCollection."""
        return self._messages

    def messages(self) -> list[str]:
        """What was added to it; for tests."""
        return [self._messages.GetNthMessageText(number) for number in range(self._messages.GetNumberOfMessages())]
