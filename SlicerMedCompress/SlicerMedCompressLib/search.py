"""Finding the setting that reaches a number, in few costly measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

ILLINOIS = 0.5
"""Weight that the end of a bracket loses when it stays twice (Dowell and Jarratt 1971)."""

LONGEST_MOVE = 5.0
"""Where a curve is flat its slope says little about where the goal is."""


@dataclass(frozen=True)
class Trial:
    """One measurement: the position tried and the value found there."""

    position: float
    value: float


def search(
    measure: Callable[[float], float],
    goal: float,
    slack: float,
    start: float,
    slope: float,
    limits: tuple[float, float],
    most: int,
) -> list[Trial]:
    """Trials of a value that falls with the position, until one is within ``slack`` of ``goal``.

    Steps along ``slope`` (value a unit of position, negative) until the goal lies between two trials,
    then the secant between them with the Illinois weights. Ends without reaching the goal after
    ``most`` trials, at an end of ``limits`` beyond which it lies, or where values no longer change.

    Returns:
        all trials in order; the nearest is ``nearest(trials, goal)``.
    """
    trials: list[Trial] = []
    above: Trial | None = None
    below: Trial | None = None
    weights = [1.0, 1.0]
    position = min(max(start, limits[0]), limits[1])
    while len(trials) < most:
        trial = Trial(position, measure(position))
        trials.append(trial)
        off = trial.value - goal
        if abs(off) <= slack:
            break
        if off > 0:
            weights = [1.0, weights[1] * ILLINOIS if above is not None else 1.0]
            above = trial
        else:
            weights = [weights[0] * ILLINOIS if below is not None else 1.0, 1.0]
            below = trial
        if above is not None and below is not None:
            if abs(above.position - below.position) < 1e-3:
                break
            position = _between(above, below, goal, weights)
            continue
        slope = _slope(trials, slope)
        # A little further than the line says, so that the goal comes to lie in between, but no leap.
        move = min(max(1.1 * (goal - trial.value) / slope, -LONGEST_MOVE), LONGEST_MOVE)
        wanted = min(max(position + move, limits[0]), limits[1])
        if wanted == position:
            break
        position = wanted
    return trials


def nearest(trials: list[Trial], goal: float) -> Trial:
    """The trial whose value is closest to the goal."""
    return min(trials, key=lambda trial: abs(trial.value - goal))


def _between(above: Trial, below: Trial, goal: float, weights: list[float]) -> float:
    high, low = weights[0] * (above.value - goal), weights[1] * (below.value - goal)
    share = high / (high - low)
    share = min(max(share, 0.05), 0.95)
    return above.position + share * (below.position - above.position)


def _slope(trials: list[Trial], known: float) -> float:
    """Slope of the last two trials if it is a fall to be trusted, else the known one."""
    if len(trials) < 2:
        return known
    first, second = trials[-2:]
    moved = second.position - first.position
    found = (second.value - first.value) / moved if abs(moved) > 1e-9 else 0.0
    return found if known * 20 < found < known / 20 else known
