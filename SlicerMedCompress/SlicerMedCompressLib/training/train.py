"""Training the shipped weights: seeds, one set of weights for all images, a log, integers at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
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
MEASURED = 1 << 19


@dataclass(frozen=True, eq=False)
class Trained:
    """Weights, of how many samples, and bits per voxel on some of them at the end."""

    weights: NetworkWeights
    samples: int
    bits: float


def train(manifest: Path, steps: int, seed: int, device: torch.device, report: Callable[[int, float], None]) -> Trained:
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
    with torch.no_grad():
        some = torch.linspace(0, len(samples) - 1, min(len(samples), MEASURED), device=device).long()
        parts = [network.bits(samples.chosen(part)).mean() for part in some.split(1 << 14)]
    return Trained(weights, len(samples), float(torch.stack(parts).mean()))
