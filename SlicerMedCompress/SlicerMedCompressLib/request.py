"""What a user asked for, checked before any work: preset or codec, target, what must stay exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .codecs import CODECS, Codec, LossyCodec, codec_named
from .container import Plan
from .errors import UnsupportedImageError
from .image import Image, Kind
from .lossy_plans import Source, bounded_plans, plan_as_set
from .presets import DEFAULT_PRESET, candidates, check_suited, preset_named
from .targets import MaxError, MaxRelativeError, SearchedTarget, Target
from .tolerance import Tolerance
from .transforms import Facts

LOSSY_FORMS = {"jpegxl": "jpegxl-lossy", "jpeg2000": "jpeg2000-lossy", "htj2k": "htj2k-lossy", "ljpeg": "jpeg"}
"""Lossless codecs whose standard also has a lossy mode: what a PSNR or size asked of them means."""


@dataclass(frozen=True, eq=False)
class Request:
    """One compression as asked for.

    Attributes:
        preset: its id, where no codec was named. codec: the one that was named.
        exact: bool (slice, row, column), true where voxels are kept bit for bit; None for nowhere.
    """

    preset: str
    codec: Codec | None
    target: Target | None
    exact: np.ndarray | None

    @classmethod
    def of(
        cls, preset: str | None, codec: str | Codec | None, target: Target | None, exact: np.ndarray | None
    ) -> Request:
        """Raises UnsupportedImageError where the parts do not go together."""
        if preset is not None and codec is not None:
            raise UnsupportedImageError("Name a preset or a codec, not both.")
        if target is not None and not isinstance(target, Target):
            raise UnsupportedImageError(f"A target is MaxError(2), Psnr(45) and the like, not {target!r}.")
        named = codec_named(codec) if isinstance(codec, str) else codec
        if named is not None and target is not None:
            _check_free(named, target)
        chosen = preset or _default_preset(target)
        guarantee = preset_named(chosen).guarantee
        if named is None:
            if target is None and guarantee != "lossless":
                raise UnsupportedImageError(
                    f'The preset "{chosen}" needs a target: a largest error, a PSNR, a ratio or bits per voxel.'
                )
            if target is not None and guarantee == "lossless":
                raise UnsupportedImageError(
                    f'The preset "{chosen}" is lossless and takes no target; leave the preset or the target out.'
                )
            if guarantee == "bounded" and not isinstance(target, (MaxError, MaxRelativeError)):
                raise UnsupportedImageError(
                    f'The preset "{chosen}" needs a largest error; for {target} choose "lossy".'
                )
        if exact is not None and target is None and not isinstance(named, LossyCodec):
            raise UnsupportedImageError(
                "A lossless region needs something to lose around it: say what to keep outside, "
                "a largest error for example."
            )
        return cls(chosen, named if target is None else _lossy_form(named, target), target, exact)

    @property
    def tolerance(self) -> Tolerance | None:
        """What must be kept; None for lossless."""
        if self.target is not None:
            return self.target.tolerance(self.exact)
        return Tolerance(np.inf, exact=self.exact) if isinstance(self.codec, LossyCodec) else None

    @property
    def is_exhaustive(self) -> bool:
        """Whether every codec of the preset codes the whole image, instead of a sample."""
        return self.codec is None and preset_named(self.preset).exhaustive

    def check(self, image: Image) -> None:
        """Raise, before any work, if the image or the region does not go with the request."""
        if self.codec is not None:
            check_suited(self.codec, image)
        if self.tolerance is None:
            return
        if image.kind in (Kind.LABEL, Kind.SEGMENTATION):
            raise UnsupportedImageError(
                f'"{image.name or "The image"}" holds labels, which must not change; compress it without loss.'
            )
        if self.exact is None:
            return
        if self.exact.dtype != np.bool_ or self.exact.shape != image.voxels.shape[1:4]:
            raise UnsupportedImageError(
                f"The lossless region must be a bool array of the shape {image.voxels.shape[1:4]} (slice, row, "
                f"column), not {self.exact.dtype.name} {self.exact.shape}."
            )

    def codecs(self, image: Image, facts: Facts) -> list[Codec]:
        """The named codec, or those of the preset that suit the image and are installed."""
        if self.codec is not None:
            return [self.codec]
        found = candidates(image, facts, preset_named(self.preset))
        # Only quantized voxels under a lossless codec keep a relative error.
        relative = isinstance(self.target, MaxRelativeError)
        return [codec for codec in found if not (relative and isinstance(codec, LossyCodec))]

    def plans(self, source: Source, codec: Codec, tolerance: Tolerance) -> list[Plan]:
        """Ways to code with loss where no search is needed: to a bound, or with the codec as it is set."""
        if isinstance(codec, LossyCodec) and not tolerance.is_bounded:
            return [plan_as_set(source, codec, tolerance)]
        return bounded_plans(source, codec, tolerance)


def _default_preset(target: Target | None) -> str:
    if target is None:
        return DEFAULT_PRESET
    return "lossy" if isinstance(target, SearchedTarget) else "bounded"


def _check_free(codec: Codec, target: Target) -> None:
    """Raise where a target would have to turn the knob that the user has turned already."""
    searched = isinstance(codec, LossyCodec) or (isinstance(target, SearchedTarget) and codec.id in LOSSY_FORMS)
    if searched and codec.knob is not None:
        usual = getattr(type(codec)(), codec.knob.name)
        if getattr(codec, codec.knob.name) != usual:
            raise UnsupportedImageError(f"With a target the setting of {codec.title} is found; write just {codec.id}.")


def _lossy_form(codec: Codec | None, target: Target) -> Codec | None:
    if codec is None or not isinstance(target, SearchedTarget):
        return codec
    return CODECS[LOSSY_FORMS[codec.id]]() if codec.id in LOSSY_FORMS else codec
