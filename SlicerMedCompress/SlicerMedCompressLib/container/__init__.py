"""The `.mcz` file, specified in FORMAT.md beside this."""

from .atomic import replacing
from .header import Header
from .reader import Reader
from .writer import write_archive

__all__ = ["Header", "Reader", "replacing", "write_archive"]
