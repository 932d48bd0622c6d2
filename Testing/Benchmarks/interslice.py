"""Does knowing the previous slice make standard codecs smaller? Bits per voxel, without headers.

    python Testing/Benchmarks/interslice.py IMAGE...

Columns: slices alone; slices minus a filter of the previous one (1 or 9 taps, fitted by least
squares to what an in-slice gradient predictor leaves over); JPEG XL with four slices as one
picture's gray and extra channels. The result decided that no preset does any of this.
"""

from __future__ import annotations

import sys
from pathlib import Path

import imagecodecs
import numpy as np

from SlicerMedCompressLib.codecs import Codec, codec_named
from SlicerMedCompressLib.files import read_image
from SlicerMedCompressLib.parallel import thread_pool

CODECS = ("htj2k", "jpegls", "jpegxl:1", "jpegxl:3")


def gradient(plane: np.ndarray) -> np.ndarray:
    """What the predictor west + north - northwest leaves over."""
    return plane[1:, 1:] - plane[:-1, 1:] - plane[1:, :-1] + plane[:-1, :-1]


def taps(plane: np.ndarray, count: int) -> list[np.ndarray]:
    """The plane, or it and its neighbors at the same distance summed (4 beside, 4 across)."""
    padded = np.pad(plane, 1, mode="edge")
    shifted = {(dy, dx): padded[1 + dy : padded.shape[0] - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx]
               for dy in (-1, 0, 1) for dx in (-1, 0, 1)}  # fmt: skip
    if count == 1:
        return [plane]
    beside = shifted[-1, 0] + shifted[1, 0] + shifted[0, -1] + shifted[0, 1]
    across = shifted[-1, -1] + shifted[1, 1] + shifted[1, -1] + shifted[-1, 1]
    return [plane, beside, across]


def predicted(volume: np.ndarray, count: int) -> np.ndarray:
    """The volume with each slice but the first replaced by its difference from the filtered previous one."""
    exact = volume.astype(np.float64)
    pairs = range(1, len(volume), max(1, len(volume) // 12))
    columns = np.concatenate([np.stack([gradient(t).ravel() for t in taps(exact[z - 1], count)], 1) for z in pairs])
    wanted = np.concatenate([gradient(exact[z]).ravel() for z in pairs])
    weights = np.linalg.lstsq(columns, wanted, rcond=None)[0]
    result = volume.astype(np.int32)
    for z in range(1, len(volume)):
        result[z] -= np.rint(sum(w * t for w, t in zip(weights, taps(exact[z - 1], count), strict=True))).astype(
            np.int32
        )
    return result - result.min()


def bits(codec: Codec, volume: np.ndarray) -> float:
    """Bits per voxel, slice by slice."""
    blocks = [np.ascontiguousarray(plane[np.newaxis]).astype(np.uint16) for plane in volume]
    with thread_pool(None) as pool:
        return 8 * sum(map(len, pool.map(codec.encode, blocks))) / volume.size


def channel_bits(volume: np.ndarray, effort: int) -> float:
    """Bits per voxel of JPEG XL with four slices as the channels of one picture."""
    groups = [np.ascontiguousarray(volume[z : z + 4]).astype(np.uint16) for z in range(0, len(volume) // 4 * 4, 4)]

    def encode(group: np.ndarray) -> int:
        return len(
            imagecodecs.jpegxl_encode(
                group, lossless=True, effort=effort, planar=True, photometric="gray", numthreads=1
            )
        )

    with thread_pool(None) as pool:
        return 8 * sum(pool.map(encode, groups)) / sum(group.size for group in groups)


def main() -> None:
    """Print a table an image."""
    for name in sys.argv[1:]:
        volume = read_image(name).voxels[0, ..., 0].astype(np.int32)
        volume -= volume.min()
        print(Path(name).name, volume.shape)
        forms = {"alone": volume, "1 tap": predicted(volume, 1), "9 taps": predicted(volume, 9)}
        for text in CODECS:
            print(f"  {text:<10}", *(f"{form} {bits(codec_named(text), data):.3f}" for form, data in forms.items()))
        for effort in (3, 5):
            alone = bits(codec_named(f"jpegxl:{effort}"), volume)
            print(f"  jpegxl:{effort} channels {channel_bits(volume, effort):.3f}, alone {alone:.3f}")


if __name__ == "__main__":
    main()
