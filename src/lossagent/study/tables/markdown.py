"""Tables as GitHub Markdown."""

from __future__ import annotations

from lossagent.evaluation.rendering import markdown_text
from lossagent.study.tables.cells import MARKS, Cell, Row, Section, Table


def section_text(section: Section, heading: str) -> str:
    """A section with its tables, one blank line between blocks."""
    parts = [f"## {markdown_text(heading)}"]
    if section.about:
        parts.append(markdown_text(section.about))
    parts += [table_text(table) for table in section.tables]
    return "\n\n".join(parts)


def table_text(table: Table) -> str:
    """A table under a heading of the third level, with its notes."""
    heads = " | ".join(_head(head, note) for head, note in table.columns)
    lines = [f"| {markdown_text(table.first)} | {heads} |", "|:---|" + "---:|" * len(table.columns)]
    lines += [f"| {_label(row)} | " + " | ".join(_cell(cell) for cell in row.cells) + " |" for row in table.rows]
    notes = "\n".join(f"- {markdown_text(note)}" for note in table.notes)
    return f"### {markdown_text(table.title)}\n\n" + "\n".join(lines) + (f"\n\n{notes}" if notes else "")


def _head(head: str, note: str) -> str:
    return f"{markdown_text(head)}<br>{markdown_text(note)}" if note else markdown_text(head)


def _label(row: Row) -> str:
    text = markdown_text(row.label)
    return f"*{text}*" if row.kind == "beside" else text


def _cell(cell: Cell) -> str:
    text = " ".join(part for part in (markdown_text(cell.text), MARKS[cell.mark]) if part)
    return f"{text}<br>{markdown_text(cell.note)}" if cell.note else text
