"""Window, level, thresholds and colours of a display node."""

from __future__ import annotations

import math
from typing import Any

import slicer

from ..appearance import ColorTable, Display

MAXIMUM_STORED_COLORS = 1 << 16


def display_of(node: Any) -> Display | None:
    """The display settings of a volume node's display node, or None without one."""
    display = node.GetDisplayNode()
    if display is None:
        return None
    scalar = display.IsA("vtkMRMLScalarVolumeDisplayNode")
    return Display(
        window=_finite(display.GetWindow()) if scalar else None,
        level=_finite(display.GetLevel()) if scalar else None,
        auto_window_level=bool(scalar and display.GetAutoWindowLevel()),
        lower_threshold=_finite(display.GetLowerThreshold()) if scalar else None,
        upper_threshold=_finite(display.GetUpperThreshold()) if scalar else None,
        auto_threshold=bool(scalar and display.GetAutoThreshold()),
        apply_threshold=bool(scalar and display.GetApplyThreshold()),
        interpolate=bool(not scalar or display.GetInterpolate()),
        inverted=bool(scalar and display.GetInvertDisplayScalarRange()),
        visible=bool(display.GetVisibility()),
        opacity=_finite(display.GetOpacity()) or 0.0,
        color_table=_color_table_of(display.GetColorNode()),
    )


DISPLAY_CLASSES = {
    "vtkMRMLScalarVolumeNode": "vtkMRMLScalarVolumeDisplayNode",
    "vtkMRMLLabelMapVolumeNode": "vtkMRMLLabelMapVolumeDisplayNode",
    "vtkMRMLVectorVolumeNode": "vtkMRMLVectorVolumeDisplayNode",
}


def apply_display(node: Any, stored: Display | None) -> None:
    """Give a volume node in a scene a display node with the stored settings, or the default one.

    Window, level and thresholds come back as values, with the automatic choice off: it would go
    through all voxels again to find the same values, which takes Slicer longer than decoding.
    """
    if stored is None:
        node.CreateDefaultDisplayNodes()
        return
    scene = node.GetScene()
    display = scene.CreateNodeByClass(DISPLAY_CLASSES[node.GetClassName()])
    display.UnRegister(None)
    if display.IsA("vtkMRMLScalarVolumeDisplayNode"):
        _apply_window(display, stored)
    display.SetVisibility(stored.visible)
    display.SetOpacity(stored.opacity)
    scene.AddNode(display)
    color = _color_node(scene, stored.color_table)
    if color is not None:
        display.SetAndObserveColorNodeID(color.GetID())
    else:
        display.SetDefaultColorMap()
    node.SetAndObserveDisplayNodeID(display.GetID())


def _apply_window(display: Any, stored: Display) -> None:
    display.SetAutoWindowLevel(False)
    display.SetAutoThreshold(False)
    if stored.window is not None and stored.level is not None:
        display.SetWindowLevel(stored.window, stored.level)
    if stored.lower_threshold is not None and stored.upper_threshold is not None:
        display.SetThreshold(stored.lower_threshold, stored.upper_threshold)
    display.SetApplyThreshold(stored.apply_threshold)
    display.SetInterpolate(stored.interpolate)
    display.SetInvertDisplayScalarRange(stored.inverted)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _color_table_of(color: Any) -> ColorTable | None:
    if color is None:
        return None
    table = ColorTable(color.GetID() or "", color.GetName() or "", color.GetTypeAsString() or "")
    if _is_built_in(color):
        return table
    count = min(color.GetNumberOfColors(), MAXIMUM_STORED_COLORS)
    names, colors, defined = [], [], []
    for index in range(count):
        rgba = [0.0, 0.0, 0.0, 0.0]
        color.GetColor(index, rgba)
        names.append(color.GetColorName(index) or "")
        colors.append((rgba[0], rgba[1], rgba[2], rgba[3]))
        defined.append(bool(color.GetColorDefined(index)))
    return ColorTable("", table.name, table.type_name, tuple(names), tuple(colors), tuple(defined))


def _is_built_in(color: Any) -> bool:
    """Whether every Slicer has this colour node under this ID: Slicer never saves its own ones."""
    return bool(color.GetSingletonTag()) and not color.GetSaveWithScene()


def _color_node(scene: Any, table: ColorTable | None) -> Any:
    if table is None:
        return None
    if table.node_id:
        found = scene.GetNodeByID(table.node_id)
        return found if found is not None and found.IsA("vtkMRMLColorNode") else None
    node = slicer.vtkMRMLColorTableNode()
    node.SetTypeToUser()
    node.SetNumberOfColors(len(table.colors))
    for index, (name, rgba) in enumerate(zip(table.names, table.colors, strict=True)):
        node.SetColor(index, name, *rgba)
        if table.defined:
            node.SetColorDefined(index, table.defined[index])
    twin = _same_table(scene, table)
    if twin is not None:
        return twin
    node.SetName(scene.GenerateUniqueName(table.name or "Colors"))
    node.SetHideFromEditors(False)
    node.SetAttribute("Category", "User Generated")
    return scene.AddNode(node)


def _same_table(scene: Any, table: ColorTable) -> Any:
    """A colour node in the scene with the same name and entries, so that reloading does not multiply them."""
    existing = scene.GetFirstNodeByName(table.name) if table.name else None
    if existing is not None and existing.IsA("vtkMRMLColorNode"):
        found = _color_table_of(existing)
        if found is not None and (found.names, found.colors) == (table.names, table.colors):
            return existing
    return None
