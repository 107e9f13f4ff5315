"""The reward-hacking alarm of every state, by what the run folder records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lossagent.alarm import Lookout, Pair, signs
from lossagent.dashboard import intervals
from lossagent.dashboard.settings import RunSettings
from lossagent.feedback import Feedback
from lossagent.noise import Change
from lossagent.trajectory import Trajectory

Sentences = tuple[str, ...]


class Alarms:
    """What speaks for a metric being played; a state is looked at again only when its feedback is another.

    Args:
        settings: what the run folder records. Without facts of metrics and the ground truth's scores there are fewer
            alarms.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._by: tuple[int, Feedback] | None = None
        self._known: dict[int, tuple[Feedback, Sentences]] = {}

    def of(self, trajectory: Trajectory) -> Mapping[int, Sentences]:
        """state -> its alarms, one sentence each; states without any are left out."""
        start, settings = trajectory.start.feedback, self._settings
        if start is None or not settings.goal.has_utility:
            return {}
        if self._by is None or self._by[0] != settings.version or self._by[1] != start:
            self._by, self._known = (settings.version, start), {}
        scored = {s.id: s.feedback for s in trajectory.states if s.feedback is not None and s.id != 0}
        new = {i: f for i, f in scored.items() if i not in self._known or self._known[i][0] is not f}
        if new:
            depths = {state.id: state.depth for state in trajectory.states}
            found = signs(new, start, self._lookout(), depths, _changes)
            self._known |= {i: (f, tuple(sign.sentence for sign in found[i])) for i, f in new.items()}
        return {i: self._known[i][1] for i in scored if self._known[i][1]}

    def _lookout(self) -> Lookout:
        settings = self._settings
        return Lookout(
            goal=settings.goal,
            metrics=settings.facts,
            guards=frozenset(settings.facts) - {target.metric for target in settings.goal.targets},
            tolerance=settings.tolerance,
            ceiling=settings.ceiling,
            seed=settings.seed,
            fixed=settings.fixed,
        )


def _changes(pairs: Sequence[Pair], seed: int) -> list[Change]:
    return intervals.paired_changes([intervals.Pair(*pair) for pair in pairs], seed)
