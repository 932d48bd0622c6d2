"""Widgets without a screen, made from a .ui file: properties, signals and the two combo boxes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import vtk

NOTIFIES = {"text": "textChanged", "currentIndex": "currentIndexChanged", "checked": "toggled", "value": "valueChanged",
            "currentPath": "currentPathChanged", "collapsed": "contentsCollapsed"}  # fmt: skip
"""The signal that a widget emits when this property changes."""


class Widget:
    """Any widget.

    More lenient: every attribute exists once assigned and every signal exists. Stricter: an
    exception in a slot reaches who emitted, where PythonQt prints it.
    """

    def __init__(self, name: str, properties: dict[str, Any]) -> None:
        self.slots: dict[str, list[Callable[..., object]]] = {}
        self.name = self.objectName = name
        self.parts: list[Widget] = []
        self.enabled, self.toolTip, self.text = True, "", ""
        vars(self).update(properties)

    def __setattr__(self, name: str, value: Any) -> None:
        changed = vars(self).get(name) != value
        super().__setattr__(name, value)
        if changed and name in NOTIFIES:
            self.emit(NOTIFIES[name], value)

    def connect(self, signal: str, slot: Callable[..., object]) -> None:
        """Call ``slot`` whenever a signal of this name is emitted; the argument types must be written."""
        if not re.fullmatch(r"\w+\([\w*&:, ]*\)", signal):
            raise ValueError(f"Not a signal with its argument types: {signal}")
        self.slots.setdefault(signal.partition("(")[0], []).append(slot)

    def emit(self, signal: str, *arguments: object) -> None:
        """What Qt does; for tests and for the other widgets."""
        for slot in self.slots.get(signal, ()):
            slot(*arguments)

    def click(self) -> None:
        """A user's click: nothing happens where the widget is disabled."""
        if self.enabled:
            self.emit("clicked", False)

    def children(self) -> list[Widget]:
        """Direct children, which ``slicer.util.findChildren`` walks."""
        return self.parts

    def hide(self) -> None:
        """Part of Slicer's reload."""

    def setMRMLScene(self, scene: Any) -> None:
        """Pass the scene on to what the .ui file connects with ``mrmlSceneChanged``."""
        self.emit("mrmlSceneChanged", scene)


class ComboBox(Widget):
    """QComboBox; more lenient: any index may be set."""

    def __init__(self, name: str, properties: dict[str, Any]) -> None:
        super().__init__(name, properties)
        self.items: list[tuple[str, Any]] = []
        self.currentIndex = -1

    count = property(lambda self: len(self.items))
    currentText = property(lambda self: self.items[self.currentIndex][0] if self.currentIndex >= 0 else "")
    currentData = property(lambda self: self.items[self.currentIndex][1] if self.currentIndex >= 0 else None)

    def addItem(self, text: str, data: Any = None) -> None:
        """Add at the end; the first item becomes the current one."""
        self.items.append((text, data))
        self.currentIndex = max(0, self.currentIndex)


class NodeComboBox(Widget):
    """qMRMLNodeComboBox; more lenient: its list is the scene, and none is always allowed."""

    def __init__(self, name: str, properties: dict[str, Any]) -> None:
        super().__init__(name, properties)
        self.scene: Any = None
        self.node: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        """Follow a scene: a node that leaves it is no longer the current one."""

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def removed(caller: Any, event: str, node: Any) -> None:
            if node is self.node:
                self.setCurrentNode(None)

        self.scene = scene
        scene.AddObserver(scene.NodeRemovedEvent, removed)

    def currentNode(self) -> Any:
        """The chosen node or None."""
        return self.node

    def setCurrentNode(self, node: Any) -> None:
        """Choose a node of the scene and of ``nodeTypes``; any other is as none."""
        listed = node is not None and self.scene is not None and self.scene.IsNodePresent(node)
        chosen = node if listed and any(node.IsA(kind) for kind in self.nodeTypes) else None
        if chosen is not self.node:
            self.node = chosen
            self.emit("currentNodeChanged", chosen)


CLASSES = {"QComboBox": ComboBox, "qMRMLNodeComboBox": NodeComboBox}


def load_ui(path: str) -> Widget:
    """``slicer.util.loadUI``; more lenient: layouts, enums and geometry are ignored."""
    if not os.path.isfile(path):
        raise RuntimeError(f"Could not load UI file: file not found {path}")
    root = ElementTree.parse(path).getroot()
    by_name: dict[str, Widget] = {}
    widget = _built(root.find("widget"), by_name)
    for link in root.iter("connection"):
        slot = getattr(by_name[link.findtext("receiver", "")], link.findtext("slot", "").partition("(")[0])
        by_name[link.findtext("sender", "")].connect(link.findtext("signal", ""), slot)
    return widget


def _built(element: Any, by_name: dict[str, Widget]) -> Widget:
    properties = {item.get("name"): _value(item[0]) for item in element.findall("property")}
    name = element.get("name", "")
    widget = by_name[name] = CLASSES.get(element.get("class"), Widget)(name, properties)
    for path in ("widget", "layout/item/widget", "layout/item/layout/item/widget"):
        widget.parts += [_built(child, by_name) for child in element.findall(path)]
    return widget


def _value(element: Any) -> Any:
    text = element.text or ""
    convert = {"bool": lambda: text == "true", "number": lambda: int(text), "double": lambda: float(text)}
    if element.tag == "stringlist":
        return [item.text or "" for item in element]
    return convert.get(element.tag, lambda: text)()
