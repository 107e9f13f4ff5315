"""What a run is refused for before anything is recorded."""

from __future__ import annotations

from collections.abc import Container, Mapping

from lossagent.agents.base import Agent
from lossagent.errors import Refused
from lossagent.feedback import MetricFacts
from lossagent.goal import Goal
from lossagent.runs import Log
from lossagent.trajectory import Trajectory
from lossagent.weights import Weights


def refuse_unfit(agent: Agent, goal: Goal, stages: int, can_restart: bool, fixed: Container[int]) -> None:
    """Refuses an agent or a goal that wants what the loop has not.

    Args:
        agent: who decides.
        goal: what is wanted.
        stages: how many are trained at most.
        can_restart: whether the trainer can start a stage from an earlier state.
        fixed: depths at which the run under fixed weights is known.

    Raises:
        Refused: so it is.
    """
    if agent.needs_restart and not can_restart:
        raise Refused(
            f"agent {agent.name!r} restarts from earlier states, and this trainer says can_restart=False. "
            "Keep a checkpoint of each state and say can_restart=True, or forbid it in the agent's settings (respond: "
            "restart: never; search: restart_from: head; climb: restart: false; others: rollback: false)."
        )
    if agent.needs_utility:
        goal.require_utility(f"agent {agent.name!r}")
    missing = [depth for depth in range(stages + 1) if depth not in fixed]
    if any(c.relative_to == "fixed" for c in goal.constraints) and missing:
        raise Refused(
            f"a constraint is relative to the fixed run, which must be known at every depth from 0 to {stages}; it "
            f"is not at {', '.join(map(str, missing))}. Run the fixed weights first and name the run (fixed_run), or "
            "use relative_to start or absolute."
        )
    if stages < 1:
        raise Refused(f"stages must be at least 1; found {stages}.")


def refuse_unscored(goal: Goal, metrics: Mapping[str, MetricFacts], scored: bool) -> None:
    """Refuses targets that nobody scores, or that want the other direction than their metric.

    Args:
        goal: what is wanted.
        metrics: facts of the metrics.
        scored: whether an objective gives exactly these.

    Raises:
        Refused: so it is.
    """
    for target in goal.targets:
        facts = metrics.get(target.metric)
        if scored and facts is None:
            raise Refused(f"target {target.metric!r} is not scored; scored: {sorted(metrics)}.")
        if facts is not None and facts.direction != target.direction:
            raise Refused(
                f"target {target.metric!r} says {target.direction} is better; its facts say {facts.direction}."
            )


def refuse_other(log: Log, initial: Weights, stages: int) -> None:
    """Refuses a log that another run began.

    Raises:
        Refused: other initial weights, or another number of stages.
    """
    known = Trajectory.fold(log.events)
    if known.initial != initial or known.stages != stages:
        raise Refused(
            f"the log belongs to a run that began with {known.initial} and {known.stages} stages; "
            f"asked for {initial} and {stages}. Take a new folder."
        )
