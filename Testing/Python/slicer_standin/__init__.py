"""A stand-in for the parts of the Slicer application that slicer-core lacks, for tests of the module file.

The MRML scene, its nodes and all of ``slicer.util`` that needs no window are the real ones. What is
imitated takes plain Python and reports nothing to a screen, so a test that passes here says that
the code is right in its own terms, not that PythonQt takes it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from . import bases, parameters, widgets


@dataclass
class StandIn:
    """What was installed, and what the code under test asked the user.

    Attributes:
        answer: what ``confirmOkCancelDisplay`` returns. questions: the texts it was asked.
        errors: texts of the error dialogs. dialogs: the progress dialogs, oldest first.
        while_processing: called at every ``slicer.app.processEvents()``; the user's hand.
    """

    answer: bool = True
    questions: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[ProgressDialog] = field(default_factory=list)
    while_processing: Callable[[], object] = lambda: None
    patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)


class ProgressDialog:
    """QProgressDialog; more lenient: it takes any attribute, and it never closes at its maximum by itself."""

    def __init__(self, parent: Any = None) -> None:
        self.value, self.maximum, self.wasCanceled, self.closed, self.windowModality = 0, 100, False, False, 0

    def show(self) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


class Icon:
    """QIcon; more lenient: a file that exists counts as a picture."""

    def __init__(self, path: str = "") -> None:
        self.path = path

    def isNull(self) -> bool:
        """Whether the file is missing."""
        return not os.path.isfile(self.path)


def install() -> StandIn:
    """Put the stand-ins into ``sys.modules``, ``slicer`` and ``slicer.util``.

    More lenient than Slicer: no translation, no cursor, no event loop, and testing mode is off, so
    that errors reach ``errors``.
    """
    import slicer
    import slicer.util

    standin = StandIn()

    def made_dialog(parent: Any = None) -> ProgressDialog:
        standin.dialogs.append(ProgressDialog(parent))
        return standin.dialogs[-1]

    def confirm(text: str, *_: Any, **__: Any) -> bool:
        standin.questions.append(text)
        return standin.answer

    modules = {
        "slicer.i18n": {"tr": lambda text: text, "translate": lambda context, text: text},
        "slicer.ScriptedLoadableModule": {name: getattr(bases, name) for name in bases.__all__},
        "slicer.parameterNodeWrapper": {"parameterNodeWrapper": parameters.parameterNodeWrapper},
        "qt": {
            "QIcon": Icon,
            "QProgressDialog": made_dialog,
            "Qt": SimpleNamespace(NonModal=0, WindowModal=1, ApplicationModal=2, WaitCursor=3),
        },
    }
    for name, members in modules.items():
        module = ModuleType(name)
        vars(module).update(members)
        standin.patch.setitem(sys.modules, name, module)
        if name.startswith("slicer."):
            standin.patch.setattr(slicer, name.partition(".")[2], module, raising=False)
    app = SimpleNamespace(
        applicationName="Slicer",
        processEvents=lambda: standin.while_processing(),
        testingEnabled=lambda: False,
        setOverrideCursor=lambda cursor: None,
        restoreOverrideCursor=lambda: None,
    )
    standin.patch.setattr(slicer, "app", app, raising=False)
    standin.patch.setattr(slicer.util, "mainWindow", lambda: None)
    standin.patch.setattr(slicer.util, "loadUI", widgets.load_ui)
    standin.patch.setattr(slicer.util, "confirmOkCancelDisplay", confirm)
    standin.patch.setattr(slicer.util, "errorDisplay", lambda text, **_: standin.errors.append(text))
    return standin


def remove(standin: StandIn) -> None:
    """Undo ``install``."""
    standin.patch.undo()
