"""Files of the learned codec: every kind of image, boxes, frames, previews, bounds, damage."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from generated_images import described_head, head, scalar, sequence
from mutations import rebuilt

from SlicerMedCompressLib.compression import compress, compress_in_memory, decompress
from SlicerMedCompressLib.container import Reader
from SlicerMedCompressLib.container import preview as previews
from SlicerMedCompressLib.errors import (
    Cancelled,
    CorruptFileError,
    CorruptStreamError,
    MissingLibraryError,
    UnsupportedImageError,
)
from SlicerMedCompressLib.image import FrameAxis, Image, Kind, same_voxels
from SlicerMedCompressLib.learned import adaptation
from SlicerMedCompressLib.learned.shipped import default_weights, load_weights, save_weights, weights_name
from SlicerMedCompressLib.libraries import is_installed
from SlicerMedCompressLib.targets import MaxError

needs_torch = pytest.mark.skipif(not is_installed("torch"), reason="PyTorch is not installed")


def moving(frames: int = 5, shape: tuple[int, int, int] = (4, 30, 28)) -> Image:
    """A head that moves a little from frame to frame, with noise of its own in each."""
    random, still = np.random.default_rng(3), head((*shape[:2], shape[2] + frames), "float64")
    voxels = np.stack([still[..., frame : frame + shape[2]] for frame in range(frames)])
    voxels = (voxels + random.normal(0, 3, voxels.shape)).astype(np.int16)
    return Image(voxels[..., np.newaxis], dimension=4, frame_axis=FrameAxis(tuple(map(str, range(frames)))))


SLOPES = np.linspace(0.1, 2.3, 9).reshape(-1, 1, 1)
IMAGES = {
    "CT": described_head(),
    "a picture": scalar(head((1, 40, 44))),
    "8 bits": scalar((head((6, 30, 32), "uint16") // 8).astype(np.uint8)),
    "32 bits": scalar(head((3, 20, 22)).astype(np.int32) * 70_000),
    "few values": scalar((head((5, 30, 32)) // 50 * 50).astype(np.int16)),
    "masked": scalar(np.maximum(head((5, 30, 32)), 0).astype(np.int16)),
    "PET": scalar(((head((9, 24, 26)) + 300) * SLOPES).astype(np.float32)),
    "floats": scalar(np.random.default_rng(0).normal(size=(2, 12, 13)).astype(np.float32)),
    "RGB": Image(np.random.default_rng(1).integers(0, 99, (1, 2, 16, 17, 3)).astype(np.uint8), kind=Kind.COLOR),
    "constant": scalar(np.full((3, 5, 6), -7, np.int16)),
    "moving": moving(),
    "sequence": sequence(),
}


@pytest.mark.parametrize("name", IMAGES)
def test_every_image_comes_back_identical(name: str) -> None:
    image = IMAGES[name]
    data, result = compress_in_memory(image, codec="causal")
    decoded = decompress(io.BytesIO(data))
    assert same_voxels(decoded.voxels, image.voxels)
    assert decoded.geometry == image.geometry
    assert result.verified
    with Reader(io.BytesIO(data)) as reader:
        assert reader.header.version == 3


@pytest.mark.parametrize("device", ["numpy", "numba", "torch"])
def test_any_device_writes_and_reads_the_same_file(device: str) -> None:
    if device != "numpy" and not is_installed(device):
        pytest.skip(f"{device} is not installed")
    image = moving(3)
    expected, _ = compress_in_memory(image, codec="causal", device="numpy")
    assert compress_in_memory(image, codec="causal", device=device)[0] == expected
    assert same_voxels(decompress(io.BytesIO(expected), device=device).voxels, image.voxels)


def test_a_device_that_is_not_there_is_told() -> None:
    if is_installed("torch"):
        import torch

        if torch.cuda.is_available():
            pytest.skip("there is one")
    with pytest.raises(MissingLibraryError, match=r"CUDA|PyTorch"):
        compress_in_memory(scalar(head((2, 9, 9))), codec="causal", device="cuda")


def test_the_last_frame_of_the_longest_group_can_be_read_alone() -> None:
    image = moving(64, (1, 9, 10))
    data, _ = compress_in_memory(image, codec="causal:0,frames=64")
    with Reader(io.BytesIO(data), threads=1) as reader:
        assert np.array_equal(reader.read_region(63), image.voxels[63])


def test_an_unknown_device_is_told() -> None:
    with pytest.raises(UnsupportedImageError, match="There is no device"):
        compress_in_memory(scalar(head((2, 9, 9))), codec="causal", device="abacus")


def test_a_box_of_any_frame_is_what_the_whole_has() -> None:
    image = moving(7)
    data, _ = compress_in_memory(image, codec="causal:0,frames=3")
    with Reader(io.BytesIO(data), threads=2) as reader:
        for frame in (6, 0, 4):
            box = reader.read_region(frame, slices=(1, 3), rows=(5, 19), columns=(0, 28))
            assert np.array_equal(box, image.voxels[frame, 1:3, 5:19])


def test_the_frame_before_makes_a_sequence_smaller() -> None:
    image = moving(6, (4, 40, 40))
    still = Image(np.repeat(image.voxels[:1], 6, axis=0), dimension=4, frame_axis=image.frame_axis)
    for frames, least in ((still, 0.8), (image, 0.99)):
        alone, following = (compress_in_memory(frames, codec=f"causal:0,frames={n}")[1] for n in (1, 16))
        assert following.compressed_bytes < least * alone.compressed_bytes


def test_a_bound_is_kept() -> None:
    image = scalar(head((5, 40, 44)))
    data, result = compress_in_memory(image, codec="causal", target=MaxError(2))
    decoded = decompress(io.BytesIO(data))
    assert np.abs(decoded.voxels.astype(int) - image.voxels).max() == 2
    assert result.guarantee.startswith("no voxel differs by more than 2")
    assert result.compressed_bytes < compress_in_memory(image, codec="causal")[1].compressed_bytes


def test_the_smallest_is_never_larger_than_what_it_tried() -> None:
    for image in (scalar(head((6, 60, 62))), scalar(np.eye(40, dtype=np.int16)[np.newaxis]), IMAGES["floats"]):
        smallest = compress_in_memory(image, preset="smallest")[1]
        for codec in ("jpegxl:7", "causal"):
            assert smallest.compressed_bytes <= compress_in_memory(image, codec=codec)[1].compressed_bytes


def test_a_preview_costs_little_and_lies_where_the_volume_does() -> None:
    image = scalar(head((30, 120, 124)), geometry=described_head().geometry, name="head")
    data, result = compress_in_memory(image, codec="causal")
    with Reader(io.BytesIO(data)) as reader:
        preview = reader.preview()
    assert preview is not None
    assert len(previews.preview_bytes(image, result.compressed_bytes)) < 0.01 * result.compressed_bytes
    small, whole = preview.voxels[0, ..., 0], image.voxels[0, ..., 0]
    assert abs(small.mean() - whole.mean()) < 30
    ends = [
        volume.geometry.ijk_to_ras @ [*(np.array(volume.voxels.shape[3:0:-1]) - 0.5), 1] for volume in (preview, image)
    ]
    # The far corners differ by what the last boxes stand over.
    factors = np.ceil(np.array(whole.shape) / small.shape)
    assert np.linalg.norm(ends[0] - ends[1]) <= np.linalg.norm(factors * image.geometry.spacing[::-1])
    # It is a picture of the volume: bright where that is bright.
    rows, columns = (int(length // 2) for length in small.shape[1:])
    assert small[small.shape[0] // 2, rows, columns] > small[0, 0, 0] + 300


def test_quick_codecs_keep_no_preview() -> None:
    data, _ = compress_in_memory(scalar(head()), codec="jpegls")
    with Reader(io.BytesIO(data)) as reader:
        assert reader.preview() is None


@pytest.mark.parametrize("member", ["model", "preview"])
@pytest.mark.parametrize("change", ["missing", "cut", "flipped"])
def test_a_damaged_model_or_preview_is_refused(member: str, change: str) -> None:
    data, _ = compress_in_memory(scalar(head((30, 120, 124))), codec="causal")

    def spoil(content: dict[str, bytes]) -> None:
        if change == "missing":
            del content[member]
        elif change == "cut":
            content[member] = content[member][:-1]
        else:
            content[member] = content[member][:20] + bytes([content[member][20] ^ 4]) + content[member][21:]

    with pytest.raises(CorruptFileError), Reader(io.BytesIO(rebuilt(data, members=spoil))) as reader:
        reader.preview()


def test_weights_that_are_not_here_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from SlicerMedCompressLib.codecs import causal
    from SlicerMedCompressLib.learned import shipped

    data, _ = compress_in_memory(scalar(head((3, 20, 22))), codec="causal")
    for cache in (causal._parsed, shipped.weights_named):
        cache.cache_clear()
    monkeypatch.setattr(shipped, "models_folder", lambda: tmp_path)
    with pytest.raises(CorruptFileError, match=r"weights .* update MedCompress"):
        decompress(io.BytesIO(data))
    for cache in (causal._parsed, shipped.weights_named):
        cache.cache_clear()


def test_weights_come_back_from_their_file(tmp_path: Path) -> None:
    save_weights(default_weights(), tmp_path / "weights.npz")
    assert weights_name(load_weights(tmp_path / "weights.npz")) == weights_name(default_weights())
    assert (tmp_path / "weights.npz").stat().st_size < 40_000


def test_an_unknown_effort_or_group_is_refused() -> None:
    for text in ("causal:9", "causal:0,frames=0", "causal:0,frames=65", "causal:x"):
        with pytest.raises(UnsupportedImageError):
            compress_in_memory(scalar(head((2, 9, 9))), codec=text)


@needs_torch
def test_adapting_makes_a_file_smaller_and_decodes_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptation, "EFFORTS", (0, 150, 200, 250, 300))
    monkeypatch.setattr(adaptation, "VOXELS_FOR_ALL", 1)
    monkeypatch.setattr(adaptation, "SAMPLES", 50_000)
    # Unlike anything in a scanner: every second column is a copy of the one before, which one can learn.
    random = np.random.default_rng(2)
    half = random.integers(0, 60, (12, 120, 60))
    image = scalar(np.repeat(half, 2, axis=2).astype(np.int16))
    import torch

    drawn_by_others = torch.random.get_rng_state()
    data, adapted = compress_in_memory(image, codec="causal:1")
    assert torch.equal(torch.random.get_rng_state(), drawn_by_others)
    assert adapted.compressed_bytes < compress_in_memory(image, codec="causal:0")[1].compressed_bytes
    assert same_voxels(decompress(io.BytesIO(data), device="numpy").voxels, image.voxels)


@needs_torch
def test_cancelling_while_it_adapts_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stages = []

    def stop(fraction: float, stage: str) -> bool:
        stages.append(stage)
        return "Adapting" not in stage

    with pytest.raises(Cancelled):
        compress(scalar(head((6, 40, 42))), tmp_path / "x.mcz", codec="causal:1", progress=stop)
    assert not list(tmp_path.iterdir())
    assert "s left" in stages[-1]


def test_adapting_without_torch_tells_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    real = importlib.import_module

    def without(name: str, package: str | None = None) -> object:
        if name == "torch":
            raise ImportError("none")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(MissingLibraryError, match="pip install torch"):
        compress_in_memory(scalar(head((3, 20, 22))), codec="causal:1")


@needs_torch
def test_training_twice_gives_the_same_weights(tmp_path: Path) -> None:
    from SlicerMedCompressLib.cli import main
    from SlicerMedCompressLib.files import write_image

    write_image(scalar(head((5, 30, 32))), tmp_path / "a.nrrd")
    write_image(scalar(head((4, 26, 20)) // 2), tmp_path / "b.nrrd")
    (tmp_path / "MANIFEST.tsv").write_text(
        "name\tuse\tfile\tmodality\tlicence\na\ttrain\ta.nrrd\tCT\tCC0\nb\ttrain\tb.nrrd\tMR\tCC0\nc\ttest\tno.nrrd\tMR\t\n"
    )
    for folder in ("one", "two"):
        assert main(["train", str(tmp_path / "MANIFEST.tsv"), str(tmp_path / folder), "--steps", "6"]) == 0
    one, two = (sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in ("one", "two"))
    assert one == two
    assert [Path(name).suffix for name in one] == [".md", ".npz", ".log"]
    card = (tmp_path / "one" / one[0]).read_text()
    assert "CC0 (2)" in card
    assert "2 images" in card
    weights = load_weights(tmp_path / "one" / one[1])
    assert one[1] == f"causal-{weights_name(weights).hex()}.npz"


def test_labels_and_values_without_a_mean_have_no_preview() -> None:
    labels = Image((scalar(head((30, 60, 62))).voxels > 300).astype(np.uint8), kind=Kind.LABEL)
    assert previews.preview_bytes(labels, 1 << 20) == b""
    greatest = np.full((1, 30, 60, 62, 1), np.finfo(np.float64).max)
    greatest[:, :15] *= -1
    with np.errstate(all="ignore"):
        assert previews.preview_bytes(Image(greatest), 1 << 20) == b""


def test_a_preview_that_would_fill_the_memory_is_refused() -> None:
    image = Image(np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (1, 1 << 10, 1 << 10, 1 << 10, 1), (0,) * 5))
    bomb = previews._HEADER.pack(1, 1, 1, 1, *image.voxels.shape[1:4], 0.0, 1.0) + b"x"
    with pytest.raises(CorruptStreamError, match="larger than previews are"):
        previews.preview_image(bomb, image)
