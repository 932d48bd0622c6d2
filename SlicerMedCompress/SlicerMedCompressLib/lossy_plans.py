"""From a codec and what may be lost to the ways of coding an image that are worth measuring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .codecs import Codec, LossyCodec
from .codecs.jpegxl import JpegXl
from .codecs.zstandard import Zstandard
from .container import FRAMES_IN_TILE, Plan
from .errors import UnsupportedImageError
from .image import Image, finite_extremes
from .tiling import grid_for
from .tolerance import Tolerance
from .transforms import Facts, Pipeline, Transform, pipelines
from .transforms.as_float import AsFloat
from .transforms.floats import OrderedBits
from .transforms.offset import Offset
from .transforms.planes import SplitPlanes
from .transforms.quantize import Quantize

SOFT_STEPS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Steps tried for a codec that cannot promise a bound, in units of the step that would just keep it."""
LOOSER_BOUNDS = (1, 2, 4)
"""Bounds set for a codec of floats, in units of the one to be kept: ZFP's errors stay far below what it promises."""
MANTISSA_BITS = {"float32": 23, "float64": 52}
MOST_LEVELS = 1 << 32
WIDEST_RANGE = 1e150
"""Squares of errors beyond would overflow."""


@dataclass(frozen=True, eq=False)
class Source:
    """What is known of an image before it is coded with loss.

    Attributes:
        shape: voxels along (frame, slice, row, column). dtype: of the voxels.
        minimum, maximum: smallest and largest finite voxel, stored units.
        finite: whether all voxels are finite. facts: what the lossless transforms know of it.
        over_time: whether the image is one with time in the place of slices.
    """

    shape: tuple[int, int, int, int]
    dtype: np.dtype
    minimum: float
    maximum: float
    finite: bool
    facts: Facts
    over_time: bool = False

    @classmethod
    def of(cls, image: Image, facts: Facts, over_time: bool = False) -> Source:
        """Raises UnsupportedImageError where the range of the voxels exceeds WIDEST_RANGE."""
        voxels = image.voxels
        minimum, maximum = finite_extremes(voxels)
        if not maximum - minimum < WIDEST_RANGE:
            raise UnsupportedImageError("The voxels are too far apart for lossy compression; keep them lossless.")
        finite = voxels.dtype.kind != "f" or all(bool(np.isfinite(plane).all()) for frame in voxels for plane in frame)
        frames, slices, rows, columns, _ = voxels.shape
        return cls((frames, slices, rows, columns), voxels.dtype, minimum, maximum, finite, facts, over_time)

    @property
    def is_integer(self) -> bool:
        """Whether voxels are of an integer type."""
        return self.dtype.kind in "iu"

    @property
    def range(self) -> float:
        """Largest minus smallest finite voxel; something positive where all are equal."""
        return (self.maximum - self.minimum) or (1.0 if self.is_integer else max(abs(self.maximum), 1.0) * 1e-6)

    def capped(self, bound: float) -> float:
        """An error bound, or the range if that is less: no error can be larger."""
        return min(bound, self.range)

    def plan(
        self, codec: Codec, steps: Sequence[Transform], tolerance: Tolerance, self_sufficient: bool = True
    ) -> Plan:
        """A plan with these transforms; corrections where the codec does not keep the tolerance by itself."""
        needed = not self_sufficient or tolerance.exact is not None or not self.finite
        grid = grid_for(self.shape, codec.tile)
        if self.over_time:
            grid = replace(grid, slabs=max(grid.slabs, -(-self.shape[1] // FRAMES_IN_TILE)))
        return Plan(
            codec,
            Pipeline(tuple(steps)),
            grid,
            tolerance,
            correction_codec() if needed else None,
            self.maximum - self.minimum,
            over_time=self.over_time,
        )


def correction_codec() -> Codec:
    """What codes corrections: mostly zeros, in places noise of a few values."""
    return JpegXl(3) if JpegXl.unavailable_reason() is None else Zstandard(9)


def bounded_plans(source: Source, codec: Codec, tolerance: Tolerance) -> list[Plan]:
    """Ways to keep an error bound with a codec; the smallest on a sample is to be taken.

    A lossless codec codes quantized voxels. A codec with a bound of its own is set to it. Any other
    is tried at several steps, and corrections mend what goes too far.

    Raises UnsupportedImageError for a relative bound with a codec that loses by itself.
    """
    if not isinstance(codec, LossyCodec):
        return _quantized(source, codec, tolerance)
    if tolerance.relative:
        raise UnsupportedImageError(
            f"{codec.title} cannot keep a relative error; name a lossless codec, which gets quantized voxels, "
            "or no codec at all."
        )
    own = _with_own_bound(source, codec, tolerance)
    if own:
        return own
    just = 2 * source.capped(tolerance.bound) + (1 if source.is_integer else 0)
    plans = [plan_with_step(source, codec, factor * just, tolerance) for factor in SOFT_STEPS]
    return [replace(plan, corrections=correction_codec()) for plan in plans]


def plan_with_step(source: Source, codec: Codec, step: float, tolerance: Tolerance) -> Plan:
    """The codec, or the quantization before a lossless one, set to lose what rounding to ``step`` would.

    Args:
        step: in stored units.
    """
    if not isinstance(codec, LossyCodec):
        step = max(step, source.range / (MOST_LEVELS - 2), 1.0 if source.is_integer else 0.0)
        return _quantized_to(source, codec, _number(source, source.minimum), step, tolerance)
    if not _takes_integers(codec):
        tuned, factor = codec.with_step(step)
        return source.plan(tuned, [AsFloat(source.dtype.name, factor)], tolerance)
    scale = _scale(source, codec)
    tuned, factor = codec.with_step(step / scale)
    return source.plan(tuned, [_mapping(source, codec, scale * max(factor, 1.0))], tolerance)


def plan_as_set(source: Source, codec: LossyCodec, tolerance: Tolerance) -> Plan:
    """The codec with the setting that the user gave it."""
    if not _takes_integers(codec):
        return source.plan(codec, [AsFloat(source.dtype.name)], tolerance)
    return source.plan(codec, [_mapping(source, codec, _scale(source, codec))], tolerance)


def _takes_integers(codec: Codec) -> bool:
    return "uint16" in codec.sample_types


def _levels(source: Source, codec: LossyCodec) -> int:
    narrow = source.is_integer and source.range <= 255 and "uint8" in codec.sample_types
    return 256 if narrow else codec.levels


def _scale(source: Source, codec: LossyCodec) -> float:
    """Stored units a sample: 1 for integers that fit and need not be stretched."""
    levels = _levels(source, codec)
    if source.is_integer and source.range <= levels - 1 and (levels == 256 or not codec.full_scale):
        return 1.0
    return source.range / (levels - 1)


def _mapping(source: Source, codec: LossyCodec, scale: float) -> Quantize:
    step = _plain(scale) if source.is_integer else float(scale)
    return Quantize(source.dtype.name, _number(source, source.minimum), step, _levels(source, codec))


def _number(source: Source, value: float) -> float:
    """Whole for integers, so that quantization can be exact."""
    return int(value) if source.is_integer else float(value)


def _plain(step: float) -> float:
    return int(step) if float(step).is_integer() else float(step)


def _with_own_bound(source: Source, codec: LossyCodec, tolerance: Tolerance) -> list[Plan]:
    """The codec set to promise the bound; floats also to promise less and be corrected, which may be smaller."""
    if _takes_integers(codec):
        tuned = codec.with_bound(math.floor(source.capped(tolerance.bound)))
        if tuned is None or not source.is_integer or source.range > codec.levels - 1:
            return []
        # Not an offset: what decodes to more than the type holds must not wrap round.
        shifted = _whole_quantization(source.dtype.name, int(source.minimum), int(source.maximum), 1)
        return [source.plan(tuned, [shifted], tolerance)]
    # Rounding to the next integer turns a bound below n + 1/2 into n.
    bound = source.capped(tolerance.bound)
    bound = math.floor(bound) + 0.49 if source.is_integer else bound
    tuned_to = [codec.with_bound(factor * bound) for factor in LOOSER_BOUNDS]
    as_float = AsFloat(source.dtype.name)
    return [source.plan(tuned, [as_float], tolerance, False) for tuned in tuned_to if tuned is not None]


def _quantized(source: Source, codec: Codec, tolerance: Tolerance) -> list[Plan]:
    """Quantized voxels under a lossless codec, and the lossless ways, which cost less where the bound is tight."""
    exact = [
        Plan(codec, pipeline, grid_for(source.shape, codec.tile), tolerance, data_range=source.maximum - source.minimum)
        for pipeline in pipelines(source.facts, codec.sample_types)
    ]
    if tolerance.relative:
        return [*_quantized_relative(source, codec, tolerance), *exact]
    if source.is_integer:
        bound = math.floor(source.capped(tolerance.bound))
        origin = _number(source, source.minimum)
        return [_quantized_to(source, codec, origin, 2 * bound + 1, tolerance)] if bound else exact
    plans = []
    slopes = source.facts.slopes
    if slopes is not None and len(slopes.slopes) == 1:
        # A hair less than the bound, because integer x slope is rounded to the type.
        bound = math.floor(source.capped(tolerance.bound) / slopes.slopes[0] * (1 - 1e-6))
        bound = min(bound, source.facts.maximum - source.facts.minimum)
        if bound:
            before = [step for step in exact[0].pipeline.steps if not isinstance(step, (Offset, SplitPlanes))]
            quantize = _whole_quantization("int32", source.facts.minimum, source.facts.maximum, 2 * bound + 1)
            plans.append(source.plan(codec, [*before, *_fitted(codec, quantize)], tolerance, False))
    step = 2 * source.capped(tolerance.bound) * (1 - 1e-6)
    if source.range / step < MOST_LEVELS - 2:
        plans.append(_quantized_to(source, codec, source.minimum, step, tolerance))
    return [*plans, *exact]


def _quantized_relative(source: Source, codec: Codec, tolerance: Tolerance) -> list[Plan]:
    """Quantized bits: floats of one exponent are evenly spaced, so a step of bits is a share of the value.

    One unit in the last place is at most 2^-mantissa of the value; zero is on the grid and stays.
    """
    steps: list[Transform] = [AsFloat(source.dtype.name)] if source.is_integer else []
    floats = steps[0].output(source.dtype, 1)[0] if steps else source.dtype
    half = math.floor(tolerance.bound * 2.0 ** MANTISSA_BITS[floats.name])
    if half == 0:
        return []
    ordered = OrderedBits(floats.name)
    zero, lowest, highest = (
        int(ordered.of(np.array([value], floats))[0]) for value in (0.0, source.minimum, source.maximum)
    )
    step = 2 * half + 1
    origin = zero - -(-(zero - lowest) // step) * step if lowest < zero else lowest
    quantize = _whole_quantization(f"uint{8 * floats.itemsize}", max(origin, 0), highest, step)
    return [source.plan(codec, [*steps, ordered, *_fitted(codec, quantize)], tolerance, False)]


def _whole_quantization(dtype: str, minimum: int, maximum: int, step: int) -> Quantize:
    return Quantize(dtype, minimum, step, (maximum - minimum + step // 2) // step + 1)


def _quantized_to(source: Source, codec: Codec, origin: float, step: float, tolerance: Tolerance) -> Plan:
    levels = math.floor((source.maximum - origin) / step + 0.5) + 1
    quantize = Quantize(source.dtype.name, origin, _plain(step) if source.is_integer else step, levels)
    return source.plan(codec, _fitted(codec, quantize), tolerance, source.is_integer or not tolerance.is_bounded)


def _fitted(codec: Codec, quantize: Quantize) -> list[Transform]:
    """The quantization, and its indices in 16 bit planes where the codec takes no wider ones."""
    if quantize.packed.itemsize <= 2 or quantize.packed.name in codec.sample_types:
        return [quantize]
    return [quantize, SplitPlanes(quantize.packed.name)]
