"""Which frames of a sequence a frame is coded after: none, the one before, or those around it."""

from __future__ import annotations

from dataclasses import dataclass

from ..codecs import Codec, FittedCodec

GROUP = 4
"""Frames of a hierarchical group: three others at most are decoded to see one."""
LARGEST_GROUP = 16


@dataclass(frozen=True)
class FrameOrder:
    """References of each frame, in groups whose first frame has none.

    Attributes:
        frames: in the image. group: frames in a group; 1 where each is coded on its own.
        hierarchical: frame p of a group, s the lowest bit of p that is set, is coded after the frames s before
            and s after it (which may be the first of the next group), where there is one; else after the
            one before. As B pictures in video (Schwarz, Marpe and Wiegand, ICME 2006).
    """

    frames: int
    group: int = 1
    hierarchical: bool = False

    @classmethod
    def of(cls, codec: Codec, frames: int, group: int) -> FrameOrder:
        """The order of a codec: a chain where it looks at the frame before by itself, else hierarchical groups."""
        if isinstance(codec, FittedCodec):
            return cls(frames, codec.group)
        return cls(frames, group, hierarchical=True)

    def references(self, frame: int) -> tuple[int, ...]:
        """The frames that must be decoded before a frame, at most two; the earlier first."""
        place = frame % self.group
        if place == 0:
            return ()
        if not self.hierarchical:
            return (frame - 1,)
        step = place & -place
        return (frame - step, frame + step) if frame + step < self.frames else (frame - step,)

    @property
    def kept(self) -> int:
        """Frames to keep while decoding one after another, so that none is decoded twice."""
        return self.group + 1 if self.hierarchical else 2

    def needed(self, frame: int) -> frozenset[int]:
        """A frame and all frames that must be decoded to see it."""
        return frozenset({frame}).union(*(self.needed(reference) for reference in self.references(frame)))
