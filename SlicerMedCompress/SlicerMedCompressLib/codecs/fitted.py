"""Codecs that are fitted to an image before they code it; what they found is kept once in the file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..progress import Progress
from .base import Codec


@dataclass(frozen=True, eq=False)
class BlockContext:
    """What is known to coder and decoder alike beside a block.

    Attributes:
        references: the same block of other frames, the earlier first.
        slopes: rescale slope of each slice of the block, or None where they do not differ.
    """

    references: tuple[np.ndarray, ...] = ()
    slopes: np.ndarray | None = None

    @property
    def reference(self) -> np.ndarray | None:
        """The first of the other frames, or None."""
        return self.references[0] if self.references else None


NOTHING = BlockContext()


@dataclass(frozen=True, eq=False)
class Block:
    """A block (slice, row, column) of the image to fit to, with its context."""

    samples: np.ndarray
    context: BlockContext


class FittedCodec(Codec):
    """A codec whose ``model`` goes into the file beside the tiles.

    Until it is fitted, or given the model of a file, it neither encodes nor decodes.
    """

    @property
    @abstractmethod
    def model(self) -> bytes:
        """What ``with_model`` needs to decode; empty until it is fitted."""

    @property
    @abstractmethod
    def group(self) -> int:
        """Frames of which all but the first are coded with the frame before at hand; 1 for none."""

    @abstractmethod
    def with_model(self, model: bytes) -> FittedCodec:
        """This codec with the model of a file; CorruptStreamError if it is damaged."""

    @abstractmethod
    def on_device(self, device: str) -> FittedCodec:
        """This codec, working on a device: see ``learned.backends``."""

    @abstractmethod
    def fitted(self, blocks: Sequence[Block], samples: int, largest: int) -> FittedCodec:
        """This codec fitted in a moment.

        Args:
            blocks: some or all of the image. samples: how many the image has. largest: of all samples.
        """

    @abstractmethod
    def refined(self, blocks: Sequence[Block], samples: int, progress: Progress) -> FittedCodec:
        """A fitted codec fitted better, with the work that its setting allows; it may be the same."""

    @abstractmethod
    def encode(self, block: np.ndarray, context: BlockContext = NOTHING) -> bytes:
        """As Codec, with what the decoder will know too."""

    @abstractmethod
    def decode(
        self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype, context: BlockContext = NOTHING
    ) -> np.ndarray:
        """As Codec, with what ``encode`` was given."""
