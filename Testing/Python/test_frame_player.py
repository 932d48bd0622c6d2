"""Playing from a file: few frames in memory, each decoded once where it can be, errors told, no thread left."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
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
    """A reader that tells which frames were decoded, and whose decoding of some frames can be held up or fail.

    Attributes:
        decoded: first the frames whose decoding began first.
        begun: set once a frame in ``gates`` is being decoded.
        gates: frames whose decoding waits until their event is set.
        failing: frames that fail, once each, as where a network drive was away.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.decoded: list[int] = []
        self.begun = threading.Event()
        self.gates: dict[int, threading.Event] = {}
        self.failing: set[int] = set()

    def read_frames(self, frames: tuple[int, int]) -> np.ndarray:
        self.decoded.extend(range(*frames))
        if frames[0] in self.gates:
            self.begun.set()
            assert self.gates[frames[0]].wait(30)
        if frames[0] in self.failing:
            self.failing.remove(frames[0])
            raise OSError("The drive is away.")
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


def test_playing_back_decodes_each_frame_once_though_the_views_ask_twice() -> None:
    with Watched(FILES["after others"]) as reader, FramePlayer(reader, kept=2) as player:
        player.frame(COUNT - 1)
        for number in range(COUNT - 2, -1, -1):
            player.frame(number)
            player.frame(number)
        assert reader.decoded == list(range(COUNT - 1, -1, -1))


def test_a_frame_that_is_being_decoded_is_waited_for_even_where_others_fill_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked_for, noted = FramePlayer._asked_for, threading.Semaphore(0)

    def noting(player: FramePlayer, number: int, block: tuple[int, int]) -> Any:
        found = asked_for(player, number, block)
        noted.release()
        return found

    with Watched(FILES["after others"]) as reader, FramePlayer(reader, kept=2) as player, ThreadPoolExecutor(3) as pool:
        reader.gates[1] = threading.Event()
        player.frame(0)
        assert reader.begun.wait(30)
        monkeypatch.setattr(FramePlayer, "_asked_for", noting)
        asked = {}
        for number in (5, 8, 1):
            asked[number] = pool.submit(player.frame, number)
            assert noted.acquire(timeout=30)
        reader.gates[1].set()
        for number, frame in asked.items():
            assert np.array_equal(frame.result(30), IMAGE.voxels[number])
        assert reader.decoded.count(1) == 1


def test_a_path_plays_too(tmp_path: Path) -> None:
    (tmp_path / "beat.mcz").write_bytes(FILES["after others"])
    with FramePlayer(tmp_path / "beat.mcz") as player:
        assert np.array_equal(player.frame(4), IMAGE.voxels[4])


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
        player.frame(0)
        assert held(player) <= 2


def test_a_frame_that_failed_ahead_is_told_when_asked_for_and_tried_again_then() -> None:
    with Watched(FILES["after others"]) as reader, FramePlayer(reader, kept=3) as player:
        reader.failing.add(1)
        player.frame(0)
        with pytest.raises(OSError, match="away"):
            player.frame(1)
        assert np.array_equal(player.frame(1), IMAGE.voxels[1])


def test_a_damaged_frame_is_told_each_time_and_the_others_play() -> None:
    with Watched(damaged(FILES["after others"], 7)) as reader, FramePlayer(reader, kept=3) as player:
        assert np.array_equal(player.frame(6), IMAGE.voxels[6])
        for _ in range(2):
            with pytest.raises(CorruptFileError, match="checksum"):
                player.frame(7)
        assert np.array_equal(player.frame(8), IMAGE.voxels[8])


def test_closing_while_a_frame_is_decoded_answers_all_who_wait_and_leaves_no_thread() -> None:
    with Watched(FILES["after others"]) as reader, ThreadPoolExecutor(3) as pool:
        player = FramePlayer(reader, kept=4)
        reader.gates[2] = threading.Event()
        decoding = pool.submit(player.frame, 2)
        assert reader.begun.wait(30)
        # The thread that decodes is held up, so whichever of these two comes first, frame 7 is never begun.
        waiting, closing = pool.submit(player.frame, 7), pool.submit(player.close)
        with pytest.raises(InputError, match="closed"):
            waiting.result(30)
        reader.gates[2].set()
        assert np.array_equal(decoding.result(30), IMAGE.voxels[2])
        closing.result(30)
        assert 7 not in reader.decoded
        assert held(player) == 0
        assert not any("MedCompress player" in thread.name for thread in threading.enumerate())
        with pytest.raises(InputError, match="closed"):
            player.frame(2)


def test_a_frame_that_is_not_there_is_an_error() -> None:
    with Watched(FILES["after others"]) as reader, FramePlayer(reader) as player:
        for number in (-1, COUNT):
            with pytest.raises(InputError, match=f"{COUNT} frames"):
                player.frame(number)
