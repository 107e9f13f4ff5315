"""Tables of scores: every arm against the references, and every metric of every test set."""

from __future__ import annotations

import math

from lossagent.feedback import MetricFacts
from lossagent.report.numbers import plain, signed
from lossagent.statistics import fewest
from lossagent.study.comparisons import PERCENT, Comparison, on_test_set
from lossagent.study.complete import mean_of
from lossagent.study.results import Results, places
from lossagent.study.settings import FIXED
from lossagent.study.tables.cells import EMPTY, Cell, Row, Table, arrow, difference, score, wanted

BESIDE = (
    ("start", "untouched start", "S_0, before training"),
    ("reference", "ground truth", "a ceiling"),
    ("correlated-noise control", "correlated-noise control", "the start with blurred noise added"),
)
Compared = dict[str, dict[str, Comparison]]


def score_table(results: Results, objective: str, name: str, metric: str) -> Table:
    """Selected and last states of every arm on a test set, and paired differences against each reference."""
    facts = results.facts(objective)[metric]
    found = on_test_set(results, objective, name, metric)
    columns = [("seeds", ""), ("selected", "mean ± sd"), ("last", "mean ± sd")]
    columns += [(f"vs {reference}", "paired difference") for reference in found]
    rows: list[Row] = []
    for row, label, note in BESIDE:
        if (cell := _beside(results, objective, name, row, facts)).value is not None:
            rows.append(Row(label, (EMPTY, cell, *[EMPTY] * (len(columns) - 2)), note, "beside"))
    rows += [_arm(results, objective, name, arm, facts, found) for arm in results.arms(objective)]
    title = f"{arrow(facts)} on {name}"
    notes = (f"{facts.name}: {wanted(facts)}. {gaming(results, objective, name, facts)}".strip(),)
    return Table(f"scores-{objective}-{name}-{metric}", title, tuple(columns), tuple(rows), notes)


def _arm(results: Results, objective: str, name: str, arm: str, facts: MetricFacts, found: Compared) -> Row:
    decimals = places(facts)
    ends = [list(results.scores(objective, arm, name, row, facts.name).values()) for row in ("selected", "last")]
    cells = [Cell(str(len(ends[0])), value=float(len(ends[0]))), *(score(values, decimals) for values in ends)]
    for reference, comparisons in found.items():
        cells.append(Cell("–") if arm == reference else difference(comparisons.get(arm), facts, len(ends[0])))
    return Row(arm, tuple(cells), arm=arm)


def rules(results: Results, objective: str) -> tuple[str, ...]:
    """How the differences are to be read, as far as they occur."""
    every = [
        one
        for name in results.sets(objective)
        for metric in results.compared(objective)
        for comparisons in on_test_set(results, objective, name, metric).values()
        for one in comparisons.values()
    ]
    if not every:
        return ()
    method = every[0].test.method
    test = "a sign-flip permutation test" if method == "permutation" else "Student's t test"
    rules = [
        f"Differences are paired by seed; in brackets the {PERCENT} interval over seeds, p from {test}, corrected by "
        "Holm over the arms of the column. ≈ no difference shown: the interval holds 0 or the corrected p is .05 or "
        f"more. ✓ better, ✗ worse. {_images(results, objective)}"
    ]
    if any(one.interval.method != one.test.method and one.interval.bounded for one in every):
        rules.append("t: Student's interval, which assumes normal differences; sign flips bound nothing there.")
    short = {(one.family, len(one.seeds), one.smallest) for one in every if one.out_of_reach}
    for family in sorted({family for family, _, _ in short}):
        seeds = sorted({n for m, n, _ in short if m == family})
        best = min(p for m, _, p in short if m == family)
        among = f" among {family} arms" if family > 1 else ""
        rules.append(
            f"{' or '.join(map(str, seeds))} {'seed' if seeds == [1] else 'seeds'} cannot reach p < .05 in a sign-flip "
            f"test{among}, however large the difference (the smallest corrected p is {min(1.0, best):.4f}): "
            f"{fewest(family)} or more can."
        )
    return tuple(rules)


def _images(results: Results, objective: str) -> str:
    """Whether images vary with the seeds, and so are in the intervals."""
    own = results.sets_by_seed(objective)
    same = [name for name in results.sets(objective) if name not in own]
    sentences: list[str] = []
    if own:
        of = f" of {' and '.join(own)}" if same else ""
        sentences.append(
            f"Each seed has test images{of} of its own, the same ones for every arm: standard deviations are of both."
        )
    if same:
        of = f" of {' and '.join(same)}" if own else ""
        sentences.append(f"The images{of} are the same throughout: another set of images is not in the intervals.")
    return " ".join(sentences)


def gaming(results: Results, objective: str, name: str, facts: MetricFacts) -> str:
    """Which arms pass the ground truth, and which the start with noise on it, in a metric; "" where none can."""
    sentences: list[str] = []
    means = {
        arm: score(list(results.scores(objective, arm, name, "selected", facts.name).values()), 9).value
        for arm in results.arms(objective)
    }
    sign = 1.0 if facts.direction == "higher" else -1.0
    truth = _beside(results, objective, name, "reference", facts).value
    control = _beside(results, objective, name, "correlated-noise control", facts).value
    if truth is not None and not facts.needs_reference:
        past = [arm for arm, mean in means.items() if mean is not None and sign * (mean - truth) > 0]
        if past:
            sentences.append(f"Beyond the ground truth's own score, an alarm: {', '.join(past)}.")
    if control is not None:
        behind = [arm for arm, mean in means.items() if mean is not None and sign * (mean - control) < 0]
        if behind:
            sentences.append(
                f"Blurred noise on the start's output alone scores better than {', '.join(behind)}: "
                f"{facts.name} by itself does not show better images."
            )
    return " ".join(sentences)


def cross_table(results: Results, objective: str, name: str) -> Table:
    """Every metric of a test set: means of the selected states over seeds, and what changed against fixed."""
    known = results.facts(objective)
    shown = [f for f in known.values() if any(f.name in rows for rows in _scored(results, objective, name))]
    targets = results.targets(objective)
    columns = (("seeds", ""), *((arrow(f), "objective" if f.name in targets else "guard") for f in shown))
    rows: list[Row] = []
    for row, label, note in BESIDE:
        cells = tuple(_beside(results, objective, name, row, f) for f in shown)
        if any(cell.value is not None for cell in cells):
            rows.append(Row(label, (EMPTY, *cells), note, "beside"))
    for arm in results.arms(objective):
        count = len(results.outcomes[objective][arm])
        cells = tuple(_against_fixed(results, objective, name, arm, f) for f in shown)
        rows.append(Row(arm, (Cell(str(count), value=float(count)), *cells), arm=arm))
    notes = (
        "Selected states, mean ± standard deviation over the arm's seeds; below, the mean paired difference to fixed "
        "over the seeds that both have (n where these are fewer). Better in the objective alone is not better images: "
        "read each row whole.",
    )
    return Table(f"metrics-{objective}-{name}", f"Every metric on {name}", columns, tuple(rows), notes)


def _scored(results: Results, objective: str, name: str) -> list[set[str]]:
    return [
        set(rows["selected"].scores) for o in results.every(objective) if "selected" in (rows := o.tests.get(name, {}))
    ]


def _against_fixed(results: Results, objective: str, name: str, arm: str, facts: MetricFacts) -> Cell:
    own = results.scores(objective, arm, name, "selected", facts.name)
    fixed = results.scores(objective, FIXED, name, "selected", facts.name) if arm != FIXED else {}
    changes = [value - fixed[seed] for seed, value in own.items() if seed in fixed]
    notes: list[str] = []
    if 0 < len(own) < len(results.outcomes[objective][arm]):
        notes.append(f"n = {len(own)}")
    if changes:
        change = signed(math.fsum(changes) / len(changes), places(facts, 1))
        notes.append(f"{change} to fixed" + (f" (n = {len(changes)})" if len(changes) < len(own) else ""))
    return score(list(own.values()), places(facts), "; ".join(notes))


def _beside(results: Results, objective: str, name: str, row: str, facts: MetricFacts) -> Cell:
    """A row that is the same for every arm of a seed: its mean over seeds."""
    found = {
        one.seed: value
        for one in results.every(objective)
        if (value := mean_of(one, name, row, facts.name)) is not None and math.isfinite(value)
    }
    if not found:
        return Cell("–")
    mean = math.fsum(found.values()) / len(found)
    return Cell(plain(mean, places(facts)), value=mean)


def full_table(results: Results, objective: str) -> Table | None:
    """The full runs under other fixed weights, of which the best is taken for each seed."""
    full = results.full(objective)
    if not full:
        return None
    metrics = [results.facts(objective)[m] for m in results.compared(objective)]
    sets = results.sets(objective)
    columns = (("seeds", ""), ("chosen", "of the seeds"), *((arrow(f), name) for name in sets for f in metrics))
    derived = results.outcomes[objective].get(results.best_of_full or "", {})
    rows: list[Row] = []
    for arm in (FIXED, *full):
        runs = results.outcomes[objective].get(arm, {})
        chosen = sum(one.rule.endswith(f": {arm}") for one in derived.values())
        cells = [Cell(str(len(runs)), value=float(len(runs))), Cell(f"{chosen} of {len(derived)}", value=float(chosen))]
        cells += [
            score(list(results.scores(objective, arm, name, "selected", f.name).values()), places(f))
            for name in sets
            for f in metrics
        ]
        weights = str(next(iter(runs.values())).initial) if runs else ""
        rows.append(Row(arm, tuple(cells), weights, arm=arm))
    return Table(
        f"full-{objective}",
        "Full runs under other fixed weights",
        columns,
        tuple(rows),
        (f"For each seed, {results.best_of_full} is the one of these that ranks best on the selection set.",),
        folded=True,
    )
