"""A volume node that shows frames of a sequence from its file, a few of them in memory."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

import numpy as np
import slicer

from ..container import Reader
from ..container.frame_player import FramePlayer
from ..errors import InputError
from ..frames import read_frame
from .conversion import image_to_node
from .voxels import voxels_of


class SequencePlayer:
    """Plays a `.mcz` in one node; a slider or a timer calls ``showFrame``. Use as a context manager, or call ``close``.

    Args:
        path: of a sequence whose frames are volumes that are alike.
        frames: kept in memory; default: as many as half a gigabyte holds.
    """

    def __init__(
        self, path: str | os.PathLike[str], frames: int | None = None, threads: int | None = None, device: str = "auto"
    ) -> None:
        first = read_frame(path, 0, threads=threads, device=device)
        self._reader = Reader(path, threads, device=device)
        try:
            self._player = FramePlayer(self._reader, frames)
            whole = self._reader.header.image(np.broadcast_to(first.voxels, self._reader.header.shape))
            self._axis = whole.frame_axis
            self.node = image_to_node(first, slicer.mrmlScene, whole.name or first.name)
        except BaseException:
            self._reader.close()
            raise
        self.currentFrame = 0

    @property
    def frameCount(self) -> int:
        """Number of frames."""
        return self._reader.frame_count

    def indexValue(self, number: int) -> str:
        """Index value of a frame, with its unit."""
        self._reader.check_frame_number(number)
        return "" if self._axis is None else " ".join(filter(None, (self._axis.values[number], self._axis.unit)))

    def showFrame(self, number: int) -> Any:
        """Put the voxels of a frame, counted from 0, into the node, and return the node.

        Raises InputError if there is no such frame or the node is no longer in the scene; CorruptFileError if the
        frame is damaged.
        """
        frame = self._player.frame(number)
        data = None if self.node.GetScene() is None else self.node.GetImageData()
        if data is None:
            raise InputError("The volume that showed the sequence was removed; open the file again.")
        voxels_of(data, self.node.GetName())[...] = frame
        data.GetPointData().GetScalars().Modified()
        data.Modified()
        self.node.Modified()
        self.currentFrame = number
        return self.node

    def close(self) -> None:
        """Stop decoding and close the file; the node stays with the frame that it shows."""
        self._player.close()
        self._reader.close()

    def __enter__(self) -> SequencePlayer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
