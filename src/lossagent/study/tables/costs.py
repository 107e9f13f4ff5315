"""What each arm cost, beside the iterations that are equal."""

from __future__ import annotations

from lossagent.report.costs import clock
from lossagent.study.results import Results
from lossagent.study.tables.cells import Cell, Row, Table

SECONDS = (
    ("train_seconds", "training"),
    ("score_seconds", "scoring"),
    ("llm_seconds", "language model"),
    ("wall_seconds", "wall clock"),
)
COUNTS = (("questions", "questions"), ("prompt_tokens", "prompt tokens"), ("completion_tokens", "answer tokens"))


def cost_table(results: Results, objective: str) -> Table:
    """Means over seeds of one run."""
    columns = (("iterations", ""), *((head, "a run") for _, head in (*SECONDS, *COUNTS)))
    rows: list[Row] = []
    for arm in results.arms(objective):
        costs = [one.cost for one in results.outcomes[objective][arm].values()]
        means = {name: sum(getattr(cost, name) for cost in costs) / len(costs) for name in type(costs[0]).model_fields}
        cells = [Cell(f"{means['iterations']:,.0f}", value=means["iterations"])]
        cells += [Cell(clock(means[name]) if means[name] else "0", value=means[name]) for name, _ in SECONDS]
        cells += [Cell(f"{means[name]:,.0f}", value=means[name]) for name, _ in COUNTS]
        note = "sum of the full runs" if arm == results.best_of_full else ""
        rows.append(Row(arm, tuple(cells), note, arm=arm))
    notes = (
        "Means over seeds. Iterations are the budget; the rest is listed, not equal. Runs that share a machine "
        "lengthen each other's seconds.",
    )
    return Table(f"cost-{objective}", "Cost of a run", columns, tuple(rows), notes)
