"""The next decision, as a function of what was recorded: a replay makes the same one again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from lossagent.agents.base import Agent, View
from lossagent.agents.rollback import Rollback
from lossagent.events import AnyEvent, Resumed, Started, Told
from lossagent.letters import NextWeights
from lossagent.records import Decision, Recall, State
from lossagent.steering.doubt import doubt
from lossagent.steering.overrides import by_hand, unchanged
from lossagent.steering.settling import settled
from lossagent.trajectory import Trajectory

INITIAL = "initial"
"""Author of the first stage's weights."""


def last_told(events: Iterable[AnyEvent]) -> Told:
    """What the agent is told after these events of a run, its beginning among them."""
    told = [e.told for e in events if isinstance(e, Started | Resumed) and e.told is not None]
    return told[-1]


def view_of(told: Told, trajectory: Trajectory, head: State) -> View:
    """What an agent sees when it is asked at a state."""
    return View(
        trajectory=trajectory,
        head=head,
        goal=told.goal,
        bounds=told.bounds,
        metrics=told.metrics,
        seed=told.seed,
        stage_iterations=told.stage_iterations,
        stages_left=trajectory.stages + 1 - len(trajectory.states),
        tolerance={**told.tolerance, **doubt(trajectory, head)},
        ceiling=told.ceiling,
        loss_facts=told.loss_facts,
        guards=frozenset(told.guards),
        fixed=told.fixed,
    )


def next_decision(told: Told, trajectory: Trajectory, agent: Agent, recall: Callable[[str], Recall]) -> Decision:
    """The initial weights first; then what people asked for, else what the agent answers; settled.

    Args:
        told: what the agent is told.
        trajectory: the run so far, every state of it scored.
        agent: who decides.
        recall: prefix of keys -> the exchanges of the state to be decided, recorded under it.

    Raises:
        Refused: see :func:`lossagent.steering.settling.settled`.
    """
    head = trajectory.head
    first = len(trajectory.states) == 1  # nowhere to go back to yet: weights alone can be asked for
    requests = [r.request for r in trajectory.requests]

    def at(chosen: State) -> Decision:
        # At a state that a person chose no guard may start elsewhere, and no answer be another's.
        inner = agent.agent if isinstance(agent, Rollback) else agent
        pinned = replace(view_of(told, trajectory, chosen), pinned=True)
        return inner.decide(pinned, recall(f"from-{chosen.id}/"))

    if any(isinstance(r, NextWeights) for r in requests) or (requests and not first):
        decision = by_hand(trajectory, head, at)
    elif first:
        initial = trajectory.initial
        return Decision(author=INITIAL, proposed=initial, weights=initial, restart_from=0)
    elif head.feedback is not None and head.feedback.unanswered:
        decision = unchanged(trajectory, head)
    else:
        decision = agent.decide(view_of(told, trajectory, head), recall(""))
    return settled(decision, trajectory, told.bounds, told.can_restart)
