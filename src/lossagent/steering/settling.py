"""What becomes of a decision before a stage is trained under it."""

from __future__ import annotations

from lossagent.errors import Refused
from lossagent.records import Decision
from lossagent.steering.overrides import HUMAN
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds


def settled(decision: Decision, trajectory: Trajectory, bounds: Bounds, can_restart: bool) -> Decision:
    """The decision, validated, within the bounds, and of a stage that was not trained before.

    Where that very stage was trained, an agent goes on from the state that it led to (mark ``"repeated"``), and a
    person's stage starts where they said, on the next window of data (mark ``"again"``).

    Args:
        decision: as an agent or a person made it.
        trajectory: the run so far.
        bounds: what its weights are projected into.
        can_restart: whether a stage may start from another state than the head.

    Raises:
        Refused: it starts from a state that cannot be restored, or is of other losses.
    """
    start = decision.restart_from
    if not 0 <= start < len(trajectory.states) or not trajectory.states[start].restorable:
        raise Refused(f"agent {decision.author!r} restarts from state {start}, which cannot be restored.")
    if not can_restart and start != trajectory.head.id:
        raise Refused(f"agent {decision.author!r} restarts from state {start} and the trainer cannot.")
    if decision.weights.names != trajectory.initial.names:
        raise Refused(
            f"agent {decision.author!r} answered for {decision.weights.names}; the losses are "
            f"{trajectory.initial.names}."
        )
    allowed = bounds.project(decision.weights, trajectory.weights_at(start))
    adjusted = (*decision.adjusted_by, "bounds") if allowed != decision.weights else decision.adjusted_by
    judged = len(trajectory.panel.judgements)
    decision = decision.model_copy(update={"weights": allowed, "adjusted_by": adjusted, "judged": judged})
    for child in trajectory.children(start):
        same = child.decision is not None and child.decision.replicate == decision.replicate
        if same and child.weights == allowed and child.restorable and can_restart:
            # Trained already: repeating it would give the same state again, for the same cost.
            other: dict[str, object] = {"restart_from": child.id, "adjusted_by": (*adjusted, "repeated")}
            if decision.author == HUMAN:
                other = {"replicate": decision.replicate + 1, "adjusted_by": (*adjusted, "again")}
            return settled(decision.model_copy(update=other), trajectory, bounds, can_restart)
    return decision
