"""Writes the sample files of the current format version; run once a version, never to mend a test.

python Testing/Python/make_samples.py Testing/Python/samples/v1
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from generated_images import described_head, head, scalar, segmentation, sequence

from SlicerMedCompressLib.codecs import CODECS
from SlicerMedCompressLib.compression import compress
from SlicerMedCompressLib.image import Image, Kind


def samples() -> dict[str, tuple[Image, str]]:
    """Name to image and codec: every codec, every transform, every kind of description."""
    small = head((9, 30, 32))
    labels = scalar((small > 100).astype(np.uint8) + (small > 400), kind=Kind.LABEL, name="labels")
    slopes = np.linspace(0.1, 2.3, 9).reshape(-1, 1, 1)
    rgb = np.stack([small % 251, small % 241, small % 239], axis=-1).astype(np.uint8)
    noise = np.random.default_rng(0).normal(size=(4, 12, 13))
    found: dict[str, tuple[Image, str]] = {
        f"codec-{codec}": (labels if CODECS[codec].for_labels else scalar(small, name="head"), codec)
        for codec in CODECS
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


def main() -> None:
    """Write every sample and what its voxels are."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    expected = {}
    for name, (image, codec) in samples().items():
        compress(image, folder / f"{name}.mcz", codec=codec)
        expected[name] = {"sha256": hashlib.sha256(image.voxels.tobytes()).hexdigest(), "shape": image.voxels.shape}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
