"""Putting a reconstruction where its original is: parent transform and subject hierarchy."""

from __future__ import annotations

from typing import Any

import slicer


def place_beside(node: Any, original: Any) -> None:
    """Same parent transform, same display, and same parent item in the subject hierarchy if there is one."""
    if original.IsA("vtkMRMLTransformableNode") and node.IsA("vtkMRMLTransformableNode"):
        node.SetAndObserveTransformNodeID(original.GetTransformNodeID())
    _show_alike(node, original)
    scene = node.GetScene()
    # Resolving makes the hierarchy if there is none; that is Slicer's business, not ours.
    if scene.GetNumberOfNodesByClass("vtkMRMLSubjectHierarchyNode") == 0:
        return
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    source = hierarchy.GetItemByDataNode(original)
    item = hierarchy.GetItemByDataNode(node)
    if source and not item:
        item = hierarchy.CreateItem(hierarchy.GetItemParent(source), node)
    if source and item:
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(source))


def _show_alike(node: Any, original: Any) -> None:
    """Copy the display settings that a file does not keep."""
    if not original.IsA("vtkMRMLDisplayableNode"):
        return
    shown, source = node.GetDisplayNode(), original.GetDisplayNode()
    if shown is None or source is None:
        return
    if original.IsA("vtkMRMLSegmentationNode"):
        shown.CopyContent(source)
        return
    # CopyContent of a volume's display copies its pipeline too: the new node would show the old voxels.
    shown.SetVisibility2D(source.GetVisibility2D())
    shown.SetVisibility3D(source.GetVisibility3D())
    if shown.IsA("vtkMRMLScalarVolumeDisplayNode"):
        shown.SetAutoWindowLevel(source.GetAutoWindowLevel())
        shown.SetAutoThreshold(source.GetAutoThreshold())
