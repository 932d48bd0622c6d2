"""Writing a file that reaches a target: the setting from a sample, confirmed on the whole."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import BinaryIO

from .codecs import Codec
from .container import Header, Plan, write_archive
from .errors import UnreachableTargetError
from .fitting_plans import fitted
from .image import Image
from .lossy_choice import DECIBELS_A_BIT, View
from .lossy_plans import Source, plan_with_step
from .progress import Progress
from .sampling import LARGE_SAMPLE, LARGE_SAMPLES, Outcome, Sample
from .search import Trial, nearest, search
from .targets import Psnr, SearchedTarget
from .tolerance import Tolerance

SAMPLE_TRIALS = 8
WHOLE_TRIALS = 8
LIMITS = (-20.0, 1.5)
"""Steps that a search may try, as powers of two of the image's range."""
HEADER_BYTES = 1500
"""About what a header takes beside its table; the whole search does not need it exact."""


@dataclass(frozen=True)
class Found:
    """What was written and how it was found.

    Attributes:
        reached: the target's own number for the whole file. whole_encodes: how often the whole image was coded.
    """

    header: Header
    reached: float
    whole_encodes: int


@dataclass(frozen=True)
class Start:
    """Where the search on the whole begins: a codec, the position and slope found on the sample, and its cost."""

    codec: Codec
    position: float
    slope: float
    cost: float


def write_to_target(stream: BinaryIO, searches: Sequence[TargetSearch], progress: Progress) -> Found:
    """Write the archive whose setting reaches the target, with the view and the codec that do best.

    The codec is the best of a view on a sample; of several views the whole is written in each, and the better one kept.

    Raises UnreachableTargetError, telling the nearest that the best codec reaches, if no view reaches it.
    """
    if len(searches) == 1:
        return _write_best(stream, searches[0], progress)
    written: list[tuple[Found, bytes]] = []
    unreached: list[UnreachableTargetError] = []
    for number, one in enumerate(searches):
        trial = io.BytesIO()
        try:
            found = _write_best(trial, one, progress.part(number / len(searches), (number + 1) / len(searches)))
            written.append((found, trial.getvalue()))
        except UnreachableTargetError as error:
            unreached.append(error)
    if not written:
        raise unreached[0]
    is_psnr = isinstance(searches[0].target, Psnr)
    best, data = min(written, key=lambda one: len(one[1]) if is_psnr else -one[0].header.guarantee.psnr)
    stream.write(data)
    return replace(best, whole_encodes=sum(found.whole_encodes for found, _ in written))


def _write_best(stream: BinaryIO, one: TargetSearch, progress: Progress) -> Found:
    """Write with the codec that does best on a sample; where it turns out not to reach the target, with the next."""
    unreached: list[UnreachableTargetError] = []
    for start in sorted(one.starts(progress.part(0, 0.3)), key=lambda start: start.cost):
        try:
            return one.write(stream, start, progress.part(0.3, 1.0).part(*_span(len(unreached))))
        except UnreachableTargetError as error:
            unreached.append(error)
    raise unreached[0]


@dataclass(frozen=True, eq=False)
class TargetSearch:
    """One image as it is seen, the target to reach, what must be kept on the way, and where learned codecs work.

    Attributes:
        original: the image that ``view`` is one of.
    """

    view: View
    original: Image
    target: SearchedTarget
    tolerance: Tolerance
    pool: Executor
    threads: int
    device: str = "auto"

    def starts(self, progress: Progress) -> list[Start]:
        """What each codec of the view gives on a sample."""
        sample, codecs = Sample.of(self.image, LARGE_SAMPLE, LARGE_SAMPLES), self.view.codecs
        return [
            self._on_sample(sample, codec, progress.part(number / len(codecs), (number + 1) / len(codecs)))
            for number, codec in enumerate(codecs)
        ]

    @property
    def image(self) -> Image:
        """As it is seen."""
        return self.view.image

    @property
    def source(self) -> Source:
        """What is known of it."""
        return self.view.source

    def _on_sample(self, sample: Sample, codec: Codec, progress: Progress) -> Start:
        outcomes: dict[float, Outcome] = {}

        def measure(position: float) -> float:
            part = progress.part(*_span(len(outcomes)))
            outcomes[position] = sample.measure([self._plan(codec, position)], self.pool, part)[0]
            return self._value(outcomes[position], sample)

        first = math.log2(12) / 2 - self.target.value / DECIBELS_A_BIT if isinstance(self.target, Psnr) else -8.0
        trials = search(measure, self._goal, 0.1, first, self.target.fall, LIMITS, SAMPLE_TRIALS)
        trial = nearest(trials, self._goal)
        return Start(
            codec,
            trial.position,
            _slope_at(trials, trial, self.target.fall),
            self._cost(outcomes[trial.position], sample),
        )

    def _value(self, outcome: Outcome, sample: Sample) -> float:
        size = outcome.size / sample.share + HEADER_BYTES
        if math.isinf(size):
            return self._goal - 50.0
        psnr = outcome.deviation.psnr(self.source.range)
        return self.target.on_scale(self.target.reached(self.image, int(size), psnr))

    def _cost(self, outcome: Outcome, sample: Sample) -> float:
        """Bits a voxel for the target's quality, or what quality is missing at the target's size; less is better."""
        if math.isinf(outcome.size):
            return math.inf
        psnr = min(outcome.deviation.psnr(self.source.range), 200.0)
        bits = 8 * outcome.size / (self.image.voxel_count * sample.share)
        # What a trial lies beside the target is set off as a coder would buy it.
        if isinstance(self.target, Psnr):
            return bits + (self.target.value - psnr) / DECIBELS_A_BIT
        missed = self._value(outcome, sample) - self._goal
        return float(bits * (1 - 2.0**-missed) - psnr / DECIBELS_A_BIT)

    def write(self, stream: BinaryIO, start: Start, progress: Progress) -> Found:
        """Write the archive that reaches the target; UnreachableTargetError tells the nearest if none does."""
        written: dict[float, Found] = {}

        def measure(position: float) -> float:
            stream.seek(0)
            stream.truncate()
            part = progress.part(*_span(len(written)))
            plan = self._plan(start.codec, position)
            header = write_archive(stream, self.original, plan, self.pool, self.threads, part)
            reached = self.target.reached(self.image, stream.tell(), header.guarantee.psnr)
            written[position] = Found(header, reached, len(written) + 1)
            return self.target.on_scale(reached)

        trials = search(measure, self._goal, self.target.slack, start.position, start.slope, LIMITS, WHOLE_TRIALS)
        last = written[trials[-1].position]
        if self.target.accepts(last.reached):
            return last
        best = written[nearest(trials, self._goal).position].reached
        told = f"the nearest it gives is {best:.4g}: ask for that" if math.isfinite(best) else "only no loss at all can"
        raise UnreachableTargetError(
            f"{self.target} cannot be reached with {start.codec.title}; {told}, or choose another codec."
        )

    def _plan(self, codec: Codec, position: float) -> Plan:
        plan = plan_with_step(self.source, codec, self.source.range * 2.0**position, self.tolerance)
        return fitted(self.image, plan, self.device)

    @property
    def _goal(self) -> float:
        return self.target.on_scale(self.target.value)


def _span(trial: int) -> tuple[float, float]:
    """The part of the progress that a trial takes: nobody knows how many will follow, so half of what is left."""
    return 1 - 0.5**trial, 1 - 0.5 ** (trial + 1)


def _slope_at(trials: list[Trial], trial: Trial, expected: float) -> float:
    """Fall of the value around a trial, from the one beside it."""
    others = sorted(trials, key=lambda other: abs(other.position - trial.position))[1:2]
    if others and abs(others[0].position - trial.position) > 1e-6:
        found = (others[0].value - trial.value) / (others[0].position - trial.position)
        if found < 0:
            return found
    return expected
