"""Where each stage lies on the axis of iterations spent, and which states led to the one that was kept."""

from __future__ import annotations

from dataclasses import dataclass

from lossagent.records import State
from lossagent.report.reading import RunData


@dataclass(frozen=True)
class Timeline:
    """Stages in the order they were trained: rejected ones take their place, since they cost as much.

    A loop that tells no iterations has stages of length 1.

    Attributes:
        begin, end: state -> iterations spent before and after its stage (warm-up counts as S_0's).
        kept: ids on the path to the selected state.
        open: ids on the path to the last state but after the selected one: neither kept nor undone.
        counted: whether these are iterations rather than stages.
    """

    begin: dict[int, int]
    end: dict[int, int]
    kept: frozenset[int]
    open: frozenset[int]
    counted: bool = True

    def rejected(self, state: int) -> bool:
        """Whether the state was left by a rollback: it is on no path to the selected or the last state."""
        return state not in self.kept and state not in self.open

    @property
    def total(self) -> int:
        """Iterations spent in all."""
        return max(self.end.values())


def timeline(run: RunData) -> Timeline:
    """The time axis of a run."""
    begin: dict[int, int] = {}
    end: dict[int, int] = {}
    spent = 0
    counted = not run.own_loop or any(s.report is not None and s.report.iterations for s in trained(run))
    for state in trained(run):
        begin[state.id] = spent
        if counted:
            spent += state.report.iterations if state.report is not None else 0
        else:
            spent += state.id > 0
        end[state.id] = spent
    tree = run.trajectory
    kept = frozenset(s.id for s in tree.path(run.selected.id))
    later = frozenset(s.id for s in tree.path(run.last.id)) - kept
    return Timeline(begin, end, kept, later, counted)


def trained(run: RunData) -> tuple[State, ...]:
    """S_0 and the states whose stage was trained."""
    return tuple(s for s in run.trajectory.states if s.id == 0 or s.report is not None)
