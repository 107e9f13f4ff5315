"""The first numbers on the page: each objective on the set that was never used for a choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lossagent.report.naming import MetricInfo
from lossagent.report.tables import Row, SetTable


@dataclass(frozen=True)
class Number:
    """A number of the headline and whose it is."""

    label: str
    note: str
    value: str
    colour: str | None
    reported: bool


@dataclass(frozen=True)
class Headline:
    """A metric on a set: start, fixed run, agents, ground truth."""

    metric: MetricInfo
    set_name: str
    purpose: str
    images: int
    numbers: tuple[Number, ...]


def headline(tables: Sequence[SetTable]) -> tuple[Headline, ...]:
    """One line a target metric, on the first table that has it; tables come test sets first."""
    lines: list[Headline] = []
    for table in tables:
        for column, metric in enumerate(table.metrics):
            if metric.objective and metric.name not in {line.metric.name for line in lines}:
                numbers = tuple(_numbers(table.rows, column))
                lines.append(Headline(metric, table.name, table.purpose, table.images, numbers))
    return tuple(lines)


def _numbers(rows: Sequence[Row], column: int) -> Iterator[Number]:
    for row in rows:
        if row.kind == "control" or row.label.endswith((", last", ", same depth")):
            continue
        label, _, which = row.label.partition(", ")
        note = "" if row.kind == "truth" else row.note if row.kind == "start" else _where(which, row.note)
        yield Number(label, note, row.cells[column].value, row.colour, row.reported)


def _where(which: str, note: str) -> str:
    """``selected S7, depth 6`` of a row's longer note."""
    return f"{which}: {', '.join(note.split(', ')[:2])}" if note else which
