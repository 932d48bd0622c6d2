"""A MRML scene outside the Slicer application, for the terminal and the tests (PyPI's slicer-core)."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import slicer


@dataclass(frozen=True)
class StandaloneScene:
    """A fresh scene, set as ``slicer.mrmlScene``, with the module logics that nodes rely on.

    The logics observe the scene and must live as long as it does.
    """

    scene: Any
    logics: tuple[Any, ...]


def new_scene() -> StandaloneScene:
    """Make a scene and its logics; what Slicer's application does at start."""
    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    logics = [application]
    for kind in (
        slicer.vtkSlicerVolumesLogic,
        slicer.vtkSlicerSegmentationsModuleLogic,
        slicer.vtkSlicerSequencesLogic,
    ):
        logic = kind()
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
        logics.append(logic)
    colors = slicer.vtkMRMLColorLogic()
    colors.SetMRMLApplicationLogic(application)
    colors.SetMRMLScene(scene)
    logics.append(colors)
    slicer.modules = SimpleNamespace(
        volumes=SimpleNamespace(logic=lambda: logics[1]), segmentations=SimpleNamespace(logic=lambda: logics[2])
    )
    return StandaloneScene(scene, tuple(logics))
