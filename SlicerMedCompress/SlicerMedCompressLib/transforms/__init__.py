"""Reversible steps before coding: narrower types, palettes, float to integer, planes.

Each step is recorded in the file and used only where it makes the file smaller. All are exact but two:
``quantize`` and ``as_float`` serve lossy codecs and error bounds; ``corrections`` mend what they lose.
"""

from .analysis import Facts, analyse, pipelines
from .base import Transform
from .pipeline import Pipeline

__all__ = ["Facts", "Pipeline", "Transform", "analyse", "pipelines"]
