"""The weights that ship with MedCompress, by name: a file says which it was coded with.

Files of arrays without pickle in Resources/Models; a set of weights that a released version wrote files
with is never removed.
"""

from __future__ import annotations

import hashlib
import site
import sysconfig
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import CorruptStreamError, InputError
from .network import NetworkWeights

DEFAULT = "f442acab427458f1"
"""Name of the weights that new files use."""
_LARGEST_FILE = 1 << 20


def weights_name(weights: NetworkWeights) -> bytes:
    """Eight bytes that name a set of weights: the start of the SHA-256 of its numbers."""
    digest = hashlib.sha256()
    for array in weights.arrays():
        digest.update(np.asarray(array.shape, "<i4").tobytes())
        digest.update(np.asarray(array).astype("<i4").tobytes())
    return digest.digest()[:8]


def save_weights(weights: NetworkWeights, path: Path) -> None:
    """Write weights as a NumPy archive of small integers."""
    weights.check()
    arrays = {}
    for name, array in zip(NetworkWeights.names(), weights.arrays(), strict=True):
        arrays[name] = array.astype(np.int32 if name.endswith("bias") else np.int16)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def load_weights(path: Path) -> NetworkWeights:
    """Weights of a file that ``save_weights`` wrote; InputError names it and the problem."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is too large")
        with np.load(path, allow_pickle=False) as archive:
            weights = NetworkWeights(*(archive[name].astype(np.int32) for name in NetworkWeights.names()))
        weights.check()
    except (OSError, ValueError, KeyError, CorruptStreamError) as error:
        raise InputError(f'"{path}" is not a file of weights of the learned codec ({error}).') from error
    return weights


def default_weights() -> NetworkWeights:
    """The weights that new files use."""
    return weights_named(bytes.fromhex(DEFAULT))


@lru_cache(maxsize=4)
def weights_named(name: bytes) -> NetworkWeights:
    """Shipped weights; CorruptStreamError if this version does not have them."""
    path = models_folder() / f"causal-{name.hex()}.npz"
    if not path.is_file():
        raise CorruptStreamError(
            f"It needs the weights {name.hex()} of the learned codec, which this version does not have; "
            "update MedCompress."
        )
    weights = load_weights(path)
    if weights_name(weights) != name:
        raise CorruptStreamError(f'The weights in "{path.name}" were changed; install MedCompress again.')
    return weights


@lru_cache(maxsize=1)
def models_folder() -> Path:
    """Where the weights are: in a source tree, in Slicer's folder of modules, or where pip puts data."""
    library = Path(__file__).resolve().parents[1]
    installed = [Path(folder) / "share" / "medcompress" for folder in (sysconfig.get_path("data"), site.getuserbase())]
    places = [library.parents[1] / "Resources", library.parent / "Resources", *installed]
    return next((place / "Models" for place in places if (place / "Models").is_dir()), places[0] / "Models")
