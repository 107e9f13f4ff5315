"""Whether arms rank in simulation as they did in reality: their recorded weights are gone through again."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import spearmanr

from lossagent import evaluation
from lossagent.feedback import Feedback
from lossagent.goal import Goal
from lossagent.records import Record
from lossagent.simulator.model import Model
from lossagent.simulator.problem import Problem
from lossagent.simulator.recorded import Recorded
from lossagent.simulator.world import Latent, World
from lossagent.study.outcome import Outcome

DRAWS = 20
"""Simulated runs for each recorded one."""


class ArmLine(Record):
    """One arm.

    Attributes:
        arm: its name.
        runs: recorded ones.
        recorded: mean utility of the selected state over S_0, in points, on the selection (else feedback) images.
        predicted: the same, simulated with the recorded weights by a model that was fitted without the arm.
    """

    arm: str
    runs: int
    recorded: float
    predicted: float


class ArmOrder(Record):
    """All arms.

    Attributes:
        lines: by recorded utility, best first.
        rank: Spearman correlation of the two columns, ``None`` with fewer than three arms or without variation.
        pairs: share of pairs of arms that both columns rank alike.
    """

    lines: tuple[ArmLine, ...]
    rank: float | None
    pairs: float


def arm_order(recorded: Recorded, folds: Sequence[tuple[set[int], Model]]) -> ArmOrder | None:
    """The order of the arms.

    The simulated runs go through the recorded weights whatever scores they meet, with new luck; an agent that had met
    them would have decided otherwise. So this says how well the model ranks weights, not agents.

    Args:
        recorded: the runs.
        folds: positions of the runs of an arm, and a model that was fitted without them.

    Returns:
        ``None`` where the goal has no utility, or fewer than two arms have one.
    """
    goal = recorded.setting.goal
    lines: list[ArmLine] = []
    for held, model in folds:
        runs, problem = [recorded.outcomes[i] for i in sorted(held)], Problem.of(model)
        then = [u for one in runs if (u := _recorded(one, goal)) is not None]
        now = [u for one in runs if (u := _simulated(one, problem)) is not None]
        if then and now:
            lines.append(
                ArmLine(arm=runs[0].arm, runs=len(runs), recorded=float(np.mean(then)), predicted=float(np.mean(now)))
            )
    if len(lines) < 2:
        return None
    lines.sort(key=lambda line: -line.recorded)
    then, now = [x.recorded for x in lines], [x.predicted for x in lines]
    alike = [(a.recorded - b.recorded) * (a.predicted - b.predicted) > 0 for a, b in itertools.combinations(lines, 2)]
    varies = len(lines) > 2 and np.ptp(then) > 0 and np.ptp(now) > 0
    rank = float(spearmanr(then, now).statistic) if varies else None
    return ArmOrder(lines=tuple(lines), rank=rank, pairs=sum(alike) / len(alike))


def _recorded(one: Outcome, goal: Goal) -> float | None:
    """Utility of the state that a run kept."""
    scores: Mapping[int, Feedback] = one.selection or {s.id: s.feedback for s in one.states if s.feedback is not None}
    if 0 not in scores or one.selected not in scores:
        return None
    return goal.utility(scores[one.selected], scores[0])


def _simulated(one: Outcome, problem: Problem) -> float | None:
    """Mean utility of the states that simulated runs under the recorded weights keep.

    They are chosen as in a real run: feasible before better on the selection set, the last one where there is none.
    """
    found: list[float] = []
    goal = problem.goal
    for draw in range(DRAWS):
        world = World(problem.model, draw)
        states: dict[int, Latent] = {0: world.start}
        for state in one.states[1:]:
            if state.decision is not None and state.parent in states:
                states[state.id] = world.advance(states[state.parent], state.decision.weights, state.decision.replicate)
        scores = {i: world.selection(s) or world.feedback(s) for i, s in states.items()}
        kept = max(states)
        if problem.model.selection is not None:
            depths = {i: latent.depth for i, latent in states.items()}
            kept, _ = evaluation.best_state(goal.kept_by, scores, depths, problem.beside(draw).selection)
        if (utility := goal.utility(scores[kept], scores[0])) is not None:
            found.append(utility)
    return float(np.mean(found)) if found else None
