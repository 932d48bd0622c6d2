"""A sequence whose frames are not alike: some are of another size, place, type or kind, or are segmentations."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UnsupportedImageError
from .image import FrameAxis, Image, check_frames
from .playback import Browser


@dataclass(frozen=True, eq=False)
class MixedSequence:
    """Images that share one frame axis, each some frames of it.

    Attributes:
        parts: an image for each run of frames that are alike. One of several frames has its own part of the
            axis; names and attributes of frames are those of the part, not repeated in ``frame_axis``, but names.
        numbers: the frames of each part, counted from 0 in the whole; together every frame once.
        frame_axis: of the whole, without attributes.
        name: what the user calls it.
        browser: how it is played, if it is.
    """

    parts: tuple[Image, ...]
    numbers: tuple[tuple[int, ...], ...]
    frame_axis: FrameAxis
    name: str = ""
    browser: Browser | None = None

    def __post_init__(self) -> None:
        """Raises UnsupportedImageError where parts and axis do not belong together."""
        if not self.parts or len(self.parts) != len(self.numbers):
            raise UnsupportedImageError("A sequence of parts needs the frame numbers of each part.")
        check_frames(self.frame_axis, sum(map(len, self.numbers)), self.browser)
        if sorted(number for numbers in self.numbers for number in numbers) != list(range(self.frame_count)):
            raise UnsupportedImageError("Every frame of a sequence must be in one part, and once.")
        if self.frame_axis.attributes or any(part.browser for part in self.parts):
            raise UnsupportedImageError("Attributes of frames belong to the parts, and the browser to the whole.")
        for part, numbers in zip(self.parts, self.numbers, strict=True):
            self._check_part(part, numbers)

    def _check_part(self, part: Image, numbers: tuple[int, ...]) -> None:
        values = tuple(self.frame_axis.values[number] for number in numbers)
        if len(part.voxels) != len(numbers):
            raise UnsupportedImageError(f"A part has {len(part.voxels)} frames, its numbers are of {len(numbers)}.")
        if part.frame_axis is not None and part.frame_axis.values != values:
            raise UnsupportedImageError("The frames of a part have other index values than in the whole sequence.")

    @property
    def frame_count(self) -> int:
        """Number of frames of all parts."""
        return len(self.frame_axis.values)

    @property
    def voxel_bytes(self) -> int:
        """Bytes of all voxels in memory."""
        return sum(part.voxels.nbytes for part in self.parts)


Content = Image | MixedSequence
"""What a file or a node holds."""
