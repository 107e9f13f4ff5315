"""Arms compared with a reference, seed by seed, and what may be said of it."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lossagent.feedback import Direction
from lossagent.statistics import ALPHA, Method, Paired, holm, paired
from lossagent.study.results import Results

Verdict = Literal["better", "worse", "none"]
LEVEL = 0.95
PERCENT = "95 %"


@dataclass(frozen=True)
class Comparison:
    """One arm minus another, over the seeds that both have a score of.

    Attributes:
        arm, against: the two.
        seeds: compared.
        test: mean difference, interval and p by the study's test, in score units.
        interval: the same, or Student's t where so few seeds bound nothing by sign flips.
        corrected: p by Holm over the arms compared with the same reference.
        family: how many arms these are.
        smallest: the smallest corrected p that so many seeds could have reached beside the other arms.
        direction: which way is better.
    """

    arm: str
    against: str
    seeds: tuple[int, ...]
    test: Paired
    interval: Paired
    corrected: float
    family: int
    smallest: float
    direction: Direction

    @property
    def verdict(self) -> Verdict:
        """``"none"`` (no difference shown) where the interval holds 0 or the corrected p is .05 or more."""
        if self.interval.low <= 0 <= self.interval.high or self.corrected >= ALPHA:
            return "none"
        return "better" if (self.test.mean > 0) == (self.direction == "higher") else "worse"

    @property
    def out_of_reach(self) -> bool:
        """Whether so few seeds cannot show any difference among so many arms, however large."""
        return self.smallest >= ALPHA


def compared(differences: Sequence[float], method: Method) -> tuple[Paired, Paired]:
    """(by the study's test, the one whose interval is printed)."""
    return _compared(tuple(differences), method)


@functools.lru_cache(maxsize=4096)
def _compared(differences: tuple[float, ...], method: Method) -> tuple[Paired, Paired]:
    # Tables, figures and JSON ask for the same comparisons, and a sampled test of 200 seeds takes a tenth of a second.
    test = paired(differences, method, LEVEL)
    return test, test if test.bounded else paired(differences, "t", LEVEL)


def against(
    values: Mapping[str, Mapping[int, float]],
    reference: Mapping[int, float],
    name: str,
    direction: Direction,
    method: Method,
) -> dict[str, Comparison]:
    """Every arm against one reference, corrected by Holm over the arms.

    Args:
        values: arm -> seed -> score; the reference itself and arms without a common seed are left out.
        reference: seed -> score.
        name: of the reference.
        direction: which way is better.
        method: of the test.
    """
    found: dict[str, tuple[tuple[int, ...], Paired, Paired]] = {}
    for arm, own in values.items():
        seeds = tuple(s for s in own if s in reference)
        if arm != name and seeds:
            found[arm] = (seeds, *compared([own[s] - reference[s] for s in seeds], method))
    every = {arm: test.p for arm, (_, test, _) in found.items()}
    corrected = holm(every)
    return {
        arm: Comparison(
            arm, name, seeds, test, interval, corrected[arm], len(found), _smallest(every, arm, test), direction
        )
        for arm, (seeds, test, interval) in found.items()
    }


def _smallest(every: Mapping[str, float], arm: str, test: Paired) -> float:
    """The corrected p of an arm whose differences all had one sign; 0 for a test that has no such bound."""
    return holm({**every, arm: 2.0 ** (1 - test.n)})[arm] if test.method == "permutation" else 0.0


def on_test_set(results: Results, objective: str, name: str, metric: str) -> dict[str, dict[str, Comparison]]:
    """reference -> arm -> comparison of the selected states' scores in a metric of a test set."""
    arms = results.arms(objective)
    values = {arm: results.scores(objective, arm, name, "selected", metric) for arm in arms}
    direction = results.facts(objective)[metric].direction
    return {
        reference: against(values, values[reference], reference, direction, results.method)
        for reference in results.references(objective)
    }


def p_words(p: float) -> str:
    """``p = 0.031``, ``p < 0.001``, ``p = 1``; near .05 so many decimals that the side of it is seen."""
    if p < 0.001:
        return "p < 0.001"
    if p > 0.9995:
        return "p = 1"
    decimals = 4 if 0.045 <= p <= 0.055 else 3
    while decimals < 12 and p != ALPHA and float(f"{p:.{decimals}f}") == ALPHA:
        decimals += 1
    return f"p = {p:.{decimals}f}"


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; no deviation of one value."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
