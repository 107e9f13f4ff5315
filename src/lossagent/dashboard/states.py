"""States as the pages get them: plain data, with what is dear to compute kept between looks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lossagent.dashboard.intervals import Pair, paired_changes
from lossagent.feedback import Feedback, Remark
from lossagent.judgements import Panel, side_of
from lossagent.noise import Change
from lossagent.records import State
from lossagent.trajectory import Trajectory
from lossagent.weights import Weights

THOUGHTS = 300
"""Characters of thoughts in a list of states."""
Plain = dict[str, Any]
Scores = Mapping[str, float | None]


def finite(value: float | None) -> float | None:
    """The number, ``None`` where JSON has none for it."""
    return value if value is not None and math.isfinite(value) else None


def finites(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """The same for each of them."""
    return {name: finite(value) for name, value in values.items()}


def remark(one: Remark) -> Plain:
    """A remark; pages show it as text."""
    return {"author": one.author, "image": one.image, "text": one.text}


@dataclass
class _Kept:
    """What was computed for a state, and from what."""

    state: State
    shown: Plain


@dataclass
class States:
    """Every state of a run as plain data.

    Attributes:
        shown: id -> state.
        changed: id -> number of the look at which it last changed.
    """

    shown: dict[int, Plain] = field(default_factory=dict[int, Plain])
    changed: dict[int, int] = field(default_factory=dict[int, int])
    _kept: dict[int, _Kept] = field(default_factory=dict[int, _Kept])
    _changes: dict[tuple[int, str], tuple[Scores, Scores, Change]] = field(
        default_factory=dict[tuple[int, str], tuple[Scores, Scores, Change]]
    )

    def update(
        self,
        trajectory: Trajectory,
        look: int,
        *,
        seed: int,
        tolerance: Mapping[str, float],
        alarms: Mapping[int, Sequence[str]],
        times: Mapping[int, float],
    ) -> None:
        """Takes a newer trajectory; states that are as they were keep their ``changed``.

        Args:
            trajectory: folded from all events.
            look: a number that grows from look to look.
            seed, tolerance: see :func:`lossagent.noise.paired_change`.
            alarms: state -> sentences.
            times: state -> when its last event was written, seconds since the epoch.
        """
        self._compare(trajectory, seed, tolerance)
        judged = judged_states(trajectory.panel)
        for state in trajectory.states:
            kept = self._kept.get(state.id)
            if kept is None or not _same(kept.state, state):
                kept = self._kept[state.id] = _Kept(state, _shown(state, trajectory.weights_at(state.id)))
            shown = kept.shown | self._against_parent(state)
            shown["judged"] = judged.get(state.id, 0)
            shown["alarm"] = list(alarms.get(state.id, ()))
            shown["time"] = times.get(state.id)
            if self.shown.get(state.id) != shown:
                self.shown[state.id], self.changed[state.id] = shown, look

    def since(self, look: int) -> list[Plain]:
        """States that changed after a look."""
        return [shown for i, shown in self.shown.items() if self.changed[i] > look]

    def _compare(self, trajectory: Trajectory, seed: int, tolerance: Mapping[str, float]) -> None:
        """Computes the changes against parents that are not known yet."""
        wanted: list[tuple[int, Pair]] = []
        for state in trajectory.states:
            parent = trajectory.states[state.parent].feedback if state.parent is not None else None
            if state.feedback is None or parent is None:
                continue
            for metric, scores in state.feedback.scores.items():
                before, known = parent.scores.get(metric, {}), self._changes.get((state.id, metric))
                # Scores of an event are never written anew: the same object is the same scores.
                if known is None or known[0] is not scores or known[1] is not before:
                    wanted.append((state.id, Pair(state.feedback, parent, metric, tolerance.get(metric))))
        for (state, pair), change in zip(wanted, paired_changes([p for _, p in wanted], seed), strict=True):
            before = pair.parent.scores.get(pair.metric, {})
            self._changes[state, pair.metric] = (pair.child.scores[pair.metric], before, change)

    def _against_parent(self, state: State) -> Plain:
        metrics = (state.feedback or Feedback()).scores if state.parent is not None else ()
        known = {m: self._changes[state.id, m][2] for m in metrics if (state.id, m) in self._changes}
        return {
            "noise": {m: None if c.low is None or c.high is None else [c.low, c.high] for m, c in known.items()},
            "change": {m: finite(c.mean) for m, c in known.items()},
            "beyond": {m: c.exceeds for m, c in known.items()},
        }


def _same(old: State, new: State) -> bool:
    """Whether two states of successive folds were made of the same events."""
    return (
        old.decision is new.decision
        and old.report is new.report
        and (old.feedback is new.feedback or old.feedback == new.feedback)
        and old.restorable == new.restorable
    )


def _shown(state: State, weights: Weights) -> Plain:
    decision, report, feedback = state.decision, state.report, state.feedback
    evidence = report.evidence if report is not None else None
    return {
        "id": state.id,
        "name": state.name,
        "parent": state.parent,
        "depth": state.depth,
        "weights": decision.weights.values() if decision is not None else None,
        "off": sorted(decision.weights.off) if decision is not None else [],
        "scores": finites(feedback.means()) if feedback is not None else {},
        "raw": finites((evidence.raw or report.losses) if evidence is not None and report is not None else {}),
        "means": finites(report.losses) if report is not None else {},
        "shares": finites(evidence.shares(weights)) if evidence is not None else {},
        "author": decision.author if decision is not None else None,
        "adjusted_by": list(decision.adjusted_by) if decision is not None else [],
        "restorable": state.restorable and feedback is not None,
        "trained": report is not None,
        "scored": feedback is not None,
        "problems": dict(feedback.problems) if feedback is not None else {},
        "unanswered": feedback.unanswered if feedback is not None else False,
        "thoughts": decision.thoughts[:THOUGHTS] if decision is not None else "",
        "remarks": len(feedback.remarks) if feedback is not None else 0,
        "iterations": report.iterations if report is not None else None,
        "seconds": finite(report.seconds) if report is not None else None,
    }


def judged_states(panel: Panel) -> Mapping[int, int]:
    """state -> how many answers were about its feedback images."""
    sides: Counter[str] = Counter()
    for judgement in panel.judgements:
        if (task := panel.tasks.get(judgement.task)) is not None:
            sides.update({side for side in (task.left, task.right) if side is not None})
    found: dict[int, int] = {}
    for side, count in sides.items():
        number = side.removeprefix("state-")
        if number.isdecimal() and len(number) < 10 and side == side_of(int(number)):
            found[int(number)] = count
    return found


def conditions_of(states: Iterable[State]) -> dict[str, str]:
    """image -> condition, as the newest feedback has it."""
    newest: dict[str, str] = {}
    for state in states:
        if state.feedback is not None and state.feedback.conditions:
            newest = dict(state.feedback.conditions)
    return newest
