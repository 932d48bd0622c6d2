"""The delta rate of two rate-distortion curves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SlicerMedCompressLib.quality.bd_rate import MINIMUM_OVERLAP, Point, bd_rate

interpolate = pytest.importorskip("scipy.interpolate", reason="scipy is not installed")

CURVE: list[Point] = [(0.25, 38.0), (0.5, 42.5), (1.0, 47.8), (2.0, 54.1), (4.0, 66.0)]


def scaled(points: list[Point], factor: float) -> list[Point]:
    return [(rate * factor, quality) for rate, quality in points]


def measured(reference: list[Point], other: list[Point]) -> float:
    found = bd_rate(reference, other)
    assert found is not None
    return found


def by_trapezoids(reference: list[Point], other: list[Point]) -> float:
    """The same from the definition: the mean ratio of rates on a dense grid, geometric."""
    low = max(min(quality for _, quality in points) for points in (reference, other))
    high = min(max(quality for _, quality in points) for points in (reference, other))
    grid = np.linspace(low, high, 200_001)
    logarithms = [
        interpolate.pchip_interpolate([q for _, q in points], np.log([r for r, _ in points]), grid)
        for points in (reference, other)
    ]
    difference = logarithms[1] - logarithms[0]
    mean = (difference.sum() - 0.5 * (difference[0] + difference[-1])) / (len(grid) - 1)
    return 100 * math.expm1(mean)


@st.composite
def curves(draw: st.DrawFn) -> list[Point]:
    steps = st.floats(0.02, 3)
    count = draw(st.integers(2, 8))
    rates = np.cumsum([draw(steps) for _ in range(count)])
    qualities = 35 + np.cumsum([draw(st.floats(0.5, 8)) for _ in range(count)])
    return list(zip(rates.tolist(), qualities.tolist(), strict=True))


def test_equal_curves_differ_by_nothing() -> None:
    assert bd_rate(CURVE, CURVE) == 0


@pytest.mark.parametrize(("factor", "percent"), [(0.5, -50), (2.0, 100), (1.1, 10)])
def test_a_factor_on_every_rate_is_the_answer(factor: float, percent: float) -> None:
    assert measured(CURVE, scaled(CURVE, factor)) == pytest.approx(percent, abs=1e-9)


def test_the_unit_of_rate_does_not_matter() -> None:
    other = [(0.3, 39.0), (0.9, 47.0), (3.0, 60.0)]
    assert measured(scaled(CURVE, 8), scaled(other, 8)) == pytest.approx(measured(CURVE, other))


@given(first=curves(), second=curves())
def test_swapped_curves_undo_one_another(first: list[Point], second: list[Point]) -> None:
    there, back = bd_rate(first, second), bd_rate(second, first)
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1, rel=1e-9)


@given(first=curves(), second=curves())
def test_it_is_the_mean_logarithm_of_the_ratio_of_rates(first: list[Point], second: list[Point]) -> None:
    found = bd_rate(first, second)
    if found is not None:
        assert found == pytest.approx(by_trapezoids(first, second), rel=1e-5, abs=1e-5)


def test_between_two_points_the_logarithm_is_a_line() -> None:
    reference, other = [(1.0, 40.0), (4.0, 50.0)], [(1.0, 40.0), (2.0, 50.0)]
    assert measured(reference, other) == pytest.approx(100 * (2**-0.5 - 1))


@pytest.mark.parametrize(
    "other",
    [
        [],
        [(1.0, 45.0)],
        [(1.0, 70.0), (2.0, 80.0)],
        [(1.0, 30.0), (2.0, 38.0 + MINIMUM_OVERLAP - 0.01)],
        [(1.0, 45.0), (0.0, 50.0), (-1.0, 55.0), (math.nan, 60.0), (2.0, math.inf), (math.inf, 61.0)],
        [(1.0, 60.0), (2.0, 50.0), (3.0, 40.0)],
    ],
    ids=["no points", "one point", "apart", "hardly overlapping", "one valid point", "one point that none beats"],
)
def test_curves_that_cannot_be_compared_have_no_answer(other: list[Point]) -> None:
    assert bd_rate(CURVE, other) is None
    assert bd_rate(other, CURVE) is None


def test_just_enough_overlap_is_enough() -> None:
    assert bd_rate(CURVE, [(0.1, 30.0), (0.3, 38.0 + MINIMUM_OVERLAP)]) is not None


@given(order=st.permutations(CURVE + CURVE[:2]))
def test_order_and_repeated_points_do_not_matter(order: list[Point]) -> None:
    assert bd_rate(CURVE, order) == 0


@pytest.mark.parametrize(
    "extra",
    [(5.0, 60.0), (1.0, 40.0), (4.0, 54.1), (9.0, math.inf), (math.nan, 40.0), (0.0, 39.0), (math.inf, 99.0)],
    ids=["costs more for less", "same rate", "same quality", "lossless", "no rate", "free", "endless"],
)
def test_a_point_that_another_beats_or_that_is_none_is_dropped(extra: Point) -> None:
    assert bd_rate(CURVE, [extra, *CURVE]) == 0
