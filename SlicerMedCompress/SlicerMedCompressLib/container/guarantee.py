"""What a file promises of its voxels, and what was measured when it was written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..tolerance import Deviation, Tolerance, psnr

LOSSLESS_JSON = {"kind": "lossless", "maximum_error": 0}
LOSS_ATTRIBUTE = "MedCompress.Loss"
"""Attribute of a decoded image that tells what was lost, as DICOM's Lossy Image Compression (0028,2110) stays set."""
_BOUNDS = {"absolute": False, "relative": True}


@dataclass(frozen=True)
class Guarantee:
    """Lossless, an error bound, or a measured loss.

    Attributes:
        kind: ``lossless``, ``bounded`` or ``lossy``.
        bound: largest error promised (``bounded`` only): stored units, or a share of each original's
            magnitude where ``relative``.
        maximum_error, mean_error, root_mean_square_error: measured, stored units; mean is decoded minus original.
        maximum_relative_error: for a relative bound, as a share of the original.
        data_range: largest minus smallest finite voxel, the range that ``psnr`` refers to.
        compared: samples measured. exact: samples in a region that was kept bit for bit.
    """

    kind: str = "lossless"
    bound: float = 0.0
    relative: bool = False
    maximum_error: float = 0.0
    mean_error: float = 0.0
    root_mean_square_error: float = 0.0
    data_range: float = 0.0
    compared: int = 0
    exact: int = 0
    maximum_relative_error: float = 0.0

    @classmethod
    def measured(cls, tolerance: Tolerance, deviation: Deviation, data_range: float) -> Guarantee:
        """The guarantee of voxels that were compared with their originals."""
        return cls(
            kind="bounded" if tolerance.is_bounded else "lossy",
            bound=tolerance.bound if tolerance.is_bounded else 0.0,
            relative=tolerance.relative,
            maximum_error=deviation.maximum,
            mean_error=deviation.mean,
            root_mean_square_error=deviation.root_mean_square,
            data_range=data_range,
            compared=deviation.count,
            exact=deviation.exact,
            maximum_relative_error=deviation.share,
        )

    @property
    def is_lossless(self) -> bool:
        """Whether all voxels are identical to the original's."""
        return self.kind == "lossless"

    @property
    def largest(self) -> float:
        """Largest error found, in the terms of the bound."""
        return self.maximum_relative_error if self.relative else self.maximum_error

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in dB over ``data_range``; infinite for no error."""
        return psnr(self.root_mean_square_error, self.data_range)

    @property
    def sentence(self) -> str:
        """For people: what may be relied on."""
        if self.is_lossless:
            return "identical to the original"
        if self.kind == "bounded":
            unit = " times its magnitude" if self.relative else ""
            found = f"{self.largest:.4g}" if self.largest else "no difference"
            said = f"no voxel differs by more than {self.bound:g}{unit} (found: {found})"
        else:
            said = f"no voxel was found to differ by more than {self.maximum_error:.4g}"
        if math.isfinite(self.psnr):
            said += f", PSNR {self.psnr:.2f} dB over a range of {self.data_range:.6g}"
        return said + (f"; {self.exact:,} samples of the chosen region identical" if self.exact else "")

    def told(self, attributes: Mapping[str, str], is_rounded: bool = False) -> dict[str, str]:
        """Attributes of a decoded image: its own, and what was lost now and before.

        Args:
            is_rounded: whether the decoder rounded otherwise than the one that errors were measured with.
        """
        if self.is_lossless:
            return dict(attributes)
        said = self.sentence + ("; not vouched for, since another decoder rounded otherwise" if is_rounded else "")
        before = attributes.get(LOSS_ATTRIBUTE)
        return {**attributes, LOSS_ATTRIBUTE: said + (f"; before that, {before}" if before else "")}

    def to_json(self) -> dict[str, Any]:
        """The header's ``guarantee``, specified in FORMAT.md."""
        if self.is_lossless:
            return dict(LOSSLESS_JSON)
        described: dict[str, Any] = {"kind": self.kind, "maximum_error": self.maximum_error}
        if self.kind == "bounded":
            described["bound"] = self.bound
            described["bound_is"] = "relative" if self.relative else "absolute"
        if self.relative:
            described["maximum_relative_error"] = self.maximum_relative_error
        return {
            **described,
            "mean_error": self.mean_error,
            "root_mean_square_error": self.root_mean_square_error,
            "data_range": self.data_range,
            "compared": self.compared,
            "exact": self.exact,
        }

    @classmethod
    def from_json(cls, described: Any) -> Guarantee:
        """The opposite of ``to_json``; KeyError, TypeError or ValueError for anything else."""
        if described == LOSSLESS_JSON:
            return cls()
        kind = described["kind"]
        if kind not in ("bounded", "lossy"):
            raise ValueError("it gives a guarantee that this MedCompress does not know; update MedCompress")
        bounded = kind == "bounded"
        guarantee = cls(
            kind=kind,
            bound=_magnitude(described["bound"]) if bounded else 0.0,
            relative=_BOUNDS[described["bound_is"]] if bounded else False,
            maximum_error=_magnitude(described["maximum_error"]),
            mean_error=_number(described["mean_error"]),
            root_mean_square_error=_magnitude(described["root_mean_square_error"]),
            data_range=_magnitude(described["data_range"]),
            compared=_count(described["compared"]),
            exact=_count(described["exact"]),
            maximum_relative_error=_magnitude(described.get("maximum_relative_error", 0.0)),
        )
        if set(described) != set(guarantee.to_json()):
            raise ValueError("the guarantee says more or less than it should")
        guarantee._check()
        return guarantee

    def _check(self) -> None:
        """ValueError where its numbers contradict one another; sums of many errors are rounded."""
        root_mean_square, mean = self.root_mean_square_error, abs(self.mean_error)
        if self.kind == "bounded" and self.largest > self.bound * (1 + 1e-9):
            raise ValueError("its largest error is above the bound that it promises")
        if root_mean_square > self.maximum_error * (1 + 1e-6) or mean > root_mean_square * (1 + 1e-6):
            raise ValueError("its mean errors are above its largest one")


LOSSLESS = Guarantee()


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("the guarantee needs finite numbers")
    return float(value)


def _magnitude(value: Any) -> float:
    if _number(value) < 0:
        raise ValueError("an error in the guarantee is negative")
    return float(value)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError("the guarantee needs counts of samples")
    return int(value)
