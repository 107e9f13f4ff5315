"""The reward-hacking alarm of every state, by what the run folder records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lossagent.alarm import Lookout, Pair, alarms
from lossagent.dashboard import intervals
from lossagent.dashboard.settings import RunSettings
from lossagent.noise import Change
from lossagent.trajectory import Trajectory


def alarms_of(trajectory: Trajectory, settings: RunSettings) -> Mapping[int, tuple[str, ...]]:
    """state -> what speaks for a metric being played, one sentence each.

    Facts of metrics and the ground truth's scores are those that the run recorded; without them there are fewer alarms.
    """
    if not settings.goal.has_utility:
        return {}
    lookout = Lookout(
        goal=settings.goal,
        metrics=settings.facts,
        guards=frozenset(settings.facts) - {target.metric for target in settings.goal.targets},
        tolerance=settings.tolerance,
        ceiling=settings.ceiling,
        seed=settings.seed,
        fixed=settings.fixed,
    )
    return alarms(trajectory, lookout, _changes)


def _changes(pairs: Sequence[Pair], seed: int) -> list[Change]:
    return intervals.paired_changes([intervals.Pair(*pair) for pair in pairs], seed)
