"""The learned codec: a small integer network over causal 3D and 4D context, fitted and adapted to the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import ClassVar

import numpy as np

from ..errors import CorruptStreamError, EncodingError
from ..learned.adaptation import EFFORTS, adapt
from ..learned.backends import backend_for
from ..learned.fitting import fit_model
from ..learned.model import Model
from ..learned.model_stream import model_from_bytes, model_to_bytes
from ..learned.neighbourhood import standard_neighbourhood
from ..learned.tile_codec import decode_tile, encode_tile
from ..learned.tile_values import TileValues
from ..progress import Progress
from ..tiling import TileShape
from .base import Knob
from .fitted import NOTHING, Block, BlockContext, FittedCodec

FRAMES_IN_GROUP = 16
MOST_FRAMES = 64
"""Of a group: to read its last frame all have to be decoded."""


@dataclass(frozen=True)
class Causal(FittedCodec):
    """See the package ``learned``. Effort 0 uses the shipped weights; more adapts them to the image, with PyTorch.

    Attributes:
        frames: in a group; all but its first are predicted from the frame before too.
        parameters: the model, once fitted. device: where it works, see ``learned.backends``.
    """

    id: ClassVar[str] = "causal"
    title: ClassVar[str] = "Learned (causal context)"
    family: ClassVar[str] = "learned 3D and 4D prediction"
    license: ClassVar[str] = "Apache-2.0 (MedCompress)"
    package: ClassVar[str] = "numpy"
    module: ClassVar[str] = "numpy"
    knob: ClassVar[Knob] = Knob(
        "effort", 0, len(EFFORTS) - 1, "time spent on adapting to the image; above 0 with PyTorch"
    )
    effort: int = 0
    frames: int = FRAMES_IN_GROUP
    parameters: Model | None = dataclasses.field(default=None, repr=False, compare=False, metadata={"setting": False})
    device: str = dataclasses.field(default="auto", compare=False, metadata={"setting": False})

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.frames, bool) or not isinstance(self.frames, int) or not 1 <= self.frames <= MOST_FRAMES:
            raise ValueError(f"{self.title}: frames must be a whole number from 1 to {MOST_FRAMES}.")

    @property
    def tile(self) -> TileShape:
        """Large, because every edge is context lost; 16 slices are what is decoded to read one."""
        return TileShape(16, 512, 512)

    @property
    def group(self) -> int:
        return self.frames

    @property
    def model(self) -> bytes:
        return b"" if self.parameters is None else model_to_bytes(self.parameters)

    def with_model(self, model: bytes) -> Causal:
        return dataclasses.replace(self, parameters=_parsed(model))

    def on_device(self, device: str) -> Causal:
        return dataclasses.replace(self, device=device)

    def fitted(self, blocks: Sequence[Block], samples: int, largest: int) -> Causal:
        model = fit_model(*_tiles(blocks, largest), samples, backend_for(self.device))
        return dataclasses.replace(self, parameters=model)

    def refined(self, blocks: Sequence[Block], samples: int, progress: Progress) -> Causal:
        if self.effort == 0:
            return self
        model = self._fitted_model()
        adapted = adapt(model, *_tiles(blocks, model.largest), samples, self.effort, self.device, progress)
        return dataclasses.replace(self, parameters=adapted)

    def encode(self, block: np.ndarray, context: BlockContext = NOTHING) -> bytes:
        model = self._fitted_model()
        if int(block.max()) > model.largest:
            raise EncodingError(f"{self.title} was fitted to another image.")
        return encode_tile(block, model, backend_for(self.device), context.reference, context.slopes)

    def decode(
        self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype, context: BlockContext = NOTHING
    ) -> np.ndarray:
        if self.parameters is None:
            raise CorruptStreamError("The file has no model for its learned codec.")
        reference, slopes = context.reference, context.slopes
        if reference is not None and not self.parameters.reference_sets:
            raise CorruptStreamError("The model in the file does not know of frames before.")
        block = decode_tile(payload, shape, self.parameters, backend_for(self.device), reference, slopes)
        if block.size and int(block.max()) > np.iinfo(dtype).max:
            raise CorruptStreamError("A tile of the learned codec has values that its type cannot hold.")
        return block.astype(dtype, copy=False)

    def _fitted_model(self) -> Model:
        if self.parameters is None:
            raise EncodingError(f"{self.title} has to be fitted to an image first.")
        return self.parameters

    @classmethod
    def _library(cls) -> ModuleType:
        return np


@lru_cache(maxsize=4)
def _parsed(model: bytes) -> Model:
    return model_from_bytes(model)


def _tiles(blocks: Sequence[Block], largest: int) -> tuple[list[TileValues], list[TileValues]]:
    """The blocks without and with a frame before, ready to look at."""
    alone: list[TileValues] = []
    following: list[TileValues] = []
    for block in blocks:
        reference = block.context.reference
        tile = TileValues.of(block.samples, standard_neighbourhood(), largest, reference, block.context.slopes)
        (alone if reference is None else following).append(tile)
    return alone, following
