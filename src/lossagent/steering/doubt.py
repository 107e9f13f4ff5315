"""What people's comparisons leave open."""

from __future__ import annotations

from lossagent.judgements import PREFERENCE, side_of
from lossagent.preferences import comparisons_of, strengths
from lossagent.records import State
from lossagent.trajectory import Trajectory


def doubt(trajectory: Trajectory, head: State) -> dict[str, float]:
    """How far a state's strength against its parent's may be from what it is, towards 0: people's comparisons are few.

    A strength exceeds it exactly if its interval leaves out 0; intervals are not symmetric.
    """
    panel = trajectory.panel
    found = comparisons_of(panel.tasks, panel.judgements)
    if head.parent is None or not found:
        return {}
    strength = strengths(found, side_of(head.parent), [side_of(head.id)]).get(side_of(head.id))
    if strength is None:
        return {}
    return {PREFERENCE: strength.high - strength.value if strength.value < 0 else strength.value - strength.low}
