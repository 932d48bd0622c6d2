"""What every codec offers, modelled on numcodecs: an id, encode, decode, a JSON config."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
from abc import ABC, abstractmethod
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from ..errors import CorruptStreamError, MissingLibraryError
from ..libraries import library
from ..tiling import TileShape

UNSIGNED_16 = frozenset({"uint8", "uint16"})
ANY_TYPE = frozenset({"uint8", "uint16", "uint32", "uint64", "float32", "float64"})


@dataclasses.dataclass(frozen=True)
class Knob:
    """A setting a user may turn, with its range (both ends allowed) and what it trades.

    Attributes:
        unit: of the setting, empty where it is a mere number. whole: whether fractions are refused.
    """

    name: str
    minimum: float
    maximum: float
    description: str
    unit: str = ""
    whole: bool = True

    def check(self, value: Any, title: str) -> None:
        """Raise ValueError unless a value of the knob is of its type and in its range."""
        types = (int,) if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, types) or not math.isfinite(value):
            raise ValueError(f"{title}: {self.name} must be a {'whole ' if self.whole else ''}number.")
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{title}: {self.name} must be {self.range}, not {value:g}.")

    @property
    def range(self) -> str:
        """For messages: "1 to 9"."""
        return f"{self.minimum:g} to {self.maximum:g}{' ' + self.unit if self.unit else ''}"


@dataclasses.dataclass(frozen=True)
class Codec(ABC):
    """Turns one block of unsigned integers (or floats) into bytes and back.

    A subclass is a frozen dataclass whose fields are its settings. Blocks are arrays
    (slice, row, column) with at least one voxel, C-contiguous, of a type in ``sample_types``.

    Class attributes:
        id: name in files and on the terminal. title, family: for people.
        guarantee: ``lossless``, or what LossyCodec says. license: of the library that does the work.
        package: what to install. module: what to import. feature: the class in it whose
            ``available`` tells whether this build of the library has the codec, if it has such.
        sample_types: numpy type names that ``encode`` takes.
        for_labels: whether it is meant for labels only.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    family: ClassVar[str]
    guarantee: ClassVar[str] = "lossless"
    license: ClassVar[str]
    package: ClassVar[str] = "imagecodecs"
    module: ClassVar[str] = "imagecodecs"
    feature: ClassVar[str] = ""
    sample_types: ClassVar[frozenset[str]] = UNSIGNED_16
    for_labels: ClassVar[bool] = False
    knob: ClassVar[Knob | None] = None

    def __post_init__(self) -> None:
        if self.knob is not None:
            self.knob.check(getattr(self, self.knob.name), self.title)

    @property
    def tile(self) -> TileShape:
        """The tile it likes on a large volume: small enough to decode a 64 voxel cube quickly."""
        return TileShape(8, 128, 128)

    @abstractmethod
    def encode(self, block: np.ndarray) -> bytes:
        """The block as bytes that ``decode`` turns back into exactly it."""

    @abstractmethod
    def decode(self, payload: bytes, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
        """The block of this shape and type.

        Raises CorruptStreamError, before it allocates more than the block needs, if the payload
        announces anything else or cannot be decoded.
        """

    @property
    def config(self) -> dict[str, Any]:
        """``id`` and settings; ``codec_from_config`` makes an equal codec of it."""
        return {"id": self.id, **self.settings}

    @property
    def settings(self) -> dict[str, Any]:
        """Fields that a user sets and a file records, by name."""
        return {name: getattr(self, name) for name in self.setting_names()}

    @classmethod
    def setting_names(cls) -> list[str]:
        """Names of the settings: all fields but those that say otherwise in their metadata."""
        return [field.name for field in dataclasses.fields(cls) if field.metadata.get("setting", True)]

    @classmethod
    def unavailable_reason(cls) -> str | None:
        """None where the codec can run, else a sentence that says what to install."""
        try:
            cls._library()
        except MissingLibraryError as error:
            return str(error)
        return None

    @classmethod
    def library_version(cls) -> str | None:
        """Version of the library that does the work, or None where it is missing."""
        try:
            found = getattr(cls._library(), "__version__", None)
        except MissingLibraryError:
            return None
        try:
            # Not every library tells its version itself.
            return str(found or importlib.metadata.version(cls.package))
        except importlib.metadata.PackageNotFoundError:
            return "unknown"

    @classmethod
    def _library(cls) -> ModuleType:
        found = library(cls.module, cls.package, f"The codec {cls.title}")
        if cls.feature and not getattr(getattr(found, cls.feature, None), "available", False):
            raise MissingLibraryError(
                f"The codec {cls.title} is not in the installed {cls.package} {getattr(found, '__version__', '')}: "
                f'update it with "pip install --upgrade {cls.package}"; its newest versions need a newer Python '
                "than 3.10. Other codecs still work."
            )
        return found


class LossyCodec(Codec):
    """A codec that decodes to other samples than it was given.

    Its setting is found from a *step*: it should lose about what rounding to multiples of this step
    would, a root mean square error near step / sqrt(12), so that one search serves all codecs.

    Class attributes:
        guarantee: ``bounded`` where its setting bounds the error of every sample by itself, else ``lossy``.
        levels: how many values of integer samples it takes, from 0; a wider range is mapped to them first.
        full_scale: whether a narrower range is stretched over all of them, so that rounding after
            decoding loses nothing; of no meaning for codecs of floats.
        sees_slices: whether it makes use of what slices have in common.
    """

    guarantee: ClassVar[str] = "lossy"
    levels: ClassVar[int] = 1 << 16
    full_scale: ClassVar[bool] = True
    sees_slices: ClassVar[bool] = False

    @abstractmethod
    def with_step(self, step: float) -> tuple[LossyCodec, float]:
        """This codec set for a step in samples, and the factor by which the samples' own scale must do the rest.

        The factor is 1 where the setting is continuous; where it is a whole number, the setting is the
        coarsest whose step is not above the one asked for, and samples divided by the factor bring
        the rest. At the ends of the setting's range the factor may be anything positive.
        """

    @property
    def bound(self) -> float | None:
        """Largest error of any sample that its setting promises, or None if it promises nothing."""
        return None

    def with_bound(self, bound: float) -> LossyCodec | None:
        """This codec set so that no sample's error exceeds ``bound`` (in samples), or None if it cannot promise."""
        return None


def stack(block: np.ndarray, folded: bool = True) -> np.ndarray:
    """The slices of a block below one another as one tall 2D image.

    One stream for several slices shares its header and what its entropy coder has learned.
    Folded, every second slice is upside down, so that where one slice ends the next begins
    at the same place in the body and prediction has no seam.
    """
    if not folded or block.shape[0] == 1:
        return np.ascontiguousarray(block).reshape(-1, block.shape[2])
    tall = np.empty(block.shape, block.dtype)
    _fold(block, tall)
    return tall.reshape(-1, block.shape[2])


def unstack(tall: np.ndarray, shape: tuple[int, int, int], dtype: np.dtype, folded: bool = True) -> np.ndarray:
    """The block from its tall image; CorruptStreamError if shape or type differ."""
    if tall.dtype != dtype or tall.size != shape[0] * shape[1] * shape[2] or tall.shape[-1] != shape[2]:
        raise CorruptStreamError(f"A tile decoded to {tall.dtype.name} {tall.shape}, not to {dtype.name} {shape}.")
    if not folded or shape[0] == 1:
        return tall.reshape(shape)
    block = np.empty(shape, dtype)
    _fold(tall.reshape(shape), block)
    return block


def _fold(source: np.ndarray, target: np.ndarray) -> None:
    target[0::2] = source[0::2]
    target[1::2] = source[1::2, ::-1]


def significant_bits(block: np.ndarray) -> int:
    """Bits that the largest value of an unsigned block needs, at least 1."""
    return max(1, int(block.max()).bit_length())
