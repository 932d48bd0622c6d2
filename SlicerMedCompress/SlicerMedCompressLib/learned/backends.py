"""What looks at voxels and decodes them: numpy anywhere, faster where something faster is installed.

Every backend gives the same integers; tests compare them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from ..errors import MissingLibraryError, UnsupportedImageError
from ..libraries import is_installed
from .cuda_driver import has_cuda_driver
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
        device: ``auto`` (a CUDA device if there is one, else the processor), ``cpu`` (the fastest installed on
            the processor), or one backend by name.

    Raises MissingLibraryError with what to install, if a named one is absent; UnsupportedImageError for an
    unknown name.
    """
    if device not in DEVICES:
        raise UnsupportedImageError(f"There is no device {device}; choose one of {', '.join(DEVICES)}.")
    if device in ("auto", "cuda", "torch"):
        found = _torch(device)
        if found is not None:
            return found
    if device in ("auto", "cpu", "numba"):
        if is_installed("numba"):
            from .numba_backend import NumbaBackend

            return NumbaBackend()
        if device == "numba":
            raise MissingLibraryError('The device "numba" needs the Python package numba: "pip install numba".')
    return NumpyBackend()


def _torch(device: str) -> Backend | None:
    """The torch backend; for ``auto`` only where it has a CUDA device."""
    if device == "auto" and not has_cuda_driver():
        # Importing torch takes seconds.
        return None
    if not is_installed("torch"):
        if device == "auto":
            return None
        raise MissingLibraryError(
            f'The device "{device}" needs PyTorch: "pip install torch", in Slicer its PyTorch extension.'
        )
    import torch

    if device != "torch" and not torch.cuda.is_available():
        if device == "auto":
            return None
        raise MissingLibraryError("PyTorch finds no CUDA device here; choose the device auto or cpu.")
    from .torch_backend import TorchBackend

    return TorchBackend(torch.device("cpu" if device == "torch" else "cuda"))
