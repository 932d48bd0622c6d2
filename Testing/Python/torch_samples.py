"""What the tests of the PyTorch backend share; importing it needs PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from learned_samples import INPUTS, fitted_model, smooth_volume

from SlicerMedCompressLib.learned.model import Model
from SlicerMedCompressLib.learned.network import ACTIVATION_LIMIT, EXACT, OUTPUTS, SIDE, NetworkWeights
from SlicerMedCompressLib.learned.scales import INPUT_LIMIT

Shape = tuple[int, int, int]
WIDE: Shape = (3, 13, 31)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def block_and_model(shape: Shape = WIDE, seed: int = 5, **model: Any) -> tuple[np.ndarray, Model]:
    """A smooth image with some of everything, and a model for it."""
    rng = np.random.default_rng(seed)
    block = smooth_volume(rng, shape, 20000, 40.0)
    block[rng.random(shape) < 0.01] = 65535
    return block, fitted_model(block, rng, **model)


def weights_at_the_limit(rng: np.random.Generator, hidden: int = 8) -> NetworkWeights:
    """A network whose sums come as close to what float32 holds as is allowed, some by a single huge weight."""

    def layer(limit: int, *shape: int) -> np.ndarray:
        whole = rng.exponential(1, shape) ** rng.integers(1, 12, shape[-1])
        return np.asarray(rng.choice([-1, 1], shape) * (whole / whole.sum(axis=0) * (limit - len(whole))), np.int32)

    def bias(count: int) -> np.ndarray:
        return rng.integers(-(EXACT // 20), EXACT // 20, count, dtype=np.int32)

    room = EXACT - EXACT // 19
    return NetworkWeights(
        layer(room // INPUT_LIMIT, INPUTS + SIDE, hidden),
        bias(hidden),
        layer(room // ACTIVATION_LIMIT, hidden, hidden),
        bias(hidden),
        layer(room // 4 // ACTIVATION_LIMIT, hidden, OUTPUTS),
        bias(OUTPUTS),
        layer(room // 2 // INPUT_LIMIT, INPUTS + SIDE, OUTPUTS),
    )
