"""The outcomes of a study, ready to be compared: by objective, arm and seed, in the order of the study file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal
from lossagent.report.numbers import digits
from lossagent.statistics import Method
from lossagent.study.complete import mean_of, state_of
from lossagent.study.outcome import Outcome
from lossagent.study.settings import FIXED, FULL, Primary
from lossagent.weights import Bounds

BySeed = Mapping[int, Outcome]


@dataclass(frozen=True)
class Results:
    """What a study has found so far.

    Attributes:
        name: of the study.
        outcomes: objective -> arm -> seed -> outcome, in the order of the study file; arms without any are in it.
        planned: objective -> arm -> seeds that were asked for.
        sweeps: arms that try several fixed settings within one run's budget.
        best_of_full: name of the arm that is derived from the full runs under fixed weights, ``None`` without them.
        primary: the comparison that the conclusion rests on; its test is the study's.
        bounds: of the weights; they name the anchor.
        simulated: whether a response model stood in for training.
        know_fixed: whether every arm knew the fixed arm's scores.
    """

    name: str
    outcomes: Mapping[str, Mapping[str, BySeed]]
    planned: Mapping[str, Mapping[str, tuple[int, ...]]] = field(
        default_factory=dict[str, Mapping[str, tuple[int, ...]]]
    )
    sweeps: tuple[str, ...] = ()
    best_of_full: str | None = None
    primary: Primary | None = None
    bounds: Bounds = field(default_factory=Bounds)
    simulated: bool = False
    know_fixed: bool = False

    @property
    def method(self) -> Method:
        """The test of the study."""
        return self.primary.test if self.primary is not None else "permutation"

    @property
    def objectives(self) -> tuple[str, ...]:
        """Objectives with at least one outcome."""
        return tuple(o for o in self.outcomes if any(self.outcomes[o].values()))

    def arms(self, objective: str) -> tuple[str, ...]:
        """Arms with outcomes, without the full runs under other fixed weights."""
        return tuple(a for a, seeds in self.outcomes[objective].items() if seeds and not a.startswith(FULL))

    def full(self, objective: str) -> tuple[str, ...]:
        """Full runs under other fixed weights that have outcomes."""
        return tuple(a for a, seeds in self.outcomes[objective].items() if seeds and a.startswith(FULL))

    def references(self, objective: str) -> tuple[str, ...]:
        """What arms are compared with, as far as there is one: fixed, tuned within a budget, tuned by full runs."""
        found = self.arms(objective)
        return tuple(a for a in (FIXED, *self.sweeps, self.best_of_full) if a is not None and a in found)

    def every(self, objective: str) -> Iterator[Outcome]:
        """Every outcome of an objective."""
        for seeds in self.outcomes[objective].values():
            yield from seeds.values()

    def sets(self, objective: str) -> tuple[str, ...]:
        """Test sets, in the order found."""
        return tuple(dict.fromkeys(name for one in self.every(objective) for name in one.tests))

    def sets_by_seed(self, objective: str) -> tuple[str, ...]:
        """Test sets whose images are not the same for every seed, as where a ``count`` of them is drawn."""
        found: dict[str, set[frozenset[str]]] = {}
        for one in self.every(objective):
            for name, rows in one.tests.items():
                images = frozenset(i for row in rows.values() for scores in row.scores.values() for i in scores)
                found.setdefault(name, set()).add(images)
        return tuple(name for name, draws in found.items() if len(draws) > 1)

    def facts(self, objective: str) -> dict[str, MetricFacts]:
        """Every metric: targets first, then the others in the order recorded."""
        known: dict[str, MetricFacts] = {}
        for one in self.every(objective):
            known = {**one.facts, **known}
        targets = [m for m in self.targets(objective) if m in known]
        return {name: known[name] for name in dict.fromkeys([*targets, *known])}

    def goal(self, objective: str) -> Goal:
        """What was wanted. The fixed arm has no limits relative to itself, so another arm's goal goes before."""
        return max((one.goal for one in self.every(objective)), key=lambda goal: len(goal.constraints))

    def targets(self, objective: str) -> tuple[str, ...]:
        """Metrics that the goal's number is made of."""
        return tuple(t.metric for t in self.goal(objective).scalar)

    def compared(self, objective: str) -> tuple[str, ...]:
        """Metrics in which arms are compared: the targets, and the primary comparison's."""
        found = [*self.targets(objective)]
        if self.primary is not None and self.primary.objective in (None, objective):
            found.append(self.primary.metric)
        known = self.facts(objective)
        return tuple(m for m in dict.fromkeys(found) if m in known)

    def scores(self, objective: str, arm: str, name: str, row: str, metric: str) -> dict[int, float]:
        """seed -> mean score of a row on a test set; seeds without a finite one are left out.

        Means are over the images that S_0 has a score of; a row that lacks one of them has no mean.
        """
        found = {s: mean_of(one, name, row, metric) for s, one in self.outcomes[objective].get(arm, {}).items()}
        return {s: v for s, v in found.items() if v is not None and math.isfinite(v)}


def places(facts: MetricFacts | None, more: int = 0) -> int:
    """Decimals of a metric's scores: a tenth of its unit; differences show one more."""
    return digits(facts.unit if facts is not None else None) + more


def span(seeds: Sequence[int]) -> str:
    """``0 to 9``, ``0 to 4, 7``."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]} to {p[-1]}" for p in parts)


def at_depth(one: Outcome, depth: int) -> Feedback | None:
    """Selection-set scores of the state at a depth, on the way to the last state that was scored there."""
    state = one.states[max(one.selection)] if one.selection else None
    while state is not None and state.depth > depth:
        state = one.states[state.parent] if state.parent is not None else None
    return state_of(one, state.id) if state is not None and state.depth == depth else None
