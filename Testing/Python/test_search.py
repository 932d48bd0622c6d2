"""The search for a setting comes near its goal in few measurements, whatever falls with the position."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from SlicerMedCompressLib.search import nearest, search

LIMITS = (-20.0, 2.0)


def linear(position: float) -> float:
    return -6.02 * position + 3


def curved(position: float) -> float:
    return math.log2(0.02 + 12 / (1 + math.exp2(0.8 * (position + 9))))


@pytest.mark.parametrize("start", [-12.0, -8.0, 0.0])
@pytest.mark.parametrize(
    ("measure", "goal", "slack"), [(linear, 45.0, 0.25), (curved, 0.5, 0.03), (curved, -3.0, 0.03)]
)
def test_a_goal_within_reach_is_reached_in_eight_measurements(measure, goal: float, slack: float, start: float) -> None:
    trials = search(measure, goal, slack, start, -1.0 if measure is curved else -6.02, LIMITS, 8)
    assert abs(trials[-1].value - goal) <= slack
    assert nearest(trials, goal) == trials[-1]


@given(
    goal=st.floats(20, 80),
    start=st.floats(-20, 2),
    slope=st.floats(-12, -2),
    bend=st.floats(-0.1, 0.1),
    guess=st.floats(-12, -2),
)
def test_any_bent_curve_is_reached(goal: float, start: float, slope: float, bend: float, guess: float) -> None:
    def measure(position: float) -> float:
        return 5 + slope * position + bend * position * position

    if not measure(LIMITS[1]) + 1 < goal < measure(LIMITS[0]) - 1:
        return
    trials = search(measure, goal, 0.25, start, guess, LIMITS, 20)
    assert abs(trials[-1].value - goal) <= 0.25


def test_a_goal_beyond_the_limits_ends_at_the_limit() -> None:
    trials = search(linear, 1000.0, 0.25, -8.0, -6.02, LIMITS, 8)
    assert trials[-1].position == LIMITS[0]
    assert len(trials) < 8
    assert nearest(trials, 1000.0).value == linear(LIMITS[0])


def test_a_stair_without_the_goal_ends_with_the_nearest_step() -> None:
    trials = search(lambda position: 10.0 * math.floor(-position), 45.0, 1.0, -4.0, -6.0, LIMITS, 30)
    assert nearest(trials, 45.0).value in (40.0, 50.0)
    assert len(trials) < 30


def test_the_first_measurement_is_at_the_start_and_enough_if_it_is_good() -> None:
    trials = search(linear, linear(-7.0), 0.25, -7.0, -6.02, LIMITS, 8)
    assert [trial.position for trial in trials] == [-7.0]
