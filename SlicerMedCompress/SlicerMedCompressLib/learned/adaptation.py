"""Adapting the network to the image in hand: the shipped weights, trained a little further on its own voxels.

What is sent are differences in ADAPTATION_STEPS, so weights are rounded to these; where the file does
not get smaller, the shipped weights stay. Source of the idea: per-image refinement in learned compression (Campos et
al., CVPR Workshops 2019), here of the decoder's weights as in Rozendaal et al., ICLR 2021.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CorruptStreamError
from ..libraries import library
from ..progress import Progress
from .backends import backend_for
from .contexts import linear_look, network_inputs
from .fitting import some_tiles, with_corrections
from .model import Model
from .model_stream import ADAPTATION_STEPS, model_to_bytes
from .network import NetworkWeights
from .prediction import CHUNK, linear_errors
from .tile_codec import tile_bits
from .tile_values import TileValues

if TYPE_CHECKING:
    from .trainable import Batch

SAMPLES = 1_500_000
RATE = 3e-3
CHECK_EVERY = 16
SAMPLING = 0.05
"""Share of the time, about, that goes into looking at the voxels."""
VOXELS_TO_COMPARE = 1_000_000
VOXELS_FOR_ALL = 1_000_000
"""In smaller images all weights would cost more than they save."""
EFFORTS = (0, 1000, 3000, 8000, 20000)
"""Steps of the optimiser at each effort; a thousand take some ten seconds of two cores."""


def adapt(
    model: Model,
    alone: Sequence[TileValues],
    following: Sequence[TileValues],
    samples: int,
    effort: int,
    device: str,
    progress: Progress,
) -> Model:
    """The model with adapted weights and corrections, or itself where that would not be smaller.

    Args:
        samples: how many voxels the image has, of which the tiles may be a part.
    """
    tiles, backend = [*alone, *following], backend_for(device)
    weights = _in_steps(adapted_weights(tiles, model, EFFORTS[effort], samples, device, progress), model.base)
    try:
        weights.check()
    except CorruptStreamError:
        # Weights that grew too large to be exact: rare, and the shipped ones do.
        return model
    adapted = with_corrections(replace(model, weights=weights), tiles, backend)
    compared = some_tiles(tiles, VOXELS_TO_COMPARE, np.random.default_rng(2))
    share = samples / sum(len(tile.geometry.order) for tile in compared)

    def file_bits(found: Model) -> float:
        bits = 0.0
        for tile in compared:
            progress.report(1.0, "Comparing the adapted network with the shipped one")
            bits += tile_bits(tile, found, backend)
        return 8 * len(model_to_bytes(found)) + share * bits

    return adapted if file_bits(adapted) < file_bits(model) else model


def adapted_weights(
    tiles: Sequence[TileValues], model: Model, steps: int, image_voxels: int, device: str, progress: Progress
) -> NetworkWeights:
    """Weights trained further on the tiles.

    Args:
        steps: of the optimiser. image_voxels: of the whole image; of small ones only the last layer is changed.
    """
    torch = library("torch", "torch", "Adapting the learned codec to an image")
    from .optimising import optimise
    from .trainable import TrainableNetwork

    place = torch.device("cuda" if device in ("auto", "cuda") and torch.cuda.is_available() else "cpu")
    samples = _samples(tiles, model, progress.part(0, SAMPLING)).to(place)
    started = time.monotonic()

    def report(step: int, bits: float) -> None:
        done = step / steps
        left = (time.monotonic() - started) * (1 - done) / done
        progress.report(SAMPLING + (1 - SAMPLING) * done, f"Adapting to the image, {left:.0f} s left")

    # The numbers that others draw from PyTorch stay theirs.
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        torch.manual_seed(0)
        network = TrainableNetwork.of(model.base, ADAPTATION_STEPS).to(place)
        if image_voxels < VOXELS_FOR_ALL:
            network.keep_hidden_layers()
        optimise(network, samples, steps, RATE, report, CHECK_EVERY)
    return network.weights()


def _samples(tiles: Sequence[TileValues], model: Model, progress: Progress) -> Batch:
    """Up to SAMPLES voxels of the tiles."""
    from .trainable import Batch, batch_of

    rng = np.random.default_rng(0)
    share = min(1.0, SAMPLES / sum(len(tile.geometry.order) for tile in tiles))
    found = []
    for number, tile in enumerate(tiles):
        progress.report(number / len(tiles), "Looking at the image to adapt to it")
        sets, size = model.sets_for(tile.reference), len(tile.geometry.order)
        errors = linear_errors(tile, sets)
        chosen = np.sort(rng.choice(size, max(1, int(size * share)), replace=False))
        for start in range(0, len(chosen), CHUNK):
            which = chosen[start : start + CHUNK]
            neighbours, groups = tile.neighbours(which), tile.groups(which)
            look = linear_look(neighbours, groups, sets, model.largest)
            inputs = network_inputs(neighbours, tile.residuals(errors, which), look, groups, tile.neighbourhood)
            before, values = tile.geometry.slices[which], tile.values[tile.geometry.order[which]]
            found.append(batch_of(inputs, model.facts, before, look.centre, look.scale, values, model.largest))
    return Batch.joined(found)


def _in_steps(weights: NetworkWeights, base: NetworkWeights) -> NetworkWeights:
    """Weights as they can be sent: see ``model_stream``."""
    arrays = []
    for array, start, step in zip(weights.arrays(), base.arrays(), ADAPTATION_STEPS.values(), strict=True):
        arrays.append(start + step * np.rint((array - start) / step).astype(np.int32))
    return NetworkWeights(*arrays)
