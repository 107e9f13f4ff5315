"""The first event of a run, for tests that write its log by hand."""

from __future__ import annotations

from lossagent.events import Started, Told
from lossagent.goal import Goal, Target
from lossagent.weights import Bounds, Weights

NIQE = Goal(targets=(Target(metric="niqe", direction="lower", unit=0.1),))


def started(initial: Weights, stages: int, run: str = "r", time: float | None = None) -> Started:
    """A run whose fixed agent was told that NIQE is wanted."""
    told = Told(agent="fixed", goal=NIQE, bounds=Bounds(), metrics={})
    begun = Started(run=run, initial=initial, stages=stages, told=told)
    return begun if time is None else begun.model_copy(update={"time": time})
