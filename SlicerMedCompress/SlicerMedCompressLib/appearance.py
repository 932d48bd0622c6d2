"""How Slicer shows an image: window, level, thresholds and colour table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ColorTable:
    """A colour table: one of Slicer's own by node ID, or the user's with all its entries.

    Attributes:
        node_id: the singleton's ID in every Slicer scene (``vtkMRMLColorTableNodeGrey``), or empty.
        type_name: Slicer's name of the table type (``Grey``, ``User``).
        names: one a colour; empty for one of Slicer's own.
        colors: (red, green, blue, alpha) from 0 to 1, one a name.
        defined: whether each colour is in use; empty means all are.
    """

    node_id: str = ""
    name: str = ""
    type_name: str = ""
    names: tuple[str, ...] = ()
    colors: tuple[tuple[float, float, float, float], ...] = ()
    defined: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Display:
    """The display settings of a scalar, label or vector volume; stored units throughout.

    For a label volume and others without window and level these are None.
    """

    window: float | None = None
    level: float | None = None
    auto_window_level: bool = False
    lower_threshold: float | None = None
    upper_threshold: float | None = None
    auto_threshold: bool = False
    apply_threshold: bool = False
    interpolate: bool = True
    inverted: bool = False
    visible: bool = True
    opacity: float = 1.0
    color_table: ColorTable | None = None
