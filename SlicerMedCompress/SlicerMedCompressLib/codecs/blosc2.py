"""Blosc2: bytes or bits of equal weight gathered, then a fast general codec."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import CorruptStreamError
from .base import ANY_TYPE, Codec, Knob
from .native import decoding_errors, encoding_errors


@dataclass(frozen=True)
class Blosc2(Codec):
    """C-Blosc2 through imagecodecs, with bit shuffling and Zstandard inside.

    A block of zeros is an empty payload: C-Blosc2 2.23 cannot read its own chunk of them at some sizes.
    """

    id: ClassVar[str] = "blosc2"
    title: ClassVar[str] = "Blosc2"
    family: ClassVar[str] = "general"
    license: ClassVar[str] = "BSD-3-Clause (C-Blosc2)"
    feature: ClassVar[str] = "BLOSC2"
    sample_types: ClassVar[frozenset[str]] = ANY_TYPE
    knob: ClassVar[Knob] = Knob("level", 1, 9, "encoding time for size")
    level: int = 1

    def encode(self, block: np.ndarray) -> bytes:
        codec = self._library()
        if not block.view(f"u{block.dtype.itemsize}").any():
            return b""
        little = np.ascontiguousarray(block.astype(block.dtype.newbyteorder("<"), copy=False))
        with encoding_errors(self.title):
            return bytes(
                codec.blosc2_encode(
                    little.tobytes(),
                    level=self.level,
                    typesize=block.dtype.itemsize,
                    shuffle="bitshuffle",
                    compressor="zstd",
                    numthreads=1,
                )
            )

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        if not payload:
            return np.zeros(shape, dtype)
        codec, size = self._library(), shape[0] * shape[1] * shape[2] * dtype.itemsize
        # Chunk header of C-Blosc2: bytes 4 to 7 are the decoded size, 12 to 15 the encoded one.
        if len(payload) < 32 or struct.unpack_from("<I", payload, 4)[0] != size:
            raise CorruptStreamError("A tile announces another size than that of its block.")
        if struct.unpack_from("<I", payload, 12)[0] != len(payload):
            raise CorruptStreamError("A tile is longer or shorter than it announces.")
        with decoding_errors(self.title):
            decoded = codec.blosc2_decode(payload, numthreads=1, out=size)
        if len(decoded) != size:
            raise CorruptStreamError(f"A tile decoded to {len(decoded)} bytes instead of {size}.")
        return np.frombuffer(decoded, dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)
