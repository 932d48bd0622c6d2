"""`medcompress train`: the weights of the learned codec from a manifest of images."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

from ..errors import OutputError
from ..learned.shipped import save_weights, weights_name
from ..libraries import library
from .arguments import Command, positive

STEPS = 250_000


def add_commands(command: Command) -> None:
    """Declare the command."""
    added = command("train", _train, "Train the learned codec's weights on the images of a manifest; needs PyTorch.")
    added.add_argument(
        "manifest",
        type=Path,
        help="tab separated, with the columns name, use (only rows that say train are read) and file",
    )
    added.add_argument("folder", type=Path, help="where the weights, the model card and the log are put")
    added.add_argument("--steps", type=positive, default=STEPS, help=f"of the optimiser (default: {STEPS})")
    added.add_argument("--seed", type=int, default=0)
    added.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    added.add_argument("--threads", type=positive, default=1, help="equal threads give equal weights (default: 1)")


def _train(options: argparse.Namespace) -> None:
    torch = library("torch", "torch", "Training the learned codec")
    from ..training.card import model_card
    from ..training.train import train

    try:
        options.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f'Cannot make the folder "{options.folder}": {error.strerror}.') from error
    torch.set_num_threads(options.threads)
    handler = logging.FileHandler(options.folder / "training.log", mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("SlicerMedCompressLib.training")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    started = time.monotonic()

    def report(step: int, bits: float) -> None:
        logger.info("step %d: %.3f bits per voxel of a batch", step, bits)
        left = (time.monotonic() - started) * (options.steps - step) / step
        print(f"step {step} of {options.steps}, {bits:.3f} bits, {left / 60:.0f} min left", file=sys.stderr)

    try:
        trained = train(options.manifest, options.steps, options.seed, torch.device(options.device), report)
    finally:
        logger.removeHandler(handler)
        handler.close()
    name = weights_name(trained.weights).hex()
    save_weights(trained.weights, options.folder / f"causal-{name}.npz")
    card = model_card(trained, name, options.manifest, options.steps, options.seed)
    (options.folder / f"causal-{name}.md").write_text(card, encoding="utf-8")
    print(options.folder / f"causal-{name}.npz")
