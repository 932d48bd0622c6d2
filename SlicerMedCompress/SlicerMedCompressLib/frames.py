"""Some frames of an `.mcz` without the others: one by its number, or those that damage has left."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from .container import PartsReader, Reader, holds_parts
from .errors import CorruptFileError, InputError
from .image import Image
from .progress import Progress, ProgressCallback

Source = str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True)
class LostFrame:
    """A frame that does not decode: its number from 0, its index value, and why."""

    number: int
    value: str
    reason: str


@dataclass(frozen=True, eq=False)
class Recovered:
    """The intact frames as a sequence of their own, their numbers in the file, and the lost ones."""

    image: Image
    numbers: tuple[int, ...]
    lost: tuple[LostFrame, ...]


def read_frame(
    source: Source, frame: int, *, threads: int | None = None, accept_rounding: bool = False, device: str = "auto"
) -> Image:
    """One frame of a sequence as an image of its own, decoding only what it needs.

    It is named as the frame, or as the sequence with the index value; it has the attributes of both.

    Args:
        frame: its number, from 0. Other arguments are those of ``compression.decompress``.

    Raises:
        InputError: there is no such frame. CorruptFileError, MissingLibraryError: as of ``Reader``.
    """
    if not holds_parts(source):
        with Reader(source, threads, accept_rounding, device) as reader:
            return _frame(reader, frame, frame)
    with PartsReader(source, threads, accept_rounding, device) as whole:
        for number, part in enumerate(whole.contents.parts):
            if frame in part.numbers:
                with whole.part(number) as reader:
                    return _frame(reader, part.numbers.index(frame), frame)
        raise _no_such_frame(whole.name, frame, len(whole.contents.frame_axis.values))


def _frame(reader: Reader, number: int, told: int) -> Image:
    count = reader.header.shape[0]
    if not 0 <= number < count:
        raise _no_such_frame(reader.name, told, count)
    voxels, described = reader.read_region(number)[np.newaxis], _described(reader)
    axis = described.frame_axis
    if axis is None:
        return replace(described, voxels=voxels)
    name = axis.names[number] if axis.names else ""
    own = axis.attributes[number] if axis.attributes else {}
    return replace(
        described,
        voxels=voxels,
        name=name or " ".join(filter(None, (described.name, axis.name, axis.values[number], axis.unit))),
        dimension=3,
        attributes={**described.attributes, **own},
        frame_axis=None,
        browser=None,
    )


def recover(source: Source, *, threads: int | None = None, progress: ProgressCallback | None = None) -> Recovered:
    """The frames of a damaged file that are intact, each checked by the checksums of its tiles.

    A frame that others are coded after takes these with it.

    Raises:
        CorruptFileError: the header is damaged or the end of the file is missing, so that nothing can be told; or
            no frame is intact.
    """
    told = Progress(progress)
    with Reader(source, threads) as reader:
        described, count = _described(reader), reader.header.shape[0]
        values = described.frame_axis.values if described.frame_axis is not None else ("",) * count
        frames: dict[int, np.ndarray] = {}
        lost: list[LostFrame] = []
        for number in range(count):
            told.report(number / count, "Looking for intact frames")
            try:
                frames[number] = reader.read_region(number)
            except CorruptFileError as error:
                lost.append(LostFrame(number, values[number], str(error)))
        if not frames:
            raise CorruptFileError(f'No frame of "{reader.name}" is intact. The first: {lost[0].reason}')
    return Recovered(_shortened(described, frames, tuple(frames)), tuple(frames), tuple(lost))


def _shortened(described: Image, frames: dict[int, np.ndarray], numbers: Sequence[int]) -> Image:
    axis, browser = described.frame_axis, described.browser
    if browser is not None and browser.selected_item >= len(numbers):
        browser = replace(browser, selected_item=0)
    return replace(
        described,
        voxels=np.stack([frames[number] for number in numbers]),
        frame_axis=None if axis is None else axis.part(numbers),
        browser=browser,
    )


def _described(reader: Reader) -> Image:
    """The image without its voxels: a stand-in of no memory has their shape."""
    header = reader.header
    image = header.image(np.broadcast_to(np.zeros((), header.dtype), header.shape))
    return replace(image, attributes=header.guarantee.told(image.attributes))


def _no_such_frame(name: str, frame: int, count: int) -> InputError:
    return InputError(f'"{name}" has no frame {frame}; its {count} frames are counted from 0 to {count - 1}.')
