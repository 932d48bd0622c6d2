"""Some frames of an `.mcz` without the others: one by its number, or those that damage has left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from .container import PartsReader, Reader, holds_parts
from .container.archive import opened
from .container.guarantee import LOSS_ATTRIBUTE
from .container.lost_directory import copy_with_directory
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
    frame, axis = replace(frame_of(described, number), voxels=voxels), described.frame_axis
    if axis is None:
        return frame
    name = axis.names[number] if axis.names else ""
    return replace(
        frame, name=name or " ".join(filter(None, (described.name, axis.name, axis.values[number], axis.unit)))
    )


def frame_of(image: Image, number: int) -> Image:
    """A frame as an image of three dimensions, with the attributes of both; an image without frames as it is.

    Voxels are not copied; how the sequence was played is left out.
    """
    axis, attributes = image.frame_axis, dict(image.attributes)
    if axis is None:
        return image
    own = dict(axis.attributes[number]) if axis.attributes else {}
    if LOSS_ATTRIBUTE in own and LOSS_ATTRIBUTE in attributes:
        # What this file lost of all frames is told beside what was lost of this one before.
        own[LOSS_ATTRIBUTE] = f"{attributes[LOSS_ATTRIBUTE]}; before that, {own[LOSS_ATTRIBUTE]}"
    voxels = image.voxels[number : number + 1]
    return replace(image, voxels=voxels, dimension=3, attributes=attributes | own, frame_axis=None, browser=None)


def all_frames(reader: Reader) -> Iterator[np.ndarray]:
    """Every frame (slice, row, column, component) from the first to the last, each tile decoded once.

    Memory: one frame, or those in the same tiles where time was coded in the place of slices. Checksums of tiles are
    looked at, the SHA-256 of the whole is not.
    """
    for span in _spans(reader):
        yield from reader.read_frames(span)


def recover(
    source: Source,
    *,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    accept_rounding: bool = False,
    device: str = "auto",
) -> Recovered:
    """The frames of a damaged file that are intact, each checked by the checksums of its tiles.

    A frame that others are coded after takes these with it. A lost directory at the end of the file is made again.

    Raises:
        CorruptFileError: the header is damaged or missing, so that nothing can be told; or no frame is intact.

    Other arguments are those of ``compression.decompress``.
    """
    told = Progress(progress)
    with _opened_even_if_cut_off(source, (threads, accept_rounding, device)) as reader:
        described, count = _described(reader), reader.frame_count
        values = described.frame_axis.values if described.frame_axis is not None else ("",) * count
        frames: dict[int, np.ndarray] = {}
        lost: list[LostFrame] = []
        for start, stop in _spans(reader):
            told.report(start / count, "Looking for intact frames")
            numbers = range(start, stop)
            try:
                frames.update(zip(numbers, reader.read_frames((start, stop)), strict=True))
            except CorruptFileError as error:
                lost += [LostFrame(number, values[number], _reason(reader, number, error)) for number in numbers]
        if not frames:
            raise CorruptFileError(f'No frame of "{reader.name}" is intact. The first: {lost[0].reason}')
    return Recovered(_shortened(described, frames, tuple(frames)), tuple(frames), tuple(lost))


def _spans(reader: Reader) -> Iterator[tuple[int, int]]:
    """The frames, half-open and in order, those together that are decoded together."""
    start = 0
    while start < reader.frame_count:
        stop = reader.access.decoded_with(start)[1]
        yield start, stop
        start = stop


@contextmanager
def _opened_even_if_cut_off(source: Source, options: tuple[int | None, bool, str]) -> Iterator[Reader]:
    """A reader of a file, or if it cannot be opened of a temporary copy with its directory made again."""
    is_path = isinstance(source, (str, os.PathLike))
    try:
        reader = Reader(source, *options)
    except CorruptFileError as error:
        with tempfile.TemporaryFile() as copy:
            with opened(source) if is_path else nullcontext(source) as stream:  # type: ignore[arg-type]
                has_header = copy_with_directory(stream, copy)  # type: ignore[arg-type]
            if not has_header:
                raise CorruptFileError(
                    f"{error} Its header, without which no frame can be decoded, comes last and is missing or damaged "
                    "too; get the file again from where it came."
                ) from error
            name = os.fspath(source) if is_path else "the damaged file in memory"  # type: ignore[arg-type]
            with Reader(copy, *options, name=str(name)) as repaired:  # type: ignore[arg-type]
                yield repaired
    else:
        with reader:
            yield reader


def _reason(reader: Reader, number: int, error: CorruptFileError) -> str:
    """Why a frame does not decode: its own damage, or the nearest damaged frame that it is coded after."""
    for needed in sorted(reader.access.needed(number), key=lambda other: abs(other - number)):
        try:
            reader.check_frame(needed)
        except CorruptFileError as damage:
            if needed != number:
                return f"it is coded after frame {needed}, which is damaged"
            error = damage
            break
    return str(error).removeprefix(f'Cannot read "{reader.name}": ')


def _shortened(described: Image, frames: dict[int, np.ndarray], numbers: Sequence[int]) -> Image:
    axis, browser = described.frame_axis, described.browser
    if browser is not None:
        shown = browser.selected_item
        browser = replace(browser, selected_item=numbers.index(shown) if shown in numbers else 0)
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
