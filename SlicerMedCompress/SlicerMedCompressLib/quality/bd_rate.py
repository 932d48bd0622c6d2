"""The Bjøntegaard delta rate: by how much one codec needs fewer bits than another at the same quality.

G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33, 2001, with the
piecewise cubic interpolation (PCHIP) of the JCT-VC common test conditions, so that figures compare
with published ones. C. Herglotz et al., "Beyond Bjøntegaard: Limits of Video Compression Performance
Comparisons", ICIP 2022, compare interpolations and favour Akima's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..libraries import library

MINIMUM_OVERLAP = 3.0
"""PSNR in dB that two curves must share: half a bit a voxel at high rates. Less says little."""

Point = tuple[float, float]


def bd_rate(reference: Sequence[Point], other: Sequence[Point]) -> float | None:
    """Average difference in rate over the qualities that both curves reach.

    The logarithm of the rate is interpolated over the PSNR by monotone piecewise cubic Hermite
    polynomials (PCHIP), and the mean difference taken over the common interval, without extrapolation.

    Points may come in any order. Those with a rate that is not positive and finite, or a PSNR that
    is not finite (lossless), are dropped, as are those that another point of the same curve
    beats: one that has at least the PSNR at no higher rate.

    Args:
        reference, other: points of (rate in bits a voxel, PSNR in dB); any unit of rate will do.

    Returns:
        Percent from -100 up; negative where ``other`` needs fewer bits. None if a curve has fewer than
        two points left, or the two share less than MINIMUM_OVERLAP dB.

    Raises:
        MissingLibraryError: scipy is missing.
    """
    interpolate = library("scipy.interpolate", "scipy", "The Bjøntegaard delta rate")
    curves = [_useful(points) for points in (reference, other)]
    if any(len(points) < 2 for points in curves):
        return None
    low = max(points[0][1] for points in curves)
    high = min(points[-1][1] for points in curves)
    if high - low < MINIMUM_OVERLAP:
        return None
    areas = [
        float(
            interpolate.PchipInterpolator(
                [quality for _, quality in points], [math.log10(rate) for rate, _ in points]
            ).integrate(low, high)
        )
        for points in curves
    ]
    return 100 * (10 ** ((areas[1] - areas[0]) / (high - low)) - 1)


def _useful(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats, with strictly rising rate and PSNR."""
    valid = [point for point in points if all(map(math.isfinite, point)) and point[0] > 0]
    kept: list[Point] = []
    for rate, quality in sorted(valid, key=lambda point: (point[0], -point[1])):
        if not kept or quality > kept[-1][1]:
            kept.append((rate, quality))
    return kept
