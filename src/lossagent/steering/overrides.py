"""Decisions that no agent makes: people's own, and the one that nobody made in time."""

from __future__ import annotations

from collections.abc import Callable

from lossagent.letters import NextWeights, Undo
from lossagent.records import Decision, State
from lossagent.trajectory import Trajectory
from lossagent.weights import Weights

HUMAN = "human"
"""Author of decisions that people make."""


def unchanged(trajectory: Trajectory, head: State) -> Decision:
    """The weights stay: people were asked and did not answer in time."""
    kept = trajectory.weights_at(head.id)
    return Decision(
        author="deadline",
        proposed=kept,
        weights=kept,
        restart_from=head.id,
        thoughts="Nobody answered in time: the weights stay.",
        adjusted_by=("unanswered",),
    )


def by_hand(trajectory: Trajectory, head: State, agent: Callable[[State], Decision]) -> Decision:
    """What people asked for: their latest weights, their latest step back, or both.

    A step back alone leaves the weights to the agent, asked at the state that the person chose.

    Args:
        trajectory: with the requests.
        head: where the run stands.
        agent: asks the agent at a state.
    """
    requests = [r.request for r in trajectory.requests]
    weights = next((r for r in reversed(requests) if isinstance(r, NextWeights)), None)
    undo = next((r for r in reversed(requests) if isinstance(r, Undo)), None)
    thoughts, marks = "", ()
    if undo is not None:
        head = trajectory.states[undo.state]
        thoughts, marks = f"{undo.author} went back to step {head.id}.", ("undo",)
    if weights is not None:
        values = {name: weights.weights[name] for name in trajectory.initial.names}
        chosen = Weights.of(values, trajectory.weights_at(head.id))
        return Decision(
            author=HUMAN,
            proposed=chosen,
            weights=chosen,
            restart_from=head.id,
            thoughts=f"{thoughts} {weights.author} set the weights.".strip(),
            adjusted_by=marks,
        )
    decision = agent(head)
    update = {
        "author": HUMAN,
        "restart_from": head.id,
        "thoughts": f"{thoughts} Weights by {decision.author}. {decision.thoughts}".strip(),
        "adjusted_by": (*decision.adjusted_by, *marks),
    }
    return decision.model_copy(update=update)
