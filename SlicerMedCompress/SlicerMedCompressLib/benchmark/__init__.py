"""Measuring every codec and preset against Slicer's NRRD, on real files, in one run."""

from .measure import Measurement, bench
from .table import summary_table, table

__all__ = ["Measurement", "bench", "summary_table", "table"]
