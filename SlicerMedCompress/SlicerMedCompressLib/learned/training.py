"""Training the shipped weights: seeds, one set of weights for all images, a log, integers at the end."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path

import torch

from ..errors import InputError
from .contexts import input_count
from .dataset import training_samples
from .neighbourhood import standard_neighbourhood
from .network import NetworkWeights
from .trainable import Batch, TrainableNetwork, batch_of

_logger = logging.getLogger(__name__)
HIDDEN = 64
BATCH = 4096
RATE = 3e-3
WARM_UP = 100
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
    optimise(network, samples, steps, RATE, report)
    weights = network.weights()
    weights.check()
    return weights


def optimise(
    network: TrainableNetwork, samples: Batch, steps: int, rate: float, report: Callable[[int, float], None]
) -> None:
    """Change a network in place so that the samples cost fewer bits."""
    optimiser = torch.optim.Adam(network.parameters(), rate)
    for step in range(steps):
        now = rate * min(1.0, step / WARM_UP + 0.02) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = now
        which = torch.randint(0, len(samples), (min(BATCH, len(samples)),), device=samples.values.device)
        loss = network.bits(samples.chosen(which)).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if step % REPORT_EVERY == REPORT_EVERY - 1 or step + 1 == steps:
            report(step + 1, loss.item())
