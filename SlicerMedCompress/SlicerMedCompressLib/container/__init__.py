"""The `.mcz` file, specified in FORMAT.md beside this."""

from .atomic import replacing
from .guarantee import Guarantee
from .header import Header
from .plan import Plan
from .reader import Reader
from .writer import write_archive

__all__ = ["Guarantee", "Header", "Plan", "Reader", "replacing", "write_archive"]
