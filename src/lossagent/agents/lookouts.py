"""What an agent sees, as the reward-hacking alarm judges it."""

from __future__ import annotations

from lossagent.agents.base import View
from lossagent.alarm import Lookout


def lookout_of(view: View) -> Lookout:
    """The lookout of a run: the same goal, guards, tolerances, ceiling and seed as the agent's."""
    return Lookout(
        goal=view.goal,
        metrics=view.metrics,
        guards=view.guards,
        tolerance=view.tolerance,
        ceiling=view.ceiling,
        seed=view.seed,
        fixed=view.fixed,
    )
