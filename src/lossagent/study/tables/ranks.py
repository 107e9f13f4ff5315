"""Mean ranks over seeds and test sets, as far as every arm has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from lossagent.feedback import Feedback
from lossagent.goal import Goal
from lossagent.report.numbers import plain
from lossagent.statistics import bootstrap
from lossagent.study.comparisons import LEVEL, PERCENT
from lossagent.study.complete import row_of
from lossagent.study.outcome import Outcome
from lossagent.study.results import Results
from lossagent.study.settings import FIXED
from lossagent.study.tables.cells import Cell, Row, Table

FEWEST = 5
"""With fewer seeds no interval is given: drawing two or three again says next to nothing of a fourth."""


@dataclass(frozen=True)
class Ranks:
    """Mean ranks of an objective; 1 is the best.

    Attributes:
        arms: in the order of the study file.
        seeds: that every arm has; ranks are means over them.
        sets: test sets; a seed's rank is the mean over them.
        mean: one an arm.
        low, high: ends of the bootstrap intervals over seeds, infinite with fewer than :data:`FEWEST`.
    """

    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    sets: tuple[str, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def ranks_of(results: Results, objective: str) -> Ranks | None:
    """Arms ranked by the goal on each test set: feasible before better; ``None`` without two arms and a common seed.

    Limits relative to the fixed run are taken against its selected state, as guards and the table of limits do.
    """
    arms, sets = results.arms(objective), results.sets(objective)
    by_seed = results.outcomes[objective]
    common = set.intersection(*(set(by_seed[arm]) for arm in arms)) if arms else set[int]()
    goal = results.goal(objective)
    rows: dict[int, list[float]] = {}
    for seed in sorted(common):
        ranks = [_on(goal, [by_seed[arm][seed] for arm in arms], by_seed.get(FIXED, {}).get(seed), s) for s in sets]
        if ranks and all(one is not None for one in ranks):
            rows[seed] = [float(x) for x in np.mean([one for one in ranks if one is not None], axis=0)]
    if len(arms) < 2 or not rows:
        return None
    values = np.array(list(rows.values()))
    low, high = bootstrap(values if len(values) >= FEWEST else values[:1], LEVEL)
    return Ranks(
        arms,
        tuple(rows),
        sets,
        tuple(float(x) for x in values.mean(axis=0)),
        tuple(max(1.0, float(x)) if np.isfinite(x) else float(x) for x in low),
        tuple(min(float(len(arms)), float(x)) if np.isfinite(x) else float(x) for x in high),
    )


def _on(goal: Goal, runs: list[Outcome], fixed: Outcome | None, name: str) -> list[float] | None:
    """The rank of each run on one test set, ties shared; ``None`` where one has no score."""
    keys: list[tuple[float, float]] = []
    beside = row_of(fixed, name, "selected") if fixed is not None else None
    for one in runs:
        own, start = row_of(one, name, "selected"), row_of(one, name, "start")
        if own is None or start is None or goal.utility(own, start) is None:
            return None
        keys.append(goal.rank(own, start, beside or Feedback()))
    order = sorted(set(keys), reverse=True)
    return [float(x) for x in rankdata([order.index(key) for key in keys])]


def _ends(low: float, high: float) -> Cell:
    return Cell(f"[{plain(low, 2)}, {plain(high, 2)}]" if np.isfinite(low) else "not estimable")


def rank_table(results: Results, objective: str) -> Table | None:
    """The ranks as a table."""
    found = ranks_of(results, objective)
    if found is None:
        return None
    rows = [
        Row(arm, (Cell(plain(mean, 2), value=mean), _ends(low, high)), arm=arm)
        for arm, mean, low, high in zip(found.arms, found.mean, found.low, found.high, strict=True)
    ]
    note = (
        f"Ranks among {len(found.arms)} arms by the goal on {', '.join(found.sets)}, 1 is the best, feasible before "
        f"better; means over {len(found.seeds)} {'seed' if len(found.seeds) == 1 else 'seeds'} that every arm has "
        f"({', '.join(map(str, found.seeds)) if len(found.seeds) <= 20 else 'not listed'}). The interval draws whole "
        "seeds again (percentile bootstrap, 4000 times); with few seeds it is too narrow, and ranks are no test."
    )
    if results.best_of_full in found.arms:
        note += f" {results.best_of_full} had several times the budget of the others."
    return Table(
        f"ranks-{objective}",
        "Mean rank",
        (("mean rank", "1 is best"), (f"{PERCENT} interval", "")),
        tuple(rows),
        (note,),
    )
