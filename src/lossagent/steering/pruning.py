"""Which checkpoints a run keeps."""

from __future__ import annotations

from lossagent.letters import Undo
from lossagent.records import State
from lossagent.trajectory import Trajectory


def superfluous(trajectory: Trajectory, best: State, keep: int) -> tuple[State, ...]:
    """The restorable states but for S_0, the best, the last, the newest and those that somebody wants back.

    Args:
        trajectory: every state so far.
        best: the best restorable one.
        keep: number of the newest ones.
    """
    restorable = [s for s in trajectory.scored if s.restorable]
    wanted = {r.request.state for r in trajectory.requests if isinstance(r.request, Undo)}
    newest = {s.id for s in restorable[len(restorable) - keep :]}
    kept = {0, best.id, restorable[-1].id} | wanted | newest
    return tuple(s for s in restorable if s.id not in kept)
