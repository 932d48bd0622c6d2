"""Entropy coding in interleaved lanes: a range coder whose steps are the same few operations for many symbols.

Source: G. N. N. Martin, Range encoding, 1979, with the carry resolved at the end and 16 bits at a time.
Each lane is a coder of its own. Symbol n of a stream belongs to lane n modulo the number of lanes within
its batch. The words of all lanes lie in one stream in the order in which a decoder asks for them, so that it needs
no lengths: in a step each lane asks for one word or none, lower lanes first.

All arithmetic is of integers below 2^48, exact in int64 on any device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PRECISION = 16
"""Frequencies of a table add up to 2^16."""
WORD = 16
STATE = 48
LOW = 1 << (STATE - WORD)
"""A range is at least this before a symbol, so a symbol of frequency 1 leaves at least 2^16."""


class RangeEncoder:
    """Codes batches of intervals; ``words`` gives the stream.

    Args:
        lanes: how many coders run side by side.
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self._low = np.zeros(lanes, np.int64)
        self._range = np.full(lanes, 1 << STATE, np.int64)
        self._written = np.zeros(lanes, np.int64)
        self._lane: list[np.ndarray] = []
        self._word: list[np.ndarray] = []
        self._carry: list[np.ndarray] = []

    def encode(self, start: np.ndarray, size: np.ndarray) -> None:
        """Code a batch: symbols with cumulative frequency ``start`` and frequency ``size`` (at least 1)."""
        for first in range(0, len(start), self.lanes):
            self._step(start[first : first + self.lanes], size[first : first + self.lanes])

    def _step(self, start: np.ndarray, size: np.ndarray) -> None:
        count = len(start)
        part = self._range[:count] >> PRECISION
        low, width = self._low[:count] + part * start, part * size
        # What exceeds the state goes to the word before, which may be written already: kept apart.
        carry = np.flatnonzero(low >> STATE)
        low &= (1 << STATE) - 1
        short = np.flatnonzero(width < LOW)
        if len(carry):
            self._carry.append(np.stack([carry, self._written[carry] - 1]))
        self._lane.append(short.astype(np.int16))
        self._word.append((low[short] >> (STATE - WORD)).astype(np.uint16))
        low[short] = (low[short] << WORD) & ((1 << STATE) - 1)
        width[short] <<= WORD
        self._written[short] += 1
        self._low[:count], self._range[:count] = low, width

    def words(self) -> np.ndarray:
        """The stream as uint16, in the order a decoder reads."""
        lanes, ending = self.lanes, STATE // WORD
        lane = np.concatenate([*self._lane, np.tile(np.arange(lanes, dtype=np.int16), ending)])
        tail = [((self._low >> shift) & 0xFFFF).astype(np.uint16) for shift in range(STATE - WORD, -1, -WORD)]
        word = np.concatenate([*self._word, *tail])
        # Per lane: its words one after another, so that a carry is an addition to a long number.
        sorting = np.argsort(lane, kind="stable")
        place = np.empty(len(lane), np.int32)
        place[sorting] = np.arange(len(lane), dtype=np.int32)
        counts = self._written + ending
        first = np.cumsum(counts) - counts
        digits = self._with_carries(word[sorting].astype(np.int32), first)
        # A decoder starts with STATE / WORD words a lane and then reads one when the encoder writes one:
        # its word k is asked for when word k - 3 is written.
        start_up = np.concatenate([first + index for index in range(ending)])
        written = place[: len(lane) - lanes * ending]
        return np.asarray(digits[np.concatenate([start_up, written + ending])], np.uint16)

    def _with_carries(self, digits: np.ndarray, first: np.ndarray) -> np.ndarray:
        """All lanes' words with the carries added.

        Args:
            digits: int32, lane after lane. first: where each lane begins in it.
        """
        if not self._carry:
            return digits
        lane, word = np.concatenate(self._carry, axis=1)
        np.add.at(digits, first[lane] + word, 1)
        # A full word hands on what comes from the words after it, so what comes is what the next other word gives.
        # No lane is handed the carry of another: what a lane codes is less than 1.
        decides = digits != 0xFFFF
        given = np.append(digits[decides] >> WORD, 0)
        digits[:-1] += given[np.cumsum(decides)[:-1]]
        digits &= 0xFFFF
        return digits


@dataclass
class RangeDecoder:
    """Decodes what RangeEncoder made. Words beyond the end of the stream read as zero; see ``is_exhausted``.

    Attributes:
        words: int64, the stream.
        position: words read so far.
    """

    words: np.ndarray
    lanes: int
    position: int = 0

    def __post_init__(self) -> None:
        count = self.lanes * (STATE // WORD)
        # So many zeros that a step can always read; what lies beyond is reported, never followed.
        self._size = len(self.words)
        self.words = np.concatenate([self.words.astype(np.int64), np.zeros(count + self.lanes, np.int64)])
        first = self.words[:count].reshape(STATE // WORD, self.lanes)
        self._code = (first[0] << 32) | (first[1] << 16) | first[2]
        self._range = np.full(self.lanes, 1 << STATE, np.int64)
        self.position = count

    @property
    def is_exhausted(self) -> bool:
        """Whether it read more than there is: the stream was cut or is not one."""
        return self.position > self._size

    def target(self, count: int) -> np.ndarray:
        """Where in 0 to 2^16 - 1 the symbols of the first ``count`` lanes lie."""
        found = self._code[:count] // (self._range[:count] >> PRECISION)
        # Of a damaged stream the code may be anything.
        return np.asarray(np.clip(found, 0, (1 << PRECISION) - 1))

    def advance(self, start: np.ndarray, size: np.ndarray) -> None:
        """Take the symbols, given their intervals, out of the lanes."""
        count = len(start)
        part = self._range[:count] >> PRECISION
        code, width = self._code[:count] - part * start, part * size
        short = width < LOW
        places = np.cumsum(short)
        index = np.minimum(self.position + places - 1, len(self.words) - 1)
        code = np.where(short, (code << WORD) | self.words[index], code)
        self._code[:count] = code
        self._range[:count] = np.where(short, width << WORD, width)
        self.position += int(places[-1])
