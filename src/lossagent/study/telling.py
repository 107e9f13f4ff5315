"""What a person hears of a study: one line for each run that is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lossagent.study.jobs import Job
from lossagent.study.outcome import Outcome


@dataclass
class Count:
    """How far a study is.

    Attributes:
        left: runs that are not over.
        workers: processes at work.
        seconds, runs: of the runs that this process has seen end.
    """

    left: int
    workers: int = 1
    seconds: float = 0.0
    runs: int = 0

    def over(self, seconds: float = 0.0) -> None:
        """One more run is over."""
        self.left -= 1
        if seconds > 0:
            self.runs, self.seconds = self.runs + 1, self.seconds + seconds

    def __str__(self) -> str:
        if self.left <= 0:
            return "none left"
        if not self.runs:
            return f"{self.left} left"
        rest = self.seconds / self.runs * self.left / max(1, min(self.workers, self.left))
        return f"{self.left} left, about {span(rest)}"


def sentence(job: Job, outcome: Outcome, count: Count) -> str:
    """``respond niqe seed 3: niqe 5.432 (start 6.781), kept depth 7; 12 min; 45 left, about 3 h 20 min``."""
    shown = f"{scores(outcome)}, kept depth {outcome.states[outcome.selected].depth}"
    return f"{job}: {shown}; {span(outcome.cost.wall_seconds)}; {count}"


def scores(outcome: Outcome) -> str:
    """The targets of the selected state on the selection set, else on the feedback images; the start's beside them."""
    parts: list[str] = []
    for target in outcome.goal.scalar:
        means: dict[int, float | None] = {}
        for state in (outcome.selected, 0):
            feedback = outcome.selection.get(state) or outcome.states[state].feedback
            means[state] = feedback.mean(target.metric) if feedback is not None else None
        parts.append(f"{target.metric} {_number(means[outcome.selected])} (start {_number(means[0])})")
    return ", ".join(parts) or "no score"


def failed(job: Job, reason: str, count: Count) -> str:
    """One line on a run that was given up."""
    return f"{job} FAILED: {' '.join(reason.split())[:300]}; {count}"


def failures_text(failures: Mapping[Job, str]) -> str:
    """One line for each run that was given up."""
    return "\n".join(f"  {job}: {reason}" for job, reason in failures.items())


def span(seconds: float) -> str:
    """A time for people: ``38 s``, ``12 min``, ``3 h 05 min``."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
