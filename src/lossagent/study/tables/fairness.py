"""Whether the arms were treated alike: budget, candidates for selection, and the depth of what was selected."""

from __future__ import annotations

from dataclasses import replace

from lossagent.report.numbers import plain
from lossagent.study.comparisons import against
from lossagent.study.complete import state_of
from lossagent.study.outcome import Outcome
from lossagent.study.results import Results, at_depth, places
from lossagent.study.settings import FIXED
from lossagent.study.tables.cells import EMPTY, MISSING, Cell, Row, Table, arrow, difference, score


def budget_of(one: Outcome) -> tuple[int, int]:
    """(iterations, candidates for selection) of a run."""
    return one.cost.iterations, len(one.selection)


def unequal(results: Results, objective: str) -> tuple[str, ...]:
    """What differs between arms that should be equal, a sentence an arm; nothing of the arm that is several runs."""
    usual: tuple[int, int] | None = None
    found: list[str] = []
    for arm in (*results.arms(objective), *results.full(objective)):
        if arm == results.best_of_full:
            continue
        budgets = sorted({budget_of(one) for one in results.outcomes[objective][arm].values()})
        usual = usual or budgets[0]
        for iterations, candidates in budgets:
            if iterations != usual[0]:
                found.append(f"{arm} trained {iterations:,} iterations where others have {usual[0]:,}.")
            if candidates != usual[1]:
                found.append(f"{arm} had {candidates} candidates for selection where others have {usual[1]}.")
    return tuple(dict.fromkeys(found))


def depth_table(results: Results, objective: str, metric: str) -> Table | None:
    """The selected states' depth and selection-set scores, and the fixed run's at the same depth."""
    facts = results.facts(objective)[metric]
    own: dict[str, dict[int, float]] = {}
    beside: dict[str, dict[int, float]] = {}
    for arm in results.arms(objective):
        for seed, one in results.outcomes[objective][arm].items():
            kept = state_of(one, one.selected)
            fixed = results.outcomes[objective].get(FIXED, {}).get(seed)
            same = at_depth(fixed, one.states[one.selected].depth) if fixed is not None else None
            value, reference = (None if f is None else f.mean(metric) for f in (kept, same))
            if value is not None:
                own.setdefault(arm, {})[seed] = value
                if reference is not None:
                    beside.setdefault(arm, {})[seed] = reference
    if not own:
        return None
    decimals = places(facts)
    rows: list[Row] = []
    for arm, values in own.items():
        depths = [one.states[one.selected].depth for one in results.outcomes[objective][arm].values()]
        reference = beside.get(arm, {})
        compared = against({arm: values}, reference, FIXED, facts.direction, results.method) if arm != FIXED else {}
        cells = (
            Cell(plain(sum(depths) / len(depths), 1), f"{min(depths)} to {max(depths)}", "", sum(depths) / len(depths)),
            score(list(values.values()), decimals),
            score(list(reference.values()), decimals),
            _unmarked(difference(compared[arm], facts)) if arm in compared else EMPTY if arm == FIXED else MISSING,
        )
        rows.append(Row(arm, cells, arm=arm))
    notes = (
        "On the selection set, where every state was scored. A checkpoint that was chosen for its score there looks "
        "better there than it is, and the fixed run's at the same depth was not chosen: the difference favours the "
        "arm. Hence no verdict; p is not corrected over arms.",
    )
    columns = (
        ("depth", "mean, range"),
        ("selected", "mean ± sd"),
        ("fixed, same depth", "mean ± sd"),
        ("difference", "paired"),
    )
    return Table(f"depth-{objective}-{metric}", f"{arrow(facts)} at the same depth", columns, tuple(rows), notes)


def _unmarked(cell: Cell) -> Cell:
    return replace(cell, mark="")


def budget_table(results: Results, objective: str) -> Table:
    """Iterations, states and candidates of every arm."""
    rows: list[Row] = []
    for arm in results.arms(objective):
        runs = list(results.outcomes[objective][arm].values())
        cells = tuple(
            _range(numbers)
            for numbers in (
                [one.cost.iterations for one in runs],
                [len(one.states) for one in runs],
                [len(one.selection) for one in runs],
            )
        )
        note = "several full runs" if arm == results.best_of_full else ""
        rows.append(Row(arm, cells, note, arm=arm))
    problems = unequal(results, objective)
    notes = problems or (_alike(results, objective),)
    if knowing := who_knew_fixed(results, objective):
        notes = (*notes, f"{knowing} also knew the scores of a whole {FIXED} run: one run more behind each of theirs.")
    columns = (("iterations", ""), ("states", "S_0 included"), ("candidates", "for selection"))
    return Table(f"budget-{objective}", "Equal budget, equal choice", columns, tuple(rows), notes)


def who_knew_fixed(results: Results, objective: str) -> str:
    """Which arms had the fixed run's scores, as they were told or as their limits are relative to it; "" if none."""
    arms = [a for a in (*results.arms(objective), *results.full(objective)) if a not in (FIXED, results.best_of_full)]
    found = [arm for arm in arms if results.know_fixed or _relative(results, objective, arm)]
    return f"Every arm but {FIXED}" if found and found == arms else ", ".join(found)


def _relative(results: Results, objective: str, arm: str) -> bool:
    """Whether an arm had limits relative to the fixed run."""
    goals = [one.goal for one in results.outcomes[objective][arm].values()]
    return any(c.relative_to == FIXED for goal in goals for c in goal.constraints)


def _alike(results: Results, objective: str) -> str:
    but = f" but {results.best_of_full}" if results.best_of_full in results.arms(objective) else ""
    return f"Every arm{but} had the same iterations and the same number of candidates."


def _range(numbers: list[int]) -> Cell:
    low, high = min(numbers), max(numbers)
    text = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return Cell(text, value=sum(numbers) / len(numbers))
