"""Decoding a tile in torch: one step a plane, every step the same operations, nothing asked back from the device.

Where a plane stands, how many words and bits were read, all that is on the device, so that a CUDA graph of
a step can be run again and again. Entries beyond the end of a plane go through the same operations, but
read no words and no bits and write to a spare cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from .distributions import BINS, ENTRIES, ESCAPE, DistributionTable
from .linear import SUBVOXEL_BITS
from .model import Model
from .range_coder import LOW, PRECISION, STATE, WORD
from .tile_stream import TileStream
from .tile_values import TileValues
from .torch_planes import Extent, plane_tables
from .torch_prediction import TileTensors, errors_of, on_device, predictor

_WIDEST_BITS = 16


_ZERO = -1
"""Place of the value 0 where it is a symbol of its own."""


@dataclass(frozen=True, eq=False)
class DistributionTensors:
    """A DistributionTable on a device.

    A place is a row and a symbol in one number: row x (ENTRIES - 1) + symbol + 1, how many keys are not above
    the symbol's.

    Attributes:
        levels: int64 (fact, level): first row, shift, half a step of the phase, log2 of that step, values from bin 0 to
            the middle.
        keys: int64, as those of the table.
        intervals: int64 (place, 2), start and end of the symbol in cumulative frequencies.
    """

    levels: Tensor
    keys: Tensor
    intervals: Tensor

    @classmethod
    def of(cls, table: DistributionTable, device: torch.device) -> DistributionTensors:
        """The same table."""
        shift = table.shifts.astype(np.int64)
        step_bits = SUBVOXEL_BITS - table.phase_bits.astype(np.int64)
        middle = ((np.int64(1) << shift) >> 1) + (np.int64(BINS // 2) << shift)
        levels = np.stack([table.first_row, shift, (np.int64(1) << step_bits) >> 1, step_bits, middle])
        pairs = np.stack([table.cumulative[:, :-1], table.cumulative[:, 1:]], axis=2).reshape(-1, 2)
        intervals = np.concatenate([np.zeros((1, 2), pairs.dtype), pairs])
        return cls(*(on_device(array, torch.int64, device) for array in (levels, table.keys, intervals)))


@lru_cache(maxsize=4)
def distribution_tensors(table: DistributionTable, device: torch.device) -> DistributionTensors:
    """The table on a device, kept for the other tiles of its image."""
    return DistributionTensors.of(table, device)


@dataclass(frozen=True, eq=False)
class Located:
    """Voxels in the tables, int64 (voxel,), as ``distributions.Located``.

    Attributes:
        key: of the row's first symbol. first: place of it. origin: value where bin 0 begins. shift: uncoded low bits.
        lowest, highest, escape: places of the first and the last bin that hold voxels, and of the escape.
        end: cumulative frequency where the bins end. zero: that up to which the value 0 lies, or 0.
    """

    key: Tensor
    first: Tensor
    origin: Tensor
    shift: Tensor
    lowest: Tensor
    highest: Tensor
    escape: Tensor
    end: Tensor
    zero: Tensor


class TileDecoder:
    """Decodes one tile; ``step`` once for each of ``tables.planes``, then ``values``.

    Args:
        tile: over a padded volume without voxels.
    """

    def __init__(self, stream: TileStream, tile: TileValues, model: Model, device: torch.device) -> None:
        self.tables = plane_tables(tile.geometry, device)
        self._model, self._tile = model, TileTensors.of(tile, device)
        self._predictor = predictor(model, tile.reference is not None, device)
        self._distributions = distribution_tensors(model.table, device)
        self._lanes, self._cells = stream.lanes, len(tile.values)
        self._numbers = on_device(np.arange(self.tables.addresses.shape[1]), torch.int64, device)
        self._masks = on_device((1 << np.arange(_WIDEST_BITS + 1)) - 1, torch.int64, device)
        self._plane = on_device(np.zeros(1), torch.int64, device)
        self._start_coder(stream, device)
        self._start_bits(stream, device)
        self.restart()

    def _start_coder(self, stream: TileStream, device: torch.device) -> None:
        count = stream.lanes * (STATE // WORD)
        # Words beyond the end read as zero; that is reported in the end.
        words = np.concatenate([stream.words.astype(np.int64), np.zeros(count + stream.lanes, np.int64)])
        first = words[:count].reshape(STATE // WORD, stream.lanes)
        self._word_count, self._last_index = len(stream.words), len(words) - 1
        self._words = on_device(words, torch.int32, device)
        self._first_code = on_device((first[0] << 32) | (first[1] << 16) | first[2], torch.int64, device)
        self._code, self._range = torch.empty_like(self._first_code), torch.empty_like(self._first_code)
        self._last_word = on_device(np.array(0), torch.int64, device)

    def _start_bits(self, stream: TileStream, device: torch.device) -> None:
        padded = np.concatenate([stream.low_bits, np.zeros(3, np.uint8)]).astype(np.int32)
        self._bit_count = 8 * len(stream.low_bits)
        # Entry n: the three bytes from byte n on.
        self._windows = on_device((padded[:-2] << 16) | (padded[1:-1] << 8) | padded[2:], torch.int32, device)
        self._bit = on_device(np.array(0), torch.int64, device)

    def is_exhausted(self) -> bool:
        """Whether more was read than there is; waits for the device."""
        return int(self._last_word) >= self._word_count or int(self._bit) > self._bit_count

    def values(self) -> np.ndarray:
        """The padded volume, flat, float32; waits for the device."""
        return np.asarray(self._tile.volume[: self._cells].cpu().numpy())

    def restart(self) -> None:
        """Stand before the first plane again. What was decoded stays, but is not looked at before it is again."""
        self._code.copy_(self._first_code)
        self._range.fill_(1 << STATE)
        self._last_word.fill_(self._lanes * (STATE // WORD) - 1)
        self._bit.zero_()
        self._plane.zero_()

    def step(self, extent: Extent) -> None:
        """Decode the next plane, which is not larger than the extent.

        Which operations that takes, and of which shapes, depends on the extent and the lanes alone.
        """
        tile, predictor = self._tile, self._predictor
        addresses = self.tables.addresses.index_select(0, self._plane).view(-1)[: extent.most]
        absent = None
        if extent.certain < extent.most:
            absent = self._numbers[: extent.most] >= self.tables.counts.index_select(0, self._plane)
        slices = tile.slices(addresses)
        before, around = tile.before.index_select(0, slices), tile.around(addresses, slices)
        look = predictor.look(around[:, : tile.neighbours], before)
        decoded = self._values(*predictor.distributions(around, look, before), absent, extent)
        target = addresses.long() if absent is None else addresses.long().masked_fill_(absent, self.tables.spare)
        tile.volume.index_copy_(0, target, decoded)
        tile.volume.index_copy_(0, target + tile.errors_from, errors_of(decoded, look))
        edge = self.tables.edge.index_select(0, self._plane).view(-1)[: extent.edges].long()
        source = self.tables.edge_source.index_select(0, self._plane).view(-1)[: extent.edges]
        tile.volume.index_copy_(0, edge, tile.volume.index_select(0, source))
        self._plane.add_(1).clamp_(max=self.tables.planes - 1)

    def _values(self, centre: Tensor, level: Tensor, absent: Tensor | None, extent: Extent) -> Tensor:
        """Decoded values (voxel,), float32."""
        located = self._locate(centre, level)
        places = self._decode_places(located, absent, extent)
        escapes = places == located.escape
        zeros = places == _ZERO
        widths = located.shift.masked_fill(escapes, self._model.value_bits).masked_fill_(zeros, 0)
        low = self._take_bits(widths if absent is None else widths.masked_fill_(absent, 0))
        value = (located.origin + ((places - located.first) << located.shift) + low).masked_fill_(zeros, 0)
        # Only a damaged stream has values outside; they must not lead outside of tables.
        return torch.where(escapes, low, value).clamp_(0, self._model.largest).float()

    def _locate(self, centre: Tensor, level: Tensor) -> Located:
        """As ``DistributionTable.locate``."""
        first_row, shift, half, step_bits, middle = self._distributions.levels.index_select(1, level).unbind(0)
        # The half of the nearest whole number is added, so that its bits below give the phase, those above the base.
        raised = (((centre + half) >> step_bits) << step_bits) + (1 << (SUBVOXEL_BITS - 1))
        base = raised >> SUBVOXEL_BITS
        row = first_row + ((raised & ((1 << SUBVOXEL_BITS) - 1)) >> step_bits)
        origin = base - middle
        lowest = (origin.neg() >> shift).clamp_(0, BINS - 1)
        highest = ((self._model.largest - origin) >> shift).maximum(lowest).clamp_(max=BINS - 1)
        first = row * (ENTRIES - 1) + 1
        escape = first + ESCAPE
        end = self._distributions.intervals[:, 0].index_select(0, escape)
        zero = self._zero(origin, shift, lowest, highest, first, end)
        return Located(row << PRECISION, first, origin, shift, first + lowest, first + highest, escape, end, zero)

    def _zero(
        self, origin: Tensor, shift: Tensor, lowest: Tensor, highest: Tensor, first: Tensor, end: Tensor
    ) -> Tensor:
        """As ``DistributionTable``."""
        within = -origin - (lowest << shift)
        start, next_start = self._distributions.intervals.index_select(0, first + lowest).unbind(1)
        shared = start + (((next_start - start) * (within + 1)) >> shift)
        last = torch.where(lowest == highest, end, next_start)
        there = (shift > 0) & (within >= 0) & (within < (1 << shift)) & (last > 1)
        return torch.where(there, torch.minimum(shared, last - 1).clamp(min=1), 0)

    def _decode_places(self, located: Located, absent: Tensor | None, extent: Extent) -> Tensor:
        """Places of the symbols (voxel,), int64, a round of the lanes at a time."""
        found = []
        for start in range(0, extent.most, self._lanes):
            part = slice(start, min(start + self._lanes, extent.most))
            missing = absent[part] if absent is not None and part.stop > extent.certain else None
            found.append(self._decode_round(located, part, missing))
        return torch.cat(found)

    def _decode_round(self, located: Located, part: slice, absent: Tensor | None) -> Tensor:
        """One symbol from each of the first lanes, as ``RangeDecoder`` and ``DistributionTable`` do it."""
        code, width = self._code[: part.stop - part.start], self._range[: part.stop - part.start]
        escape, lowest, highest = located.escape[part], located.lowest[part], located.highest[part]
        unit = width >> PRECISION
        target = torch.div(code, unit, rounding_mode="floor").clamp_(0, (1 << PRECISION) - 1)
        place = torch.searchsorted(self._distributions.keys, located.key[part] + target, right=True)
        place = torch.where(place == escape, escape, torch.clamp(place, lowest, highest))
        start, end = self._distributions.intervals.index_select(0, place).unbind(1)
        zero = located.zero[part]
        start = torch.where(place == lowest, zero, start)
        end = torch.where(place == highest, located.end[part], end)
        zeros = target < zero
        start, end = start.masked_fill(zeros, 0), torch.where(zeros, zero, end)
        place = place.masked_fill(zeros, _ZERO)
        rest, size = torch.addcmul(code, unit, start, value=-1), unit * (end - start)
        short = size < LOW
        if absent is not None:
            short = short.masked_fill_(absent, False)
        asked = short.cumsum(0)
        word = self._words.index_select(0, (asked + self._last_word).clamp_(max=self._last_index))
        self._last_word.add_(asked[-1])
        rest, size = torch.where(short, (rest << WORD) | word, rest), torch.where(short, size << WORD, size)
        code.copy_(rest if absent is None else torch.where(absent, code, rest))
        width.copy_(size if absent is None else torch.where(absent, width, size))
        return place

    def _take_bits(self, widths: Tensor) -> Tensor:
        """The next numbers of these widths, as ``BitReader``."""
        ends = widths.cumsum(0)
        starts = self._bit + ends - widths
        self._bit.add_(ends[-1])
        window = self._windows.index_select(0, (starts >> 3).clamp_(max=len(self._windows) - 1))
        return (window >> (24 - (starts & 7) - widths)) & self._masks.index_select(0, widths)
