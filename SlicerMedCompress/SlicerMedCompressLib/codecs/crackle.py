"""Crackle: the borders between labels in 3D (Silversmith 2021, after Zingaretti et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import CorruptStreamError
from ..tiling import TileShape
from .base import Codec, Knob
from .decoder_process import PROCESSES
from .native import decoding_errors, encoding_errors


@dataclass(frozen=True)
class Crackle(Codec):
    """crackle-codec: label boundaries as crack codes, with a small Markov model of them."""

    id: ClassVar[str] = "crackle"
    title: ClassVar[str] = "Crackle"
    family: ClassVar[str] = "labels"
    license: ClassVar[str] = "BSD-3-Clause (crackle-codec)"
    package: ClassVar[str] = "crackle-codec"
    module: ClassVar[str] = "crackle"
    sample_types: ClassVar[frozenset[str]] = frozenset({"uint8", "uint16", "uint32", "uint64"})
    for_labels: ClassVar[bool] = True
    knob: ClassVar[Knob] = Knob("markov_order", 0, 10, "size of the model of border directions")
    markov_order: int = 5

    @property
    def tile(self) -> TileShape:
        """Larger than others': labels cost little, so headers weigh more."""
        return TileShape(64, 256, 256)

    def encode(self, block: np.ndarray) -> bytes:
        codec = self._library()
        columns_first = np.asfortranarray(block.transpose(2, 1, 0))
        with encoding_errors(self.title):
            return bytes(codec.compress(columns_first, markov_model_order=self.markov_order))

    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        codec = self._library()
        with decoding_errors(self.title):
            header = codec.header(payload)
            announced = (header.sz, header.sy, header.sx)
            if announced != shape or header.data_width != dtype.itemsize:
                raise CorruptStreamError(f"A tile announces labels of shape {announced} instead of {shape}.")
        return PROCESSES.decode("crackle", payload, shape, dtype)
