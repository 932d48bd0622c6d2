"""The loop that makes a network shorter: for training and for adaptation. Needs torch."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from .trainable import Batch, TrainableNetwork

BATCH = 4096
WARM_UP = 100


def optimise(
    network: TrainableNetwork,
    samples: Batch,
    steps: int,
    rate: float,
    report: Callable[[int, float], None],
    report_every: int,
) -> None:
    """Change a network in place so that the samples cost fewer bits.

    Adam (Kingma and Ba, ICLR 2015) with a cosine schedule.

    Args:
        report: called every ``report_every`` steps, and at the end, with the steps done and the bits per voxel
            of a batch.
    """
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
        if step % report_every == report_every - 1 or step + 1 == steps:
            report(step + 1, loss.item())
