"""What looks at voxels and decodes them: numpy anywhere, faster where something faster is installed.

Every backend gives the same integers; tests compare them.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Protocol

from ..errors import MissingLibraryError, UnsupportedImageError
from ..libraries import is_installed, library
from .model import Model
from .numpy_backend import NumpyBackend
from .prediction import Prediction
from .tile_stream import TileStream
from .tile_values import TileValues

DEVICES = ("auto", "cpu", "numpy", "numba", "torch", "cuda")


class Backend(Protocol):
    """One way to compute what NumpyBackend does."""

    name: str

    def predict(self, tile: TileValues, model: Model) -> Prediction:
        """Distributions of all voxels of a known tile, in the order of decoding."""

    def encode(self, tile: TileValues, model: Model) -> TileStream:
        """The stream of a known tile."""

    def decode(self, stream: TileStream, tile: TileValues, model: Model) -> None:
        """Fill in the values of a blank tile; CorruptStreamError if the stream ends too early."""


@lru_cache(maxsize=len(DEVICES))
def backend_for(device: str = "auto") -> Backend:
    """The fastest backend of a device.

    Args:
        device: ``cpu`` for the fastest that is installed on the processor, ``cuda``, or one backend by name.
            ``auto`` is the processor, until a measurement on a GPU shows that it is faster.

    Raises MissingLibraryError with what to install, if a named one is absent; UnsupportedImageError for an
    unknown name.
    """
    if device not in DEVICES:
        raise UnsupportedImageError(f"There is no device {device}; choose one of {', '.join(DEVICES)}.")
    if device in ("cuda", "torch"):
        return _torch(device)
    if device == "numba" or (device in ("auto", "cpu") and is_installed("numba")):
        try:
            return _numba()
        except MissingLibraryError as error:
            if device == "numba":
                raise
            # Numba refuses versions of numpy that are newer than it.
            logging.getLogger(__name__).warning("Decoding with numpy alone, which is slower: %s", error)
    return NumpyBackend()


def device_to_verify(device: str) -> str:
    """The device to check a file with: not a GPU, whose mistakes it would not show."""
    return "cpu" if device in ("cuda", "torch") else device


def _numba() -> Backend:
    library("numba", "numba", 'The device "numba"')
    from .numba_backend import NumbaBackend

    return NumbaBackend()


def _torch(device: str) -> Backend:
    torch = library("torch", "torch", f'The device "{device}"')
    if device == "cuda" and not torch.cuda.is_available():
        raise MissingLibraryError("PyTorch finds no CUDA device here; choose the device auto or cpu.")
    from .torch_backend import TorchBackend

    return TorchBackend(torch.device("cpu" if device == "torch" else "cuda"))
