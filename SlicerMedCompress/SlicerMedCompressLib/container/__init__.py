"""The `.mcz` file, specified in FORMAT.md beside this."""

from .atomic import replacing
from .coding_axes import FRAMES_IN_TILE
from .frame_order import GROUP
from .guarantee import Guarantee
from .header import Header
from .parts import PartsReader, PartsWriter, holds_parts
from .plan import Plan
from .reader import Reader
from .writer import write_archive

__all__ = [
    "FRAMES_IN_TILE",
    "GROUP",
    "Guarantee",
    "Header",
    "PartsReader",
    "PartsWriter",
    "Plan",
    "Reader",
    "holds_parts",
    "replacing",
    "write_archive",
]
