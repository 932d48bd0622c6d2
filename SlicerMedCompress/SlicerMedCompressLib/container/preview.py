"""A small picture of the first frame, kept beside slow codecs: to see what a file holds before it is decoded.

It is made of the voxels that were compressed, not of those that come back where some loss is allowed.

    version 1 byte | factors 3 x uint16 (slice, row, column) | shape 3 x uint32 | lowest, highest float64 | zlib

The rest is a zlib stream of uint8 samples, each row as differences modulo 256 along columns. Sample 0 stands for the
lowest value, 255 for the highest; each is the mean of a box of ``factors`` voxels (smaller boxes at the far ends).
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import replace

import numpy as np

from ..errors import CorruptStreamError
from ..image import Geometry, Image, Kind

VERSION = 1
_HEADER = struct.Struct("<B3H3I2d")
SHARE = 0.0015
"""Of the file's bytes, at most."""
MOST_BYTES = 1 << 20
FEWEST_SAMPLES = 64
MOST_SAMPLES = 1 << 22
"""A file that announces more is refused."""
BITS_A_SAMPLE = 5
"""About what a sample takes; decides where the search for a size begins."""


def preview_bytes(image: Image, file_bytes: int) -> bytes:
    """A preview within SHARE of the file's bytes, or none where it would show nothing.

    The first component of the first frame is shown; labels have no preview, for their means are no labels.
    """
    if image.kind in (Kind.LABEL, Kind.SEGMENTATION):
        return b""
    volume, budget = image.voxels[0, ..., 0], min(MOST_BYTES, int(SHARE * file_bytes))
    axes = max(1, sum(length > 1 for length in volume.shape))
    step = max(1.0, (volume.size * BITS_A_SAMPLE / 8 / max(budget, 1)) ** (1 / axes))
    while True:
        factors = tuple(min(length, math.ceil(step)) for length in volume.shape)
        small = _means(volume, factors)
        if small.size < FEWEST_SAMPLES or not np.isfinite(np.ptp(small)):
            return b""
        if small.size <= MOST_SAMPLES:
            coded = _coded(small, factors)
            if len(coded) <= budget:
                return coded
        step *= 1.2


def preview_image(data: bytes, whole: Image) -> Image:
    """The preview as a float32 image in the place of the whole; CorruptStreamError if it is damaged.

    Args:
        whole: what the file holds, its voxels not looked at.
    """
    try:
        version, *numbers = _HEADER.unpack_from(data)
    except struct.error as error:
        raise CorruptStreamError("The preview is cut off.") from error
    factors, shape, (lowest, highest) = numbers[:3], tuple(numbers[3:6]), numbers[6:]
    expected = tuple(
        -(-length // max(factor, 1)) for length, factor in zip(whole.voxels.shape[1:4], factors, strict=True)
    )
    if version != VERSION or shape != expected or not (math.isfinite(lowest) and math.isfinite(highest)):
        raise CorruptStreamError("The preview does not fit the image.")
    count = math.prod(shape)
    if count > MOST_SAMPLES:
        raise CorruptStreamError("The preview is larger than previews are.")
    inflater = zlib.decompressobj()
    try:
        samples = inflater.decompress(data[_HEADER.size :], count)
    except zlib.error as error:
        raise CorruptStreamError("The preview is damaged.") from error
    if len(samples) != count:
        raise CorruptStreamError("The preview is damaged.")
    levels = np.cumsum(np.frombuffer(samples, np.uint8).reshape(shape), axis=2, dtype=np.uint8)
    values = (lowest + (highest - lowest) / 255 * levels).astype(np.float32)
    return Image(
        values[np.newaxis, ..., np.newaxis],
        geometry=_coarser(whole.geometry, factors),
        kind=Kind.SCALAR,
        name=f"{whole.name} (preview)" if whole.name else "preview",
        display=None if whole.display is None else replace(whole.display, color_table=None),
    )


def _means(volume: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Means of boxes, float64; NaN and infinities count as 0."""
    # Some slices at a time: the volume in doubles would take several times its memory.
    layers = [_mean(volume[start : start + factors[0]], factors) for start in range(0, len(volume), factors[0])]
    return np.stack(layers)


def _mean(slices: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Means (row, column) of boxes of all these slices."""
    if slices.dtype.kind == "f":
        slices = np.nan_to_num(slices, nan=0.0, posinf=0.0, neginf=0.0)
    found = slices.sum(axis=0, dtype=np.float64) / len(slices)
    for axis, factor in ((0, factors[1]), (1, factors[2])):
        starts = np.arange(0, slices.shape[axis + 1], factor)
        lengths = np.diff(np.append(starts, slices.shape[axis + 1]))
        summed = np.add.reduceat(found, starts, axis=axis, dtype=np.float64)
        found = summed / lengths.reshape([-1, 1] if axis == 0 else [1, -1])
    return np.asarray(found)


def _coded(small: np.ndarray, factors: tuple[int, ...]) -> bytes:
    lowest, highest = float(small.min()), float(small.max())
    scale = 255 / (highest - lowest) if highest > lowest else 0.0
    levels = np.rint((small - lowest) * scale).astype(np.uint8)
    differences = np.diff(levels, axis=2, prepend=np.uint8(0))
    header = _HEADER.pack(VERSION, *factors, *small.shape, lowest, highest)
    return header + zlib.compress(differences.tobytes(), 9)


def _coarser(geometry: Geometry, factors: list[int]) -> Geometry:
    """Voxels ``factors`` times as large over the same place; factors are (slice, row, column)."""
    along = np.array(factors[::-1], np.float64)
    moved = np.array(geometry.directions) @ (np.array(geometry.spacing) * (along - 1) / 2)
    return Geometry(
        tuple((np.array(geometry.origin) + moved).tolist()),
        tuple((np.array(geometry.spacing) * along).tolist()),
        geometry.directions,
    )
