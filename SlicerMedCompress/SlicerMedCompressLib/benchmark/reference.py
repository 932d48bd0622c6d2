"""JPEG XL at effort 7, slice by slice: the size that others are measured by."""

from __future__ import annotations

import time

import numpy as np

from ..codecs.jpegxl import JpegXl
from ..image import Image
from ..parallel import ordered_map, thread_count, thread_pool
from ..tiling import Grid
from ..transforms import analyse, pipelines


def encode_jpegxl7(image: Image, threads: int | None) -> tuple[int, float, float] | None:
    """Bytes of the bare streams, seconds to encode and to decode; None for floats that are no integers.

    The integers are those of the plain pipeline (smallest value subtracted, wide ones in planes),
    so the comparison is of coding, not of packing. Slices are whole, as in a DICOM series.
    """
    codec = JpegXl(7)
    workers = thread_count(threads)
    with thread_pool(threads) as pool:
        facts = analyse(image, pool)
        if not facts.integral:
            return None
        pipeline = pipelines(facts, codec.sample_types)[0]
        grid = Grid(image.voxels.shape[:4], image.voxels.shape[1], 1, 1)
        regions = [tile for slab in range(grid.slab_count) for tile in grid.tiles_of_slab(slab)]
        slices = [
            np.ascontiguousarray(planes[..., plane])
            for region in regions
            for planes in [pipeline.forward(region.of(image.voxels), region)]
            for plane in range(planes.shape[-1])
        ]
        started = time.perf_counter()
        payloads = list(ordered_map(pool, codec.encode, slices, 3 * workers))
        encoded = time.perf_counter()
        jobs = zip(payloads, slices, strict=True)
        for _ in ordered_map(pool, lambda job: codec.decode(job[0], job[1].shape, job[1].dtype), jobs, 3 * workers):
            pass
        decoded = time.perf_counter()
    return sum(map(len, payloads)), encoded - started, decoded - encoded
