"""How Slicer plays a sequence: rate, looping, the item shown, how its index is written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import UnsupportedImageError

INDEX_DISPLAYS = ("index", "value")
RECORDING_SAMPLINGS = ("all", "limited")
FASTEST = 1000.0
"""Items a second; no screen shows more."""
DEFAULT_FORMAT = "%.2f"
_FORMAT = re.compile(r"[^%]*(%[-+ 0#]*[0-9]{0,2}(\.[0-9]{0,2})?[difFeEgGs])?[^%]*")
LONGEST_FORMAT = 200


@dataclass(frozen=True)
class Browser:
    """The settings of a sequence browser node that plays one sequence.

    Whether it was playing or recording is not among them: a file that is loaded stands still.

    Attributes:
        playback_rate: items a second; negative plays backwards.
        item_skipping: leave items out where the computer is too slow for the rate.
        selected_item: number of the frame that is shown, from 0.
        index_display: ``index`` (3/10) or ``value`` (of the index, with its unit).
        index_format: printf's, for one number or text.
        proxy_name: of the node that shows the selected frame.
        overwrite_proxy_name: whether Slicer names that node after each frame.
        save_changes: whether edits of that node go into the sequence.
        record_master_only, recording, recording_sampling: what recording would add, and how often.
    """

    name: str = ""
    playback_rate: float = 10.0
    looped: bool = True
    item_skipping: bool = True
    selected_item: int = 0
    index_display: str = "value"
    index_format: str = DEFAULT_FORMAT
    proxy_name: str = ""
    overwrite_proxy_name: bool = False
    save_changes: bool = False
    record_master_only: bool = False
    recording: bool = False
    recording_sampling: str = "limited"

    def __post_init__(self) -> None:
        """Raises UnsupportedImageError for a setting that Slicer could not use."""
        # Written so that NaN is refused too.
        if not abs(self.playback_rate) <= FASTEST:
            raise UnsupportedImageError(
                f"A sequence is played at {FASTEST:g} items a second at the most, not {self.playback_rate:g}."
            )
        if self.selected_item < 0:
            raise UnsupportedImageError("The number of the item that is shown is negative.")
        if self.index_display not in INDEX_DISPLAYS or self.recording_sampling not in RECORDING_SAMPLINGS:
            raise UnsupportedImageError("A setting of the sequence browser is none that Slicer has.")
        if not is_safe_format(self.index_format):
            raise UnsupportedImageError("The format of the index is none for one number, such as %.2f.")


def is_safe_format(text: str) -> bool:
    """Whether a printf format takes one number or text at the most, so that no hostile file can make it read more."""
    return len(text) <= LONGEST_FORMAT and _FORMAT.fullmatch(text) is not None
