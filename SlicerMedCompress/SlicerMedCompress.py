"""The module that Slicer loads: it declares, the package beside it works."""

import os
import sys

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from SlicerMedCompressLib.scene.file_plugins import ReaderImplementation, WriterImplementation
from SlicerMedCompressLib.scene.logic import MedCompressLogic
from SlicerMedCompressLib.widget import MedCompressPanel


def moduleResource(name):
    """Path of a file in Resources: beside the module where installed, one folder up in development."""
    here = os.path.dirname(os.path.realpath(__file__))
    for folder in (here, os.path.dirname(here)):
        path = os.path.join(folder, "Resources", *name.split("/"))
        if os.path.exists(path):
            return path
    return os.path.join(here, "Resources", *name.split("/"))


class SlicerMedCompress(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("MedCompress")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Utilities")]
        parent.dependencies = []
        parent.contributors = ["MedCompress developers"]
        parent.helpText = _(
            "Compress volumes, segmentations and sequences without loss to a .mcz file, and load it again. "
            "Every file is decoded and compared before it takes its place. It may also lose what a largest error, a "
            "PSNR or a size allow; from the Python console with segments that stay exact."
        )
        parent.acknowledgementText = _(
            "Built on libjxl, OpenJPH, CharLS, OpenJPEG, libjpeg-turbo, SPERR, SZ3, ZFP, Zstandard, Blosc2, pcodec, "
            "crackle, x265, SVT-AV1, dav1d and FFmpeg."
        )
        icon = moduleResource("Icons/SlicerMedCompress.png")
        if os.path.exists(icon):
            import qt

            parent.icon = qt.QIcon(icon)


@parameterNodeWrapper
class SlicerMedCompressParameterNode:
    """The panel's settings, kept in the scene."""

    inputNode: slicer.vtkMRMLNode
    preset: str = "balanced"
    target: str = ""
    targetValue: float = 2.0
    outputPath: str = ""


class SlicerMedCompressWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Gives the panel its widgets and its parameter node; what they do is in the package's widget.py."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = SlicerMedCompressLogic()
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SlicerMedCompress.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.panel = MedCompressPanel(self.ui, self.logic)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.initializeParameterNode()

    def resourcePath(self, name):
        return moduleResource(name)

    def cleanup(self):
        self.removeObservers()
        if self.panel is not None:
            self.panel.setParameterNode(None)

    def enter(self):
        self.initializeParameterNode()

    def exit(self):
        self.panel.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.panel.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        self.panel.setParameterNode(self.logic.getParameterNode())

    def onReload(self):
        """Reload the package with the module; Slicer itself re-executes only this file."""
        worker = sys.modules.get("SlicerMedCompressLib.codecs.decoder_process")
        if worker is not None:
            worker.PROCESSES.stop()
        for name in [name for name in sys.modules if name.partition(".")[0] == "SlicerMedCompressLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)


class SlicerMedCompressLogic(ScriptedLoadableModuleLogic, MedCompressLogic):
    """compress(node, path), load(path), reconstruct(node); documented in the package's scene/logic.py."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)

    def getParameterNode(self):
        return SlicerMedCompressParameterNode(super().getParameterNode())


class SlicerMedCompressFileReader(ReaderImplementation):
    """Loads a dropped or opened .mcz."""

    def description(self):
        return _("MedCompress compressed image")

    def reportError(self, message):
        self.parent.userMessages().AddMessage(vtk.vtkCommand.ErrorEvent, message)


class SlicerMedCompressFileWriter(WriterImplementation):
    """Saves a node as .mcz where the user chooses that in the Save dialog."""

    def description(self, obj=None):
        return _("MedCompress compressed image")

    def reportError(self, message):
        self.parent.userMessages().AddMessage(vtk.vtkCommand.ErrorEvent, message)


class SlicerMedCompressTest(ScriptedLoadableModuleTest):
    """A self test in the running application: a volume goes to a file and comes back identical."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_volumeComesBackIdentical()

    def test_volumeComesBackIdentical(self):
        import tempfile

        import numpy as np

        voxels = (np.indices((20, 30, 40)).sum(axis=0) ** 2 % 2001 - 1000).astype(np.int16)
        node = slicer.util.addVolumeFromArray(voxels, name="self test")
        node.SetSpacing(0.7, 0.7, 1.3)
        logic = SlicerMedCompressLogic()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "self-test.mcz")
            logic.compress(node, path)
            reloaded = logic.load(path)
        self.assertTrue(np.array_equal(slicer.util.arrayFromVolume(reloaded), voxels))
        self.assertEqual(reloaded.GetSpacing(), node.GetSpacing())
