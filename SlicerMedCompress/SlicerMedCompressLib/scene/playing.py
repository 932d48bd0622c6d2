"""A volume node that shows frames of a sequence from its file, a few of them in memory."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import slicer

from ..container import Reader
from ..container.frame_player import FramePlayer
from ..errors import InputError, UnsupportedImageError
from ..image import Image, Kind
from .conversion import image_to_node
from .voxels import voxels_of


class SequencePlayer:
    """Plays a `.mcz` in one node; a slider or a timer calls ``showFrame``. Use as a context manager, or call ``close``.

    Args:
        path: of a sequence whose frames are volumes that are alike.
        frames: kept in memory; default: as many as half a gigabyte holds.

    Raises UnsupportedImageError for a segmentation, and as ``Reader`` does; no node is left then.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        frames: int | None = None,
        threads: int | None = None,
        acceptRounding: bool = False,
        device: str = "auto",
    ) -> None:
        self._reader = Reader(path, threads, acceptRounding, device)
        self._player = FramePlayer(self._reader, frames)
        try:
            whole = self._whole()
            self._axis = whole.frame_axis
            # A copy, because the node's voxels are written over and those that the player keeps must not be.
            first = replace(whole, voxels=self._player.frame(0)[np.newaxis].copy(), dimension=3, frame_axis=None)
            self.node = image_to_node(first, slicer.mrmlScene, whole.name or Path(path).stem)
        except BaseException:
            self.close()
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

        Raises InputError if there is no such frame or the node was removed or given other voxels; CorruptFileError if
        the frame is damaged.
        """
        frame = self._player.frame(number)
        data = None if self.node.GetScene() is None else self.node.GetImageData()
        if data is None:
            raise InputError("The volume that showed the sequence was removed; open the file again.")
        voxels = voxels_of(data, self.node.GetName())
        if (voxels.shape, voxels.dtype) != (frame.shape, frame.dtype):
            raise InputError("The volume that showed the sequence was given other voxels; open the file again.")
        voxels[...] = frame
        data.GetPointData().GetScalars().Modified()
        data.Modified()
        self.node.Modified()
        self.currentFrame = number
        return self.node

    def close(self) -> None:
        """Stop decoding and close the file; the node stays with the frame that it shows."""
        self._player.close()
        self._reader.close()

    def _whole(self) -> Image:
        """The image with what all frames have in common, its voxels a stand-in of no memory."""
        header = self._reader.header
        image = header.image(np.broadcast_to(np.zeros((), header.dtype), header.shape))
        if image.kind is Kind.SEGMENTATION:
            raise UnsupportedImageError(f'"{self._reader.name}" holds a segmentation, which has no frames; load it.')
        return replace(image, attributes=header.guarantee.told(image.attributes), browser=None)

    def __enter__(self) -> SequencePlayer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
