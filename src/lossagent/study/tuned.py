"""The stronger baseline: for each seed the best of several full runs under fixed weights, at several times the budget.

Which of them is best is decided as a run decides which checkpoint to keep: feasible before better, on the selection
set. Its test scores are then those of a choice that never looked at them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from lossagent.goal import Goal
from lossagent.study.complete import state_of
from lossagent.study.outcome import Cost, Outcome
from lossagent.study.results import BySeed, Results, at_depth
from lossagent.study.settings import FIXED, FULL

T = TypeVar("T")


def with_tuned(results: Results) -> Results:
    """The results with the derived arm behind those it stands beside; the same where the study has no full runs."""
    name = results.best_of_full
    if name is None:
        return results
    beside = results.sweeps[-1] if results.sweeps else FIXED
    outcomes = {o: _placed(arms, name, tuned(arms, name), beside) for o, arms in results.outcomes.items()}
    planned = {o: _placed(arms, name, _common(arms), beside) for o, arms in results.planned.items()}
    return replace(results, outcomes=outcomes, planned=planned)


def full_runs(arms: Iterable[str]) -> tuple[str, ...]:
    """The full runs under fixed weights, the fixed arm first."""
    return tuple(sorted((a for a in arms if a == FIXED or a.startswith(FULL)), key=lambda a: a != FIXED))


def tuned(arms: Mapping[str, BySeed], name: str) -> dict[int, Outcome]:
    """seed -> the best of the full runs, under the arm's name and with the cost of all of them.

    Seeds that one of the runs lacks, and seeds without selection scores, are left out.

    Args:
        arms: arm -> seed -> outcome; of equal runs the first wins, the fixed arm before all.
        name: of the derived arm.
    """
    full = [arms[arm] for arm in full_runs(arms)]
    found: dict[int, Outcome] = {}
    for seed in full[0] if full else ():
        runs = [by_seed[seed] for by_seed in full if seed in by_seed]
        if len(runs) < len(full):
            continue
        fixed = arms.get(FIXED, {}).get(seed)
        # The fixed arm has no limits relative to itself; here it is held to those of the others.
        goal = max((one.goal for one in runs), key=lambda goal: len(goal.constraints))
        ranks = [rank for one in runs if (rank := selection_rank(one, goal, fixed)) is not None]
        if len(ranks) < len(full):
            continue
        best = max(range(len(runs)), key=lambda i: (ranks[i], -i))
        found[seed] = runs[best].model_copy(
            update={
                "arm": name,
                "rule": f"the best of {len(runs)} full runs on the selection set: {runs[best].arm}",
                "cost": _sum([one.cost for one in runs]),
            }
        )
    return found


def selection_rank(one: Outcome, goal: Goal, fixed: Outcome | None) -> tuple[float, float] | None:
    """The rank of the state that a run kept, larger is better; ``None`` where it has no selection scores.

    A score that lacks an image of S_0's counts as missing, which ranks last.

    Args:
        one: the run.
        goal: by which it is judged.
        fixed: the fixed run of its seed, for constraints relative to it.
    """
    kept, start = state_of(one, one.selected), one.selection.get(0)
    goal = goal.kept_by
    if kept is None or start is None or not goal.has_utility:
        return None
    beside = at_depth(fixed, one.states[one.selected].depth) if fixed is not None else None
    if beside is None and any(c.relative_to == "fixed" for c in goal.constraints):
        return -math.inf, -math.inf
    return goal.rank(kept, start, beside)


def _common(seeds: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Seeds that all full runs are planned for."""
    full = [seeds[arm] for arm in full_runs(seeds)]
    return tuple(s for s in full[0] if all(s in one for one in full)) if full else ()


def _placed(arms: Mapping[str, T], name: str, value: T, beside: str) -> dict[str, T]:
    """The arms with one more, behind the one that it stands beside."""
    order: dict[str, T] = {}
    for arm, own in arms.items():
        order[arm] = own
        if arm == beside:
            order[name] = value
    return order if name in order else {**order, name: value}


def _sum(costs: Sequence[Cost]) -> Cost:
    return Cost.model_validate({name: sum(getattr(cost, name) for cost in costs) for name in Cost.model_fields})
