"""Reversible steps before coding: narrower types, palettes, float to integer, planes.

Each step is exact, recorded in the file, and used only where it makes the file smaller.
"""

from .analysis import Facts, analyse, pipelines
from .base import Transform
from .pipeline import Pipeline

__all__ = ["Facts", "Pipeline", "Transform", "analyse", "pipelines"]
