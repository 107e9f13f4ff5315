"""What an evaluation leaves behind: every score as CSV and JSON, the tables as Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lossagent.evaluation.benchmark import Benchmark
from lossagent.evaluation.rendering import latex, markdown
from lossagent.evaluation.scores import ImageScore
from lossagent.evaluation.tables import AVERAGING, Scores, Table, condition_tables, cross_table, main_tables
from lossagent.runs import write_atomically

COLUMNS = (
    "method", "set", "image", "condition", "metric", "value", "direction", "implementation", "version", "space",
    "border", "output", "protocol", "options", "reason",
)  # fmt: skip
_OWN = ("space", "border", "output", "protocol")


def gathered(benchmark: Benchmark, images: Sequence[ImageScore]) -> Scores:
    """The scores of a benchmark, ready to be averaged."""
    return Scores(
        images,
        benchmark.facts,
        tuple(m.label for m in benchmark.rows),
        tuple(s.name for s in benchmark.sets),
        {m.label: m.objective for m in benchmark.methods},
    )


def tables_of(scores: Scores) -> list[Table]:
    """Every table: one a metric, by condition where there are some, and the cross-metric one."""
    cross = [cross_table(scores)] if len(scores.facts) > 1 else []
    return [*main_tables(scores), *condition_tables(scores), *cross]


def rules_of(benchmark: Benchmark, notes: Sequence[str]) -> list[str]:
    """The protocol, the averages and the notes, as sentences."""
    versions = sorted({f"{f.implementation} {f.version}" for f in benchmark.facts.values()})
    return [
        f"Protocol {benchmark.protocol.name}, scale {benchmark.scale}. {benchmark.protocol.sentence(benchmark.scale)}",
        AVERAGING,
        f"Metrics computed by {', '.join(versions)}; their options stand beside every score in scores.csv.",
        *notes,
    ]


def write_files(
    folder: Path, benchmark: Benchmark, images: Sequence[ImageScore], notes: Sequence[str], about: Mapping[str, str]
) -> str:
    """Writes ``scores.csv``, ``scores.json``, ``tables.md`` and ``tables.tex``.

    Args:
        folder: where to.
        benchmark: what was evaluated.
        images: its scores.
        notes: sentences for the reader, such as what is synthetic.
        about: set -> where it comes from and how its inputs were made.

    Returns:
        The Markdown.
    """
    scores = gathered(benchmark, images)
    tables, rules = tables_of(scores), rules_of(benchmark, notes)
    page = markdown(tables, f"Evaluation: {benchmark.protocol.task.lower()}, scale {benchmark.scale}", rules)
    write_atomically(folder / "scores.csv", csv_text(scores))
    write_atomically(
        folder / "scores.json", json.dumps(_plain(benchmark, scores, rules, about), indent=1, allow_nan=False)
    )
    write_atomically(folder / "tables.md", page)
    write_atomically(folder / "tables.tex", latex(tables, rules))
    return page


def csv_text(scores: Scores) -> str:
    """One line a score, with the options that it depends on."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in scores.images:
        facts = scores.facts[one.metric]
        rest = {k: v for k, v in facts.options.items() if k not in _OWN}
        writer.writerow(
            [
                one.method, one.set, one.image, one.condition, one.metric, "" if one.value is None else one.value,
                facts.direction, facts.implementation, facts.version, *(facts.options.get(k, "") for k in _OWN),
                json.dumps(rest), one.reason,
            ]
        )  # fmt: skip
    return file.getvalue()


def _plain(benchmark: Benchmark, scores: Scores, rules: Sequence[str], about: Mapping[str, str]) -> dict[str, Any]:
    return {
        "rules": list(rules),
        "protocol": benchmark.protocol.facts(benchmark.scale),
        "methods": {
            m.label: {"about": m.about, "scale": m.scale, "steered_by": list(m.objective)} for m in benchmark.rows
        },
        "sets": {
            s.name: {
                "images": list(s.names),
                "references": bool(s.reference),
                "conditions": dict(s.conditions),
                "about": about.get(s.name, ""),
            }
            for s in benchmark.sets
        },
        "metrics": {name: facts.model_dump(mode="json") for name, facts in scores.facts.items()},
        "scores": [
            {"method": s.method, "set": s.set, "image": s.image, "condition": s.condition, "metric": s.metric,
             "value": number(s.value), "reason": s.reason}
            for s in scores.images
        ],
        "means": {
            metric: {
                method: {
                    "sets": {n: number(scores.cell(method, n, metric).value) for n in scores.sets},
                    "average": number(scores.average(method, metric).value),
                }
                for method in scores.methods
            }
            for metric in scores.facts
        },
    }  # fmt: skip


def number(value: float | None) -> float | str | None:
    """A number for JSON, which has no infinity: it becomes the text ``"inf"``."""
    return value if value is None or math.isfinite(value) else str(value)
