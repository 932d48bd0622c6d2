"""What every codec offers, modelled on numcodecs: an id, encode, decode, a JSON config."""

from __future__ import annotations

import dataclasses
import importlib
from abc import ABC, abstractmethod
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from ..errors import CorruptStreamError, MissingLibraryError
from ..tiling import TileShape

UNSIGNED_16 = frozenset({"uint8", "uint16"})
ANY_TYPE = frozenset({"uint8", "uint16", "uint32", "uint64", "float32", "float64"})


@dataclasses.dataclass(frozen=True)
class Knob:
    """A setting a user may turn, with its range (both ends allowed) and what it trades."""

    name: str
    minimum: int
    maximum: int
    description: str


@dataclasses.dataclass(frozen=True)
class Codec(ABC):
    """Turns one block of unsigned integers (or floats) into bytes and back.

    A subclass is a frozen dataclass whose fields are its settings. Blocks are arrays
    (slice, row, column) with at least one voxel, C-contiguous, of a type in ``sample_types``.

    Class attributes:
        id: name in files and on the terminal. title, family: for people.
        package: what to install. module: what to import. feature: the class in it whose
            ``available`` tells whether this build of the library has the codec, if it has such.
        sample_types: numpy type names that ``encode`` takes.
        for_labels: whether it is meant for labels only.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    family: ClassVar[str]
    guarantee: ClassVar[str] = "lossless"
    package: ClassVar[str] = "imagecodecs"
    module: ClassVar[str] = "imagecodecs"
    feature: ClassVar[str] = ""
    sample_types: ClassVar[frozenset[str]] = UNSIGNED_16
    for_labels: ClassVar[bool] = False
    knob: ClassVar[Knob | None] = None

    def __post_init__(self) -> None:
        if self.knob is not None:
            value = getattr(self, self.knob.name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"{self.title}: {self.knob.name} must be a whole number.")
            if not self.knob.minimum <= value <= self.knob.maximum:
                raise ValueError(
                    f"{self.title}: {self.knob.name} must be {self.knob.minimum} to {self.knob.maximum}, not {value}."
                )

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
        return {"id": self.id, **dataclasses.asdict(self)}

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
            return str(getattr(cls._library(), "__version__", "unknown"))
        except MissingLibraryError:
            return None

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


def library(module: str, package: str, wanted_by: str) -> ModuleType:
    """Import a module, or say in a MissingLibraryError what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingLibraryError(
            f'{wanted_by} needs the Python package {package}: install it with "pip install {package}" '
            f"(in Slicer's Python console: slicer.util.pip_install('{package}')); other codecs still work. ({error})"
        ) from error


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
