"""Playing from a file: few frames in memory, each decoded once where it can be, errors told, no thread left."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from generated_images import INSTALLED
from test_frames import FILES, IMAGE, damaged
from test_over_time import still

from SlicerMedCompressLib.compression import compress_in_memory, decompress
from SlicerMedCompressLib.container import Reader
from SlicerMedCompressLib.container.frame_player import FramePlayer
from SlicerMedCompressLib.errors import CorruptFileError, InputError

COUNT = len(IMAGE.voxels)


class Watched(Reader):
    """A reader that tells which frames were decoded; ``gate`` holds decoding up while it is clear."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.decoded: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def read_frames(self, frames: tuple[int, int]) -> np.ndarray:
        self.gate.wait(30)
        self.decoded.extend(range(*frames))
        return super().read_frames(frames)


def held(player: FramePlayer) -> int:
    return sum(stop - start for start, stop in player._blocks)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("order", [range(COUNT), range(COUNT - 1, -1, -1), [5, 0, 9, 1, 5, 5, 2]])
def test_a_sequence_larger_than_the_cache_plays_in_any_direction(name: str, order: Any) -> None:
    whole = decompress(io.BytesIO(FILES[name])).voxels
    with Watched(FILES[name]) as reader, FramePlayer(reader, kept=3) as player:
        for number in order:
            assert np.array_equal(player.frame(number), whole[number])
            assert held(player) <= 3


def test_playing_on_decodes_each_frame_once_and_the_next_one_ahead() -> None:
    with Watched(FILES["after others"]) as reader, FramePlayer(reader, kept=3) as player:
        for number in range(COUNT):
            player.frame(number)
        assert reader.decoded == list(range(COUNT))
        player.frame(COUNT - 1)
        assert len(reader.decoded) == COUNT


def test_the_next_frame_is_decoded_without_being_asked_for() -> None:
    with Watched(FILES["after others"]) as reader, FramePlayer(reader, kept=4) as player:
        player.frame(3)
        player._blocks[(4, 5)].result(30)
        assert reader.decoded == [3, 4]


@pytest.mark.skipif("sperr" not in INSTALLED, reason="imagecodecs has no SPERR")
def test_frames_in_the_same_tiles_are_decoded_together() -> None:
    data = compress_in_memory(still(20), codec="sperr")[0]
    whole = decompress(io.BytesIO(data)).voxels
    with Watched(data) as reader, FramePlayer(reader, kept=1) as player:
        assert reader.header.over_time
        for number in range(20):
            assert np.array_equal(player.frame(number), whole[number])
            assert held(player) <= player.kept <= 16
        assert sorted(reader.decoded) == list(range(20))


def test_frames_are_not_to_be_written_to() -> None:
    with Watched(FILES["after others"]) as reader, FramePlayer(reader) as player:
        frame = player.frame(0)
    with pytest.raises(ValueError, match="read-only"):
        frame[...] = 0


def test_many_threads_see_the_right_frames() -> None:
    random = np.random.default_rng(0)
    with Watched(FILES["after others"]) as reader, FramePlayer(reader, kept=2) as player, ThreadPoolExecutor(6) as pool:
        numbers = [int(number) for number in random.integers(0, COUNT, 120)]
        for number, frame in zip(numbers, pool.map(player.frame, numbers), strict=True):
            assert np.array_equal(frame, IMAGE.voxels[number])


def test_a_damaged_frame_is_told_each_time_and_the_others_play() -> None:
    with Watched(damaged(FILES["after others"], 7)) as reader, FramePlayer(reader, kept=3) as player:
        assert np.array_equal(player.frame(6), IMAGE.voxels[6])
        for _ in range(2):
            with pytest.raises(CorruptFileError, match="checksum"):
                player.frame(7)
        assert np.array_equal(player.frame(8), IMAGE.voxels[8])


def test_closing_while_a_frame_is_decoded_leaves_no_thread() -> None:
    with Watched(FILES["after others"]) as reader:
        player = FramePlayer(reader, kept=3)
        reader.gate.clear()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(player.frame, 2)
            while (2, 3) not in player._blocks:
                pass
            closing = threading.Thread(target=player.close)
            closing.start()
            reader.gate.set()
            closing.join(30)
            assert not closing.is_alive()
            assert np.array_equal(asked.result(30), IMAGE.voxels[2])
        assert not any("MedCompress player" in thread.name for thread in threading.enumerate())
        with pytest.raises(InputError, match="closed"):
            player.frame(2)


def test_a_frame_that_is_not_there_is_an_error() -> None:
    with Watched(FILES["after others"]) as reader, FramePlayer(reader) as player:
        for number in (-1, COUNT):
            with pytest.raises(InputError, match=f"{COUNT} frames"):
                player.frame(number)
