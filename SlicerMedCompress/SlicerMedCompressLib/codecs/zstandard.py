"""Zstandard (RFC 8878): general purpose, fastest to decode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import CorruptStreamError
from .base import ANY_TYPE, Codec, Knob
from .native import decoding_errors, encoding_errors


@dataclass(frozen=True)
class Zstandard(Codec):
    """The bytes of the block, little endian, through imagecodecs' zstd."""

    id: ClassVar[str] = "zstd"
    title: ClassVar[str] = "Zstandard"
    family: ClassVar[str] = "general"
    license: ClassVar[str] = "BSD-3-Clause (Zstandard)"
    feature: ClassVar[str] = "ZSTD"
    sample_types: ClassVar[frozenset[str]] = ANY_TYPE
    knob: ClassVar[Knob] = Knob("level", 1, 22, "encoding time for size")
    level: int = 9

    def encode(self, block: np.ndarray) -> bytes:
        codec = self._library()
        little = np.ascontiguousarray(block.astype(block.dtype.newbyteorder("<"), copy=False))
        with encoding_errors(self.title):
            return bytes(codec.zstd_encode(little.tobytes(), self.level))

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        codec, size = self._library(), shape[0] * shape[1] * shape[2] * dtype.itemsize
        with decoding_errors(self.title):
            decoded = codec.zstd_decode(payload, out=size)
        if len(decoded) != size:
            raise CorruptStreamError(f"A tile decoded to {len(decoded)} bytes instead of {size}.")
        return np.frombuffer(decoded, dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)
