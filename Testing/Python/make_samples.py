"""Writes the sample files of a format version; run once a version, never to mend a test.

python Testing/Python/make_samples.py Testing/Python/samples/v2
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from generated_images import described_head, head, mixed_sequence, scalar, segmentation, sequence

from SlicerMedCompressLib.codecs import CODECS
from SlicerMedCompressLib.compression import compress
from SlicerMedCompressLib.image import FrameAxis, Image, Kind
from SlicerMedCompressLib.learned import adaptation
from SlicerMedCompressLib.mixed_sequence import Content
from SlicerMedCompressLib.playback import Browser
from SlicerMedCompressLib.sequence_compression import compress_parts, read_content
from SlicerMedCompressLib.targets import MaxError, MaxRelativeError, Psnr

CODECS_OF_VERSION_1 = (
    *("jpegxl", "htj2k", "jpegls", "jpeg2000", "ljpeg"),
    *("zstd", "blosc2", "pcodec", "crackle"),
)


def samples() -> dict[str, tuple[Image, str]]:
    """Of version 1, name to image and codec: every codec, every transform, every kind of description."""
    small = head((9, 30, 32))
    labels = scalar((small > 100).astype(np.uint8) + (small > 400), kind=Kind.LABEL, name="labels")
    slopes = np.linspace(0.1, 2.3, 9).reshape(-1, 1, 1)
    rgb = np.stack([small % 251, small % 241, small % 239], axis=-1).astype(np.uint8)
    noise = np.random.default_rng(0).normal(size=(4, 12, 13))
    found: dict[str, tuple[Image, str]] = {
        f"codec-{codec}": (labels if CODECS[codec].for_labels else scalar(small, name="head"), codec)
        for codec in CODECS_OF_VERSION_1
    }
    found |= {
        "codec-jpegxl-1": (scalar(small), "jpegxl:1"),
        "described": (described_head(), "jpegls"),
        "segmentation": (segmentation(), "crackle"),
        "sequence": (sequence(), "jpegls"),
        "slopes": (scalar(((small - small.min()) * slopes).astype(np.float32)), "jpegls"),
        "float32-bits": (scalar(noise.astype(np.float32)), "jpegls"),
        "float64-narrow": (scalar(noise.astype(np.float32).astype(np.float64)), "pcodec"),
        "float64": (scalar(noise), "zstd"),
        "uint32-planes": (scalar((small.astype(np.int64) * 65537 % 2**32).astype(np.uint32)), "htj2k"),
        "palette": (scalar((small // 50 * 50).astype(np.int16)), "jpegls"),
        "color": (Image(rgb[np.newaxis], kind=Kind.COLOR), "jpegls"),
        "constant": (scalar(np.full((5, 6, 7), -1000, np.int16)), "jpegls"),
    }
    return found


def samples_with_loss() -> dict[str, tuple[Image, dict[str, Any]]]:
    """Of version 2, name to image and how it is coded: every codec that was new, every target, a region."""
    small = scalar(head((9, 30, 32)), name="head")
    floats = scalar((head((9, 30, 32)) * np.float32(0.37)).astype(np.float32))
    holes = floats.voxels.copy()
    holes[0, 2, 3:5, 6:9] = np.nan
    exact = np.zeros((9, 30, 32), np.bool_)
    exact[3:6, 10:20, 8:16] = True
    found: dict[str, tuple[Image, dict[str, Any]]] = {
        f"codec-{codec}": (small, {"codec": codec}) for codec in CODECS if codec not in (*CODECS_OF_VERSION_1, "causal")
    }
    return found | {
        "max-error": (small, {"codec": "jpegls", "target": MaxError(3)}),
        "max-error-float": (floats, {"codec": "jpegls", "target": MaxError(0.25)}),
        "max-relative-error": (floats, {"codec": "zstd", "target": MaxRelativeError(0.01)}),
        "max-relative-error-integers": (small, {"codec": "zstd", "target": MaxRelativeError(0.05)}),
        "not-finite": (Image(holes), {"codec": "pcodec", "target": MaxError(1)}),
        "region": (small, {"codec": "jpegls", "target": MaxError(30), "exact": exact}),
        "region-float": (floats, {"codec": "zstd", "target": Psnr(40), "exact": exact}),
        "psnr": (small, {"codec": "jpegls", "target": Psnr(40)}),
    }


def samples_of_learned_codec() -> dict[str, tuple[Image, dict[str, Any]]]:
    """Of version 3, name to image and how it is coded: shipped and adapted weights, frames, slopes, a bound."""
    small = head((9, 30, 32))
    slopes = np.linspace(0.1, 2.3, 9).reshape(-1, 1, 1)
    # Unlike anything in a scanner, so that adapting pays at once.
    doubled = np.repeat(np.random.default_rng(2).integers(0, 60, (12, 120, 60)), 2, axis=2).astype(np.int16)
    return {
        "volume": (scalar(small, name="head"), {"codec": "causal"}),
        "picture": (scalar(small[:1]), {"codec": "causal"}),
        "sequence": (sequence(), {"codec": "causal"}),
        "slopes": (scalar(((small - small.min()) * slopes).astype(np.float32)), {"codec": "causal"}),
        "bound": (scalar(small), {"codec": "causal", "target": MaxError(3)}),
        "adapted": (scalar(doubled), {"codec": "causal:1"}),
        "preview": (scalar(head((16, 128, 128))), {"codec": "causal"}),
    }


def samples_of_version_4() -> dict[str, tuple[Content, dict[str, Any]]]:
    """Name to content and how it is coded: a browser, attributes of frames, frames after others, parts."""
    axis = sequence().frame_axis
    assert axis is not None
    attributes = tuple({"DICOM.instanceUIDs": f"1.2.{number}"} for number in range(4))
    browser = Browser(name="player", playback_rate=24.5, looped=False, selected_item=2, index_display="index")
    return {
        "browser": (replace(sequence(), browser=browser), {"codec": "jpegls"}),
        "attributes": (replace(sequence(), frame_axis=replace(axis, attributes=attributes)), {"codec": "jpegls"}),
        "frames-after-others": (sequence(), {"codec": "htj2k"}),
        "learned": (replace(sequence(), browser=browser), {"codec": "causal"}),
        "newer-weights": (scalar(head((9, 30, 32))), {"codec": "causal"}),
        "over-time": (_still(), {"codec": "zfp"}),
        "repeated-frames": (_still(), {"codec": "zstd"}),
        "bound": (replace(sequence(), browser=browser), {"codec": "jpegls", "target": MaxError(3)}),
        "parts": (mixed_sequence(), {"codec": "jpegls"}),
        "parts-bound": (mixed_sequence(), {"codec": "jpegls", "target": MaxError(3)}),
    }


def _still() -> Image:
    """Ten frames of a noisy head that differ by little."""
    random = np.random.default_rng(4)
    frame = head((2, 20, 24), "float64")
    voxels = np.stack([frame + random.normal(0, 0.5, frame.shape) for _ in range(10)]).astype(np.int16)
    return Image(voxels[..., np.newaxis], dimension=4, frame_axis=FrameAxis(tuple(map(str, range(10)))))


def voxels_of(content: Content) -> np.ndarray:
    """All voxels, those of parts one after another as bytes."""
    if isinstance(content, Image):
        return content.voxels
    return np.concatenate([np.frombuffer(part.voxels.tobytes(), np.uint8) for part in content.parts])


def main() -> None:
    """Write the samples of a version (the folder's name) that are not there yet, and what their voxels are."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    # Any adapted weights will do.
    adaptation.EFFORTS, adaptation.VOXELS_FOR_ALL, adaptation.SAMPLES = (0, 150, 150, 150, 150), 1, 50_000
    made: Mapping[str, tuple[Content, dict[str, Any]]] = {
        "v1": {name: (image, {"codec": codec}) for name, (image, codec) in samples().items()},
        "v2": samples_with_loss(),
        "v3": samples_of_learned_codec(),
        "v4": samples_of_version_4(),
    }[folder.name]
    table = folder / "expected.json"
    expected = json.loads(table.read_text()) if table.exists() else {}
    for name, (content, how) in made.items():
        path = folder / f"{name}.mcz"
        if path.exists():
            continue
        if isinstance(content, Image):
            compress(content, path, **how)
        else:
            compress_parts(content, path, **how)
        voxels = voxels_of(read_content(path))
        expected[name] = {"sha256": hashlib.sha256(voxels.tobytes()).hexdigest(), "shape": voxels.shape}
    table.write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
