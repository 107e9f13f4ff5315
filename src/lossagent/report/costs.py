"""What a run cost: iterations, seconds of each part, questions and tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lossagent.events import Answered
from lossagent.records import StageReport
from lossagent.report.palette import RunStyle
from lossagent.report.reading import RunData
from lossagent.report.timeline import timeline, trained


@dataclass(frozen=True)
class Cost:
    """The cost of a run; seconds are wall-clock.

    Attributes:
        iterations, rejected: trained in all, and in stages that were undone; ``None`` if a loop did not tell them.
        training, waiting: seconds in training, and the part of it spent waiting for data; ``None`` likewise.
        scoring, model: seconds.
        checkpoints, restoring: seconds of saving, and of restoring the feedback images; ``None`` if not recorded.
        questions, unusable: exchanges with a model or person, and those whose answer was unusable.
        prompt_tokens, completion_tokens: as counted by the engine.
    """

    style: RunStyle
    iterations: int | None
    rejected: int | None
    training: float | None
    waiting: float | None
    scoring: float
    model: float
    checkpoints: float | None
    restoring: float | None
    questions: int
    unusable: int
    prompt_tokens: int
    completion_tokens: int

    @property
    def total(self) -> float:
        """Seconds of all parts."""
        parts = (self.training, self.scoring, self.model, self.checkpoints, self.restoring)
        return math.fsum(part for part in parts if part is not None)

    @property
    def outside(self) -> float | None:
        """Share of the total spent outside training steps, in [0, 1]."""
        if self.training is None or self.total <= 0:
            return None
        return 1.0 - (self.training - (self.waiting or 0.0)) / self.total


def costs_of(runs: Sequence[RunData], styles: Sequence[RunStyle]) -> tuple[Cost, ...]:
    """The cost of each run."""
    return tuple(_cost(run, style) for run, style in zip(runs, styles, strict=True))


def _cost(run: RunData, style: RunStyle) -> Cost:
    axis = timeline(run)
    states = trained(run)
    reports = [s.report for s in states if s.report is not None]
    exchanges = [e for one in run.exchanges.values() for e in one]
    answered = [e for e in run.events if isinstance(e, Answered)]
    # The events are the truth; files of exchanges add the split of tokens.
    prompt = sum(e.prompt_tokens for e in exchanges)
    completion = sum(e.completion_tokens for e in exchanges)
    if not exchanges:
        completion = sum(e.tokens for e in answered)
    saving = _parts(reports, "checkpoint")
    restoring = _parts(reports, "restore")
    seconds = math.fsum(r.seconds for r in reports)
    timed = not run.own_loop or seconds > 0
    undone = sum(axis.end[s.id] - axis.begin[s.id] for s in states if axis.rejected(s.id))
    return Cost(
        style=style,
        iterations=axis.total if axis.counted else None,
        rejected=undone if axis.counted else None,
        training=seconds if timed else None,
        waiting=math.fsum(r.waited for r in reports) if not run.own_loop else None,
        scoring=math.fsum(s.score_seconds for s in states),
        model=math.fsum(e.seconds for e in (answered or exchanges)),
        checkpoints=math.fsum(saving) if saving else None,
        restoring=math.fsum(restoring) if restoring else None,
        questions=len(answered) or len(exchanges),
        unusable=sum(not e.usable for e in answered) or sum(e.problem is not None for e in exchanges),
        prompt_tokens=prompt,
        completion_tokens=completion,
    )


def _parts(reports: Sequence[StageReport], part: str) -> list[float]:
    """Seconds of a part of the stages, from the plain numbers beside a report: ``seconds/checkpoint``."""
    return [v for r in reports for key, v in r.extra.items() if part in key and "second" in key]


def clock(seconds: float | None) -> str:
    """Seconds for people: ``0.4 s``, ``38 s``, ``6 min 12 s``, ``3 h 05 min``."""
    if seconds is None:
        return "not recorded"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
