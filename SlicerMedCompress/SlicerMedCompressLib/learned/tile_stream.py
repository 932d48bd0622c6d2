"""The bytes of one tile: a header, the words of the range coder, the uncoded bits.

    version 1 byte | lanes uint16 | first voxel uint16 | words uint32 | words, uint16 each | uncoded bits

All little endian, the most significant of uncoded bits first. The uncoded bits of a voxel are the low bits of its bin,
or its whole value after an escape.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from ..errors import CorruptStreamError

VERSION = 1
_HEADER = struct.Struct("<BHHI")
MOST_LANES = 1024
VOXELS_A_LANE = 8192
FEWEST_LANES = 4


@dataclass(frozen=True, eq=False)
class TileStream:
    """A parsed tile.

    Attributes:
        lanes: coders side by side. first: value of the first voxel, which stands before the tile.
        words: uint16. low_bits: uint8, packed.
    """

    lanes: int
    first: int
    words: np.ndarray
    low_bits: np.ndarray

    def to_bytes(self) -> bytes:
        """The payload."""
        header = _HEADER.pack(VERSION, self.lanes, self.first, len(self.words))
        return header + self.words.astype("<u2").tobytes() + self.low_bits.tobytes()

    @classmethod
    def parse(cls, payload: bytes) -> TileStream:
        """The tile in a payload; CorruptStreamError if its parts do not fit."""
        if len(payload) < _HEADER.size:
            raise CorruptStreamError("A tile of the learned codec is cut off.")
        version, lanes, first, count = _HEADER.unpack_from(payload)
        if version != VERSION:
            raise CorruptStreamError(f"A tile of the learned codec has version {version}; update MedCompress.")
        end = _HEADER.size + 2 * count
        if not 1 <= lanes <= MOST_LANES or end > len(payload):
            raise CorruptStreamError("A tile of the learned codec is damaged.")
        words = np.frombuffer(payload, "<u2", count, _HEADER.size)
        return cls(lanes, first, words, np.frombuffer(payload, np.uint8, offset=end))


def lanes_for(voxels: int) -> int:
    """How many lanes a tile gets: each costs some 3 bytes, and few of them make decoding slow."""
    return min(MOST_LANES, max(FEWEST_LANES, voxels // VOXELS_A_LANE))


class BitWriter:
    """Packs numbers of differing widths, most significant bit first."""

    def __init__(self) -> None:
        self._bits: list[np.ndarray] = []

    def add(self, values: np.ndarray, widths: np.ndarray) -> None:
        """Append numbers; of width 0 none."""
        ends = np.cumsum(widths)
        bits = np.zeros(int(widths.sum()), np.uint8)
        for place in range(int(widths.max(initial=0))):
            deep = np.flatnonzero(widths > place)
            left = widths[deep] - place
            bits[ends[deep] - left] = (values[deep] >> (left - 1)) & 1
        self._bits.append(bits)

    def packed(self) -> np.ndarray:
        """All bits as bytes."""
        return np.packbits(np.concatenate([np.zeros(0, np.uint8), *self._bits]))


class BitReader:
    """Reads what BitWriter packed; beyond the end there are zeros, see ``is_exhausted``."""

    def __init__(self, data: np.ndarray) -> None:
        self._size = 8 * len(data)
        self._bytes = np.concatenate([data, np.zeros(4, np.uint8)]).astype(np.int64)
        self._last = len(self._bytes) - 4
        self.position = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether it read more than there is."""
        return self.position > self._size

    def take(self, widths: np.ndarray) -> np.ndarray:
        """The next numbers of these widths, each at most 16 bits."""
        ends = np.cumsum(widths)
        starts = self.position + ends - widths
        self.position += int(widths.sum())
        byte = np.minimum(starts >> 3, self._last)
        window = (self._bytes[byte] << 16) | (self._bytes[byte + 1] << 8) | self._bytes[byte + 2]
        return np.asarray((window >> (24 - (starts & 7) - widths)) & ((np.int64(1) << widths) - 1))
