"""The model card that goes with trained weights: data, licences, figures, name."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ..learned.network import LARGEST_WEIGHT

if TYPE_CHECKING:
    from .train import Trained


_TEXT = """# Weights {name} of the learned lossless codec

- What: an integer network of {count:,} numbers that predicts a voxel's distribution from its causal neighbourhood.
  It is used by the codec `causal` of MedCompress and means nothing outside of it.
- Name: the first 8 bytes of the SHA-256 of its numbers; files say which weights they need.
- Made by: `medcompress train MANIFEST FOLDER --steps {steps} --seed {seed}`, one thread of a processor.
- Trained on: the scalar ones, of at most 16 bits, of {images} images of the manifest whose `use` is `train` (the log
  names those left out), {samples:,} voxels of them and of versions of them (mirrored, smoothed, halved,
  thinned out, cut another way, in steps of 3 to 17). No subject is both in the
  training and in the test part of the manifest.
- Kinds of images: {kinds}.
- Licences of the images: {licences}. The weights hold no image and no part of one; they are under Apache-2.0.
- Bits per voxel on the training samples at the end: {bits:.3f} (ideal code length, rounded weights).
- Checked when loaded: no sum of products can reach 2^24; no weight exceeds {largest}.
- Limits: scalar images of up to 16 bits. It only predicts; files decode to the same voxels whatever it predicts.
"""


def model_card(trained: Trained, name: str, manifest: Path, steps: int, seed: int) -> str:
    """The card as Markdown."""
    with manifest.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t") if row["use"] == "train"]
    kinds = Counter(row.get("modality", "unknown") for row in rows)
    licences = Counter(row.get("licence") or row.get("license") or "not stated" for row in rows)
    return _TEXT.format(
        name=name,
        count=sum(array.size for array in trained.weights.arrays()),
        steps=steps,
        seed=seed,
        images=len(rows),
        samples=trained.samples,
        kinds=", ".join(f"{kind} {number}" for kind, number in kinds.most_common()),
        licences=", ".join(f"{licence} ({number})" for licence, number in licences.most_common()),
        bits=trained.bits,
        largest=LARGEST_WEIGHT,
    )
