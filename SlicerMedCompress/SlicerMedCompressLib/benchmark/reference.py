"""What others are measured by, as bare streams: JPEG XL at efforts 7 and 9 slice by slice, and Tomoz."""

from __future__ import annotations

import time
from concurrent.futures import Executor

import numpy as np

from ..codecs.base import UNSIGNED_16
from ..codecs.jpegxl import JpegXl
from ..errors import VerificationError
from ..image import Image
from ..libraries import library
from ..parallel import ordered_map, thread_count, thread_pool
from ..tiling import Grid
from ..transforms import analyse, pipelines

Figures = tuple[int, float, float]
"""Bytes of the bare streams, seconds to encode and to decode."""


def encode_jpegxl(image: Image, threads: int | None, effort: int = 7) -> Figures | None:
    """JPEG XL of whole slices, as in a DICOM series; None for floats that are no integers.

    The integers are those of the plain pipeline (smallest value subtracted, wide ones in planes),
    so the comparison is of coding, not of packing.
    """
    codec = JpegXl(effort)
    workers = thread_count(threads)
    with thread_pool(threads) as pool:
        slices = _slices(image, pool)
        if slices is None:
            return None
        started = time.perf_counter()
        payloads = list(ordered_map(pool, codec.encode, slices, 3 * workers))
        encoded = time.perf_counter()
        jobs = zip(payloads, slices, strict=True)
        for _ in ordered_map(pool, lambda job: codec.decode(job[0], job[1].shape, job[1].dtype), jobs, 3 * workers):
            pass
        decoded = time.perf_counter()
    return sum(map(len, payloads)), encoded - started, decoded - encoded


def encode_tomoz(image: Image, threads: int | None) -> Figures | None:
    """Tomoz (github.com/tomoz, a learned lossless codec) of the same integers, the frames one after another.

    None for floats that are no integers, and for several components.

    Raises VerificationError if it does not decode to them.
    """
    tomoz = library("tomoz", "tomoz", "Measuring Tomoz")
    with thread_pool(threads) as pool:
        slices = _slices(image, pool)
    if slices is None or len(slices) != image.voxels.shape[0] * image.voxels.shape[1]:
        return None
    volume = np.concatenate(slices)
    bits = max(1, int(volume.max()).bit_length())
    started = time.perf_counter()
    stream = tomoz.encode(volume.astype(np.uint16), bits=bits, threads=thread_count(threads))
    encoded = time.perf_counter()
    decoded = tomoz.decode(stream, threads=thread_count(threads))
    finished = time.perf_counter()
    if not np.array_equal(decoded, volume):
        raise VerificationError("Tomoz did not decode to what it was given.")
    return len(stream), encoded - started, finished - encoded


def _slices(image: Image, pool: Executor) -> list[np.ndarray] | None:
    """Every slice and plane of the plain pipeline, (1, row, column); None for floats that are no integers."""
    facts = analyse(image, pool)
    if not facts.integral:
        return None
    pipeline = pipelines(facts, UNSIGNED_16)[0]
    grid = Grid(image.voxels.shape[:4], image.voxels.shape[1], 1, 1)
    regions = [tile for slab in range(grid.slab_count) for tile in grid.tiles_of_slab(slab)]
    return [
        np.ascontiguousarray(planes[..., plane])
        for region in regions
        for planes in [pipeline.forward(region.of(image.voxels), region)]
        for plane in range(planes.shape[-1])
    ]
