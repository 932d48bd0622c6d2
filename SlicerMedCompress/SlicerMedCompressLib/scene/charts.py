"""A sweep as a table node and a plot chart node."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import slicer
import vtk

from ..sweep import COLUMNS, Sweep

COLORS = (
    (0.23, 0.50, 0.71),
    (0.88, 0.54, 0.24),
    (0.30, 0.60, 0.30),
    (0.75, 0.30, 0.30),
    (0.50, 0.40, 0.70),
    (0.45, 0.35, 0.30),
    (0.85, 0.50, 0.70),
    (0.50, 0.50, 0.50),
)
_TEXTS = ("codec", "setting")


@dataclass(frozen=True, eq=False)
class SweepNodes:
    """What a sweep leaves in the scene: figures, a table with a row a point, a chart with a series a codec."""

    sweep: Sweep
    table: Any
    chart: Any
    series: tuple[Any, ...]


def sweep_to_nodes(found: Sweep, scene: Any, name: str) -> SweepNodes:
    """New nodes in the scene; a slicer.app.layoutManager can show the chart in a plot view."""
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", scene.GenerateUniqueName(f"{name} sweep"))
    for column in COLUMNS:
        array = vtk.vtkStringArray() if column in _TEXTS else vtk.vtkDoubleArray()
        array.SetName(column)
        for point in found.points:
            array.InsertNextValue(asdict(point)[column])
        table.AddColumn(array)
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", scene.GenerateUniqueName(f"{name} rate and PSNR"))
    chart.SetTitle(name)
    chart.SetXAxisTitle("bits per voxel")
    chart.SetYAxisTitle("PSNR (dB)")
    series = []
    for number, codec in enumerate(found.bd_rates):
        series.append(_series(found, codec, scene, COLORS[number % len(COLORS)]))
        chart.AddAndObservePlotSeriesNodeID(series[-1].GetID())
    return SweepNodes(found, table, chart, tuple(series))


def _series(found: Sweep, codec: str, scene: Any, color: tuple[float, float, float]) -> Any:
    """A scatter plot of one codec, from a table of its own points: a series takes whole columns."""
    points = scene.AddNewNodeByClass("vtkMRMLTableNode", scene.GenerateUniqueName(f"{codec} points"))
    points.SetHideFromEditors(True)
    for column in ("bits_per_voxel", "psnr"):
        array = vtk.vtkDoubleArray()
        array.SetName(column)
        for point in found.of(codec):
            array.InsertNextValue(getattr(point, column))
        points.AddColumn(array)
    rate = found.bd_rates[codec]
    title = codec if rate is None or codec == found.reference else f"{codec} (BD-rate {rate:+.1f} %)"
    series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", title)
    series.SetAndObserveTableNodeID(points.GetID())
    series.SetXColumnName("bits_per_voxel")
    series.SetYColumnName("psnr")
    series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
    series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleCircle)
    series.SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleSolid)
    series.SetColor(*color)
    return series
