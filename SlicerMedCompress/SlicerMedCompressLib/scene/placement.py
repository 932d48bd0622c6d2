"""Putting a reconstruction where its original is: parent transform and subject hierarchy."""

from __future__ import annotations

from typing import Any

import slicer

from .display import copy_automatic


def place_beside(node: Any, original: Any) -> None:
    """Same parent transform, automatic display settings, and parent item in the subject hierarchy if there is one."""
    if original.IsA("vtkMRMLTransformableNode") and node.IsA("vtkMRMLTransformableNode"):
        node.SetAndObserveTransformNodeID(original.GetTransformNodeID())
    if original.IsA("vtkMRMLVolumeNode"):
        copy_automatic(node, original)
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
