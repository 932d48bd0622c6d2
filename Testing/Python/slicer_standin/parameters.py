"""``slicer.parameterNodeWrapper``: attributes of a class kept in a vtkMRMLScriptedModuleNode."""

from __future__ import annotations

import typing
from typing import Any

import slicer

PLAIN = {str: str, int: int, float: float, bool: lambda text: text == "True"}


def parameterNodeWrapper(wrapped: type) -> type:
    """Turn annotated attributes into properties over ``self.parameterNode``.

    More lenient than Slicer's: no ranges, choices, packs or GUI connections, and a value may be
    assigned before it is validated against more than its type. A type it cannot keep raises here,
    as there.
    """
    hints = typing.get_type_hints(wrapped)
    defaults = {name: getattr(wrapped, name, None) for name in hints}
    for name, hint in hints.items():
        kinds = [kind for kind in typing.get_args(hint) or (hint,) if kind is not type(None)]
        if all(issubclass(kind, slicer.vtkMRMLNode) for kind in kinds):
            setattr(wrapped, name, _reference(name, tuple(kinds)))
        elif len(kinds) == 1 and kinds[0] in PLAIN:
            setattr(wrapped, name, _plain(name, kinds[0]))
        else:
            raise ValueError(f"The type of the parameter {name} cannot be kept in a parameter node: {hint}")

    def initialize(self: Any, parameterNode: Any) -> None:
        self.parameterNode = parameterNode
        for name, default in defaults.items():
            if isinstance(default, tuple(PLAIN)) and not parameterNode.GetParameter(name):
                setattr(self, name, default)

    wrapped.__init__ = initialize  # type: ignore[misc]
    wrapped.AddObserver = lambda self, *arguments: self.parameterNode.AddObserver(*arguments)  # type: ignore[attr-defined]
    wrapped.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)  # type: ignore[attr-defined]
    return wrapped


def _plain(name: str, kind: type) -> property:
    def read(self: Any) -> Any:
        text = self.parameterNode.GetParameter(name)
        return PLAIN[kind](text) if text else kind()

    def write(self: Any, value: Any) -> None:
        if not isinstance(value, kind):
            raise TypeError(f"The parameter {name} is a {kind.__name__}, not {value!r}.")
        self.parameterNode.SetParameter(name, str(value))

    return property(read, write)


def _reference(name: str, kinds: tuple[type, ...]) -> property:
    def read(self: Any) -> Any:
        return self.parameterNode.GetNodeReference(name)

    def write(self: Any, node: Any) -> None:
        if node is not None and not isinstance(node, kinds):
            raise TypeError(f"The parameter {name} is a node of {kinds}, not {node!r}.")
        self.parameterNode.SetNodeReferenceID(name, node.GetID() if node is not None else None)

    return property(read, write)
