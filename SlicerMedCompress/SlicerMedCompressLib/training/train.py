"""Training the shipped weights: seeds, one set of weights for all images, a log, integers at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch

from ..errors import InputError
from ..learned.contexts import input_count
from ..learned.neighbourhood import standard_neighbourhood
from ..learned.network import NetworkWeights
from ..learned.optimising import optimise
from ..learned.trainable import Batch, TrainableNetwork, batch_of
from .dataset import training_samples

_logger = logging.getLogger(__name__)
HIDDEN = 64
RATE = 3e-3
REPORT_EVERY = 2000


def train(
    manifest: Path, steps: int, seed: int, device: torch.device, report: Callable[[int, float], None]
) -> NetworkWeights:
    """Weights trained on the training part of a manifest.

    Adam (Kingma and Ba, ICLR 2015) with a cosine schedule. On one machine, device and number of threads
    equal arguments give equal weights.

    Args:
        report: called now and then with the step and the bits per voxel of a batch.
    """
    batches = [
        batch_of(part.inputs, part.facts, part.before, part.centre, part.scale, part.values, part.largest)
        for part in training_samples(manifest, seed)
    ]
    if not batches:
        raise InputError(f'The manifest "{manifest}" has no image to train on.')
    samples = Batch.joined(batches).to(device)
    _logger.info("%d samples of %d images and versions of them", len(samples), len(batches))
    torch.manual_seed(seed)
    network = TrainableNetwork(input_count(standard_neighbourhood()), HIDDEN).to(device)
    optimise(network, samples, steps, RATE, report, REPORT_EVERY)
    weights = network.weights()
    weights.check()
    return weights
