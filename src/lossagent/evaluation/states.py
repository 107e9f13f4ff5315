"""Scores of chosen states of a run on image sets that are kept apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossagent.feedback import Feedback, MetricFacts
from lossagent.runs import write_atomically

FILE = "evaluation.json"


@dataclass(frozen=True)
class Row:
    """The scores of one state (or of the ground truth) on one set.

    Attributes:
        state: its id, ``None`` where the row is no state.
        depth: stages from S_0.
        feedback: scores for each metric and image.
    """

    state: int | None
    depth: int | None
    feedback: Feedback


@dataclass(frozen=True)
class SetTable:
    """The rows of one image set.

    Attributes:
        images: names, in order.
        metrics: facts of each metric.
        rows: label (``"start"``, ``"selected"``, ``"last"``, ``"ground truth"``, ...) -> row.
        also_in: images that stand in another set too, where an overlap was declared.
        conditions: image -> condition, where the set has some: means are taken within conditions, then over them.
    """

    images: tuple[str, ...]
    metrics: Mapping[str, MetricFacts]
    rows: Mapping[str, Row]
    also_in: Mapping[str, str] = field(default_factory=dict[str, str])
    conditions: Mapping[str, str] = field(default_factory=dict[str, str])

    def dump(self) -> dict[str, Any]:
        """Plain data for ``evaluation.json``."""
        return {
            "images": list(self.images),
            "metrics": {name: facts.model_dump(mode="json") for name, facts in self.metrics.items()},
            "rows": {
                label: {"state": row.state, "depth": row.depth, "scores": row.feedback.scores}
                for label, row in self.rows.items()
            },
            "also_in": dict(self.also_in),
            "conditions": dict(self.conditions),
        }


def write_evaluation(run: Path, tables: Mapping[str, SetTable], overlap: list[str]) -> None:
    """Writes ``evaluation.json``: set -> table, and the overlaps that were declared or warned of."""
    data = {"sets": {name: table.dump() for name, table in tables.items()}, "overlap": overlap}
    write_atomically(run / FILE, json.dumps(data, indent=1))


def has_row(run: Path, label: str) -> bool:
    """Whether the tables of a run have a row."""
    data = json.loads((run / FILE).read_text(encoding="utf-8"))
    return any(label in table["rows"] for table in data["sets"].values())


def add_row(run: Path, tables: Mapping[str, SetTable], label: str) -> None:
    """Adds a row to tables that were written before.

    Args:
        run: the run folder.
        tables: set -> a table that has the row.
        label: the row.
    """
    data = json.loads((run / FILE).read_text(encoding="utf-8"))
    for name, table in tables.items():
        data["sets"][name]["rows"][label] = table.dump()["rows"][label]
    write_atomically(run / FILE, json.dumps(data, indent=1))
