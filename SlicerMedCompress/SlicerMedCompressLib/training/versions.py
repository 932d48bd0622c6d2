"""Versions of a training image as other scanners, protocols and orientations might have made it.

Few images are free to train on; their versions keep the network from learning one scanner's kernel by heart.
Source of the idea: augmentation of images in training (Shorten and Khoshgoftaar, J Big Data 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..libraries import library

FEWEST_PIXELS = 60
"""Rows and columns that an image needs to be halved."""
FEWEST_SLICES = 20
"""Slices that an image needs to be cut another way, or thinned out."""
GREATEST = 65535
Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Version:
    """Volumes (slice, row, column) of integers, and the rescale slope of each slice if they differ."""

    name: str
    volume: np.ndarray
    slopes: np.ndarray | None
    reference: np.ndarray | None


def version(
    volume: np.ndarray, slopes: np.ndarray | None, reference: np.ndarray | None, rng: np.random.Generator
) -> Version:
    """A volume, and the frame before it, changed alike by chance: mirrored always, and perhaps one thing more.

    Args:
        volume, reference: unsigned integers (slice, row, column).
    """
    name, change = _content_change(volume.shape, slopes is not None, rng)
    turned = _turn(rng)

    def changed(frame: np.ndarray) -> np.ndarray:
        values = np.rint(turned(change(frame.astype(np.float64))))
        return np.ascontiguousarray(np.clip(values, 0, GREATEST)).astype(np.int32)

    kept = slopes[::2] if slopes is not None and name == "thinned out" else slopes
    return Version(name, changed(volume), kept, None if reference is None else changed(reference))


def _content_change(shape: tuple[int, ...], has_slopes: bool, rng: np.random.Generator) -> tuple[str, Change]:
    gain, sigma, axis = 2 ** rng.uniform(-0.5, 0.5), rng.uniform(0.4, 0.8), int(rng.integers(1, 3))
    changes: dict[str, Change] = {
        "mirrored": lambda frame: frame,
        "smoothed": lambda frame: _smoothed(frame, sigma) * gain,
        "halved": lambda frame: _halved(frame) * gain,
        "thinned out": lambda frame: frame[::2],
        "cut another way": lambda frame: np.moveaxis(frame, axis, 0),
    }
    name = list(changes)[int(rng.integers(len(changes)))]
    possible = {
        "halved": min(shape[1:]) >= FEWEST_PIXELS,
        "thinned out": shape[0] >= FEWEST_SLICES,
        # Slopes belong to slices.
        "cut another way": min(shape) >= FEWEST_SLICES and not has_slopes,
    }
    name = name if possible.get(name, True) else "mirrored"
    return name, changes[name]


def _turn(rng: np.random.Generator) -> Change:
    """One of the eight ways to lay a slice."""
    upside_down, left_to_right, transposed = rng.random(3) < 0.5

    def turn(frame: np.ndarray) -> np.ndarray:
        frame = frame.transpose(0, 2, 1) if transposed else frame
        return frame[:, :: -1 if upside_down else 1, :: -1 if left_to_right else 1]

    return turn


def _smoothed(frame: np.ndarray, sigma: float) -> np.ndarray:
    """As with a softer kernel: each slice filtered, sigma in pixels."""
    ndimage = library("scipy.ndimage", "scipy", "Training the learned codec")
    return np.asarray(ndimage.gaussian_filter(frame, (0, sigma, sigma)))


def _halved(frame: np.ndarray) -> np.ndarray:
    """Half as many rows and columns, each the mean of two."""
    even = frame[:, : frame.shape[1] // 2 * 2, : frame.shape[2] // 2 * 2]
    rows = (even[:, ::2] + even[:, 1::2]) / 2
    return np.asarray((rows[:, :, ::2] + rows[:, :, 1::2]) / 2)
