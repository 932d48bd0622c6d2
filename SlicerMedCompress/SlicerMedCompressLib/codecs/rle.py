"""DICOM RLE (PS3.5 annex G): PackBits of each byte plane, which every DICOM reader knows."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import CorruptStreamError
from .base import Codec, stack, unstack
from .native import decoding_errors, encoding_errors

HEADER = struct.Struct("<16I")


@dataclass(frozen=True)
class Rle(Codec):
    """imagecodecs' own PackBits: a segment for each byte of a sample, high bytes first, and each row on its own."""

    id: ClassVar[str] = "rle"
    title: ClassVar[str] = "RLE"
    family: ClassVar[str] = "general"
    license: ClassVar[str] = "BSD-3-Clause (imagecodecs)"
    feature: ClassVar[str] = "DICOMRLE"
    sample_types: ClassVar[frozenset[str]] = frozenset({"uint8", "uint16", "uint32"})

    def encode(self, block: np.ndarray) -> bytes:
        codec, tall = self._library(), stack(block, folded=False)
        planes = tall.astype(tall.dtype.newbyteorder(">")).view(np.uint8).reshape(*tall.shape, tall.itemsize)
        segments = []
        for plane in np.moveaxis(planes, 2, 0):
            with encoding_errors(self.title):
                segment = bytes(codec.packbits_encode(plane.copy(), axis=1))
            segments.append(segment + bytes(len(segment) % 2))
        offsets = [HEADER.size]
        for segment in segments[:-1]:
            offsets.append(offsets[-1] + len(segment))
        return HEADER.pack(len(segments), *offsets, *(0,) * (15 - len(offsets))) + b"".join(segments)

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        _check_header(payload, dtype.itemsize)
        codec = self._library()
        size = shape[0] * shape[1] * shape[2] * dtype.itemsize
        with decoding_errors(self.title):
            samples = codec.dicomrle_decode(payload, dtype, out=size)
        if len(samples) != size:
            raise CorruptStreamError(f"A tile decoded to {len(samples)} instead of {size} bytes.")
        return unstack(np.frombuffer(samples, dtype).reshape(-1, shape[2]), shape, dtype, folded=False)


def _check_header(payload: bytes, planes: int) -> None:
    """Raise CorruptStreamError unless there is a segment for each byte plane, one behind the other."""
    if len(payload) < HEADER.size:
        raise CorruptStreamError("A tile is shorter than an RLE header.")
    count, *offsets = HEADER.unpack_from(payload)
    used, unused = offsets[:planes], offsets[planes:]
    ends = [*used[1:], len(payload)]
    if (
        count != planes
        or used[0] != HEADER.size
        or any(unused)
        or any(start >= end for start, end in zip(used, ends, strict=True))
    ):
        raise CorruptStreamError(f"A tile's RLE header does not have {planes} segments one behind the other.")
