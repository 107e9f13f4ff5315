"""The one comparison that the conclusion rests on: its verdict follows from its interval and its guards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lossagent.feedback import MetricFacts
from lossagent.report.numbers import plain, signed
from lossagent.statistics import Paired, fewest
from lossagent.study.comparisons import compared, p_words
from lossagent.study.complete import mean_of
from lossagent.study.outcome import Outcome
from lossagent.study.registering import Plan
from lossagent.study.results import BySeed, Results, places
from lossagent.study.settings import FIXED, FULL, Limit, Primary
from lossagent.study.tables.cells import no_interval
from lossagent.study.tables.fairness import budget_of
from lossagent.study.tables.incomplete import incomplete
from lossagent.study.tables.limits import in_words

Kind = Literal["better", "worse", "no difference", "not decidable", "not finished"]


@dataclass(frozen=True)
class Guard:
    """A limit, and how an arm stands to it.

    Attributes:
        words: ``psnr_y ≥ fixed − 0.3``.
        arm: whose selected states were measured.
        score, bound: means over the compared seeds, ``None`` where one is missing.
        kept: whether the mean keeps the limit; a missing score does not.
        seeds: of the compared seeds, how many keep it one by one.
    """

    words: str
    arm: str
    score: float | None
    bound: float | None
    kept: bool
    seeds: int


@dataclass(frozen=True)
class Verdict:
    """The conclusion.

    Attributes:
        kind: what was concluded.
        sentence: the same in words, by a rule alone.
        setting: what was compared, in words.
        test: mean difference (arm minus the other), interval and p by the registered test; ``None`` without a seed.
        interval: the same, or Student's t where so few seeds bound nothing by sign flips.
        seeds: compared.
        planned: seeds that should be compared.
        guards: of both arms.
        caveats: sentences that belong beside it.
        metric: facts of the metric, ``None`` where it was not recorded.
    """

    kind: Kind
    sentence: str
    setting: str
    test: Paired | None
    interval: Paired | None
    seeds: tuple[int, ...]
    planned: tuple[int, ...]
    guards: tuple[Guard, ...] = ()
    caveats: tuple[str, ...] = ()
    metric: MetricFacts | None = None


def judge(results: Results, primary: Primary, added: Sequence[str] = (), plan: Plan | None = None) -> Verdict:
    """The verdict of a study's primary comparison.

    A difference is claimed where the interval of the registered test leaves out 0 and its p is below .05, and where
    the arm that comes out ahead keeps every guard, in the mean over the compared seeds, and had no more candidates
    for selection than the other one. Before every planned seed is there, nothing is concluded; nor is it by a plan that
    was changed after it was registered.

    Args:
        results: of the study.
        primary: what is compared.
        added: what was added to the study after it was registered, ``ARM: seeds 5, 6``.
        plan: whether it is the one that was registered, ``None`` where nothing was.
    """
    objective = primary.objective or next(iter(results.outcomes))
    runs = results.outcomes.get(objective, {})
    arm, other = runs.get(primary.arm, {}), runs.get(primary.against, {})
    asked = results.planned.get(objective, {})
    planned = tuple(s for s in asked.get(primary.arm, ()) if s in asked.get(primary.against, ()))
    seeds = tuple(s for s in arm if s in other)
    facts = results.facts(objective).get(primary.metric) if objective in results.objectives else None
    direction = f", {facts.direction} is better" if facts is not None else ""
    setting = (
        f"{primary.metric} of the selected states on {primary.set}{direction}: {primary.arm} minus {primary.against}, "
        f"paired by seed, {'sign-flip permutation test' if primary.test == 'permutation' else 'paired t test'}"
    )
    names = (primary.arm, primary.against) if facts is not None else ()
    both = [results.scores(objective, name, primary.set, "selected", primary.metric) for name in names]
    scored = [s for s in seeds if both and all(s in scores for scores in both)]
    test, interval = compared([both[0][s] - both[1][s] for s in scored], primary.test) if scored else (None, None)
    guards = tuple(
        _guard(limit, name, [(runs[name][s], runs.get(FIXED, {}).get(s)) for s in seeds], primary.set)
        for name in (primary.arm, primary.against)
        for limit in primary.guards
    )
    kind, sentence = _concluded(
        primary, test, facts, guards, (seeds, planned, scored), _favoured(primary, arm, other, seeds)
    )
    if plan == "changed":
        kind, sentence = "not decidable", "Not decidable: the plan was changed after it was registered."
    caveats = (*_incomplete(results, primary, objective), *_caveats(results, primary, test, added, plan))
    return Verdict(kind, sentence, setting, test, interval, seeds, planned, guards, caveats, facts)


def _concluded(
    primary: Primary,
    test: Paired | None,
    facts: MetricFacts | None,
    guards: Sequence[Guard],
    seeds: tuple[Sequence[int], Sequence[int], Sequence[int]],
    favoured: frozenset[str],
) -> tuple[Kind, str]:
    common, planned, scored = seeds
    a, b = primary.arm, primary.against
    if missing := [s for s in planned if s not in common]:
        return "not finished", f"Not finished: {len(planned) - len(missing)} of {len(planned)} seeds."
    if test is None or facts is None or len(scored) < len(common):
        lacking = ", ".join(str(s) for s in common if s not in scored)
        return "not decidable", f"Not decidable: no score of {primary.metric} in seed {lacking or 'any'}."
    if not test.shown:
        return "no difference", f"No difference shown between {a} and {b}."
    better = (test.mean > 0) == (facts.direction == "higher")
    ahead = a if better else b
    if broken := next((g for g in guards if g.arm == ahead and not g.kept), None):
        found = "was not measured" if broken.score is None or broken.bound is None else _found(broken)
        return "not decidable", f"Not decidable: guard {broken.words} is broken by {ahead} ({found})."
    if ahead in favoured:
        return "not decidable", f"Not decidable: {ahead} had more candidates for selection than the other arm."
    return ("better", f"{a} is better than {b}.") if better else ("worse", f"{a} is worse than {b}.")


def _found(guard: Guard) -> str:
    assert guard.score is not None
    assert guard.bound is not None
    return f"{plain(guard.score, 3)} where the limit is {plain(guard.bound, 3)}"


def _guard(limit: Limit, arm: str, runs: Sequence[tuple[Outcome, Outcome | None]], name: str) -> Guard:
    """A limit in the mean over seeds."""
    pairs = [(mean_of(one, name, "selected", limit.metric), _bound(limit, one, fixed, name)) for one, fixed in runs]
    known = [(s, b) for s, b in pairs if s is not None and b is not None and math.isfinite(s) and math.isfinite(b)]
    if not known or len(known) < len(pairs):
        return Guard(in_words(limit), arm, None, None, False, 0)
    score, bound = (math.fsum(values) / len(known) for values in zip(*known, strict=True))
    return Guard(
        in_words(limit), arm, score, bound, _keeps(limit, score, bound), sum(_keeps(limit, s, b) for s, b in known)
    )


def _keeps(limit: Limit, score: float, bound: float) -> bool:
    return score >= bound if limit.at_least is not None else score <= bound


def _bound(limit: Limit, one: Outcome, fixed: Outcome | None, name: str) -> float | None:
    value = limit.at_least if limit.at_least is not None else limit.at_most
    assert value is not None
    if limit.relative_to == "absolute":
        return float(value)
    base = mean_of(one, name, "start", limit.metric)
    if limit.relative_to == FIXED:
        base = mean_of(fixed, name, "selected", limit.metric) if fixed is not None else None
    if base is None:
        return None
    return base * value if limit.times else base + value


def _favoured(primary: Primary, arm: BySeed, other: BySeed, seeds: Sequence[int]) -> frozenset[str]:
    """Which of the two had more candidates in some seed; both, where each had in one."""
    counts = [(budget_of(arm[s])[1], budget_of(other[s])[1]) for s in seeds]
    ours = {primary.arm} if any(own > others for own, others in counts) else set[str]()
    theirs = {primary.against} if any(others > own for own, others in counts) else set[str]()
    return frozenset(ours | theirs)


def _incomplete(results: Results, primary: Primary, objective: str) -> tuple[str, ...]:
    """Scores of the comparison and its guards that count as missing."""
    metrics = {primary.metric, *(guard.metric for guard in primary.guards)}
    arms = (primary.arm, primary.against, *([FIXED] if any(g.relative_to == FIXED for g in primary.guards) else []))
    return tuple(
        gap.sentence
        for gap in incomplete(results, objective, dict.fromkeys(arms))
        if gap.place == primary.set and gap.row == "selected" and gap.metric in metrics
    )


def _caveats(
    results: Results, primary: Primary, test: Paired | None, added: Sequence[str], plan: Plan | None
) -> tuple[str, ...]:
    found: list[str] = []
    if plan == "unknown":
        found.append("The registration holds no hash of the plan: whether it was changed since cannot be told.")
    if results.simulated:
        found.append("Simulated: a response model stood in for training. It says nothing of real images.")
    if results.best_of_full in (primary.arm, primary.against):
        found.append(f"{results.best_of_full} is the best of several full runs, at as many times the budget.")
    found += [
        f"Added after the registration: {one}. Who adds seeds after a look at the results finds differences more often "
        "than the p says."
        for one in added
        if ": seeds " in one and _feeds(results, primary, one.split(": seeds ")[0])
    ]
    if test is not None and test.method == "permutation" and test.n < fewest():
        found.append(f"{test.n} seeds cannot reach p < .05 in a sign-flip test; {fewest()} or more can.")
    return tuple(found)


def _feeds(results: Results, primary: Primary, arm: str) -> bool:
    """Whether an arm is compared, or is one of the full runs that the compared best is taken from."""
    sides = (primary.arm, primary.against)
    return arm in sides or (results.best_of_full in sides and (arm == FIXED or arm.startswith(FULL)))


def interval_words(verdict: Verdict) -> str:
    """``−0.31 [−0.52, −0.10], p = 0.004, 10 seeds``."""
    if verdict.test is None or verdict.interval is None:
        return "no seed to compare yet"
    decimals = places(verdict.metric, 1)
    one = verdict.interval
    ends = f"[{plain(one.low, decimals)}, {plain(one.high, decimals)}]" if one.bounded else f"({no_interval(one.n)})"
    name = "" if one.method == verdict.test.method else " by Student's t"
    count = f"{verdict.test.n} {'seed' if verdict.test.n == 1 else 'seeds'}"
    return f"{signed(verdict.test.mean, decimals)} {ends}{name}, {p_words(verdict.test.p)}, {count}"
