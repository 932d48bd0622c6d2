"""Sequences coded with time in the place of slices: chosen where it pays, read like any other."""

from __future__ import annotations

import io

import numpy as np
import pytest
from generated_images import INSTALLED, head
from mutations import rebuilt

from SlicerMedCompressLib import lossy_choice
from SlicerMedCompressLib.compression import compress_in_memory, decompress
from SlicerMedCompressLib.container import Reader
from SlicerMedCompressLib.errors import CorruptFileError
from SlicerMedCompressLib.image import FrameAxis, Image
from SlicerMedCompressLib.targets import MaxError, Psnr, Ratio

needs_hevc = pytest.mark.skipif("hevc" not in INSTALLED, reason="PyAV is not installed")


def still(frames: int = 10, shape: tuple[int, int, int] = (3, 80, 84), noise: float = 1.0) -> Image:
    """A head of fine texture that does not move, under a little noise of each frame's own."""
    random = np.random.default_rng(6)
    texture = head(shape, "float64") + random.normal(0, 60, shape)
    voxels = np.stack([texture + random.normal(0, noise, shape) for _ in range(frames)]).astype(np.int16)
    return Image(voxels[..., np.newaxis], dimension=4, frame_axis=FrameAxis(tuple(map(str, range(frames)))))


def is_over_time(data: bytes) -> bool:
    with Reader(io.BytesIO(data)) as reader:
        return reader.header.over_time


def frame_by_frame(image: Image, monkeypatch: pytest.MonkeyPatch, **how: object) -> bytes:
    seen = lossy_choice.views

    def as_it_is(*arguments: object) -> list:
        return seen(*arguments)[:1]  # type: ignore[arg-type]

    with monkeypatch.context() as context:
        context.setattr(lossy_choice, "views", as_it_is)
        context.setattr("SlicerMedCompressLib.compression.views", as_it_is)
        return compress_in_memory(image, **how)[0]  # type: ignore[arg-type]


@needs_hevc
@pytest.mark.parametrize("how", [{"codec": "hevc:20"}, {"codec": "hevc", "target": Psnr(42)}])
def test_what_stays_is_coded_once(how: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    image = still()
    data, result = compress_in_memory(image, **how)
    assert is_over_time(data)
    before = frame_by_frame(image, monkeypatch, **how)
    assert not is_over_time(before)
    assert len(data) < 0.6 * len(before)
    errors = decompress(io.BytesIO(data)).voxels.astype(float) - image.voxels
    assert np.abs(errors).max() == result.maximum_error
    assert np.sqrt((errors**2).mean()) == pytest.approx(result.root_mean_square_error)


@pytest.mark.parametrize("codec", [name for name in ("hevc", "av1", "sperr", "sz3", "zfp") if name in INSTALLED])
def test_any_box_and_any_frame_come_as_in_the_whole(codec: str) -> None:
    image = still(9)
    data, _ = compress_in_memory(image, codec=codec)
    assert is_over_time(data)
    whole = decompress(io.BytesIO(data)).voxels
    assert whole.shape == image.voxels.shape
    with Reader(io.BytesIO(data)) as reader:
        reader.verify()
        for frame in range(9):
            assert np.array_equal(reader.read_region(frame), whole[frame])
        box = reader.read_region(4, slices=(1, 3), rows=(7, 70), columns=(11, 12))
        assert np.array_equal(box, whole[4, 1:3, 7:70, 11:12])


@needs_hevc
def test_targets_are_reached_over_time() -> None:
    image = still(noise=3.0)
    data, result = compress_in_memory(image, codec="hevc", target=Ratio(20))
    assert is_over_time(data)
    assert 19.4 <= image.voxels.nbytes / len(data) <= 20.6
    assert result.target
    data, result = compress_in_memory(image, codec="hevc", target=MaxError(5))
    assert np.abs(decompress(io.BytesIO(data)).voxels.astype(int) - image.voxels).max() <= 5


@needs_hevc
def test_frames_of_their_own_are_coded_on_their_own() -> None:
    random = np.random.default_rng(1)
    places = np.linspace(0, 6, 90)
    frames = [np.sin(places * random.uniform(1, 3) + random.uniform(0, 6)) * 900 for _ in range(8)]
    voxels = np.stack([np.broadcast_to(wave[:, np.newaxis] + wave, (12, 90, 90)) for wave in frames]).astype(np.int16)
    image = Image(voxels[..., np.newaxis], dimension=4, frame_axis=FrameAxis(tuple("abcdefgh"), numeric=False))
    assert not is_over_time(compress_in_memory(image, codec="hevc:20")[0])


@needs_hevc
def test_a_region_to_keep_is_kept_frame_by_frame() -> None:
    image = still(4)
    exact = np.zeros(image.voxels.shape[1:4], bool)
    exact[1, 20:40, 30:50] = True
    data, _ = compress_in_memory(image, codec="hevc", target=MaxError(30), exact=exact)
    assert not is_over_time(data)
    assert np.array_equal(decompress(io.BytesIO(data)).voxels[:, exact], image.voxels[:, exact])


@pytest.mark.parametrize("value", [None, 2, "yes", [], False])
def test_a_header_that_says_otherwise_is_refused(value: object) -> None:
    codec = "sperr" if "sperr" in INSTALLED else "zfp"
    good = compress_in_memory(still(3), codec=codec)[0]
    with pytest.raises(CorruptFileError):
        decompress(io.BytesIO(rebuilt(good, lambda header: header.update(over_time=value))))
