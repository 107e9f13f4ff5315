"""What a study found as GitHub Markdown, to be committed beside the study file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lossagent.evaluation.rendering import markdown_text
from lossagent.study.primary import Verdict, interval_words
from lossagent.study.tables.cells import MARKS, Cell, Row, Section, Table

Pictures = Mapping[str, Sequence[tuple[str, str, str]]]
"""Section -> (title, file, what is seen) of its figures."""
DRAWN = {"crops": ("Crops", "What the numbers look like"), "course": ("Course", "The course of the runs")}
"""Section that has figures alone -> how it is called, in short and as a heading."""
EXPLORATORY = "Everything below is exploratory: it was not what the study was made to decide."


def page_text(
    title: str,
    verdict: Verdict | None,
    facts: Sequence[tuple[str, str]],
    chapters: Mapping[str, Sequence[Section]],
    figures: Mapping[str, Pictures],
    missing: Sequence[tuple[str, str]],
    strangers: Sequence[str],
) -> str:
    """The whole page.

    Args:
        title: its heading.
        verdict: of the primary comparison, where there is one.
        facts: how the study was made.
        chapters, figures: objective -> tables and pictures.
        missing: (run, why) of runs without an outcome.
        strangers: outcomes that were left out.
    """
    parts = [f"# {markdown_text(title)}", _verdict(verdict)]
    for objective, sections in chapters.items():
        name = f" ({objective})" if len(chapters) > 1 else ""
        for section in sections:
            parts.append(section_text(section, section.title + name))
            parts += _pictures(figures[objective].get(section.key, ()))
        for key, (_, heading) in DRAWN.items():
            if alone := figures[objective].get(key):
                parts += [f"## {markdown_text(heading + name)}", *_pictures(alone)]
    parts += ["## How it was made", "\n".join(f"- **{markdown_text(k)}**: {markdown_text(v)}" for k, v in facts)]
    if missing or strangers:
        lines = [f"- {markdown_text(key)}: {markdown_text(why)}" for key, why in missing]
        lines += [f"- {markdown_text(key)}: left out, the study does not ask for it" for key in strangers]
        parts += ["## What is missing", "\n".join(lines)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return "No primary comparison was named before the runs: everything here is exploratory."
    lines = [
        f"**{markdown_text(verdict.sentence)}** {markdown_text(interval_words(verdict))}",
        markdown_text(f"{verdict.setting}."),
    ]
    guards = [
        f"- {markdown_text(f'{g.arm}: {g.words}')}: {'kept' if g.kept else 'broken'} in the mean, "
        f"{g.seeds} of {len(verdict.seeds)} seeds one by one"
        for g in verdict.guards
    ]
    lines += ["\n".join(guards)] if guards else []
    return "\n\n".join([*lines, *(markdown_text(c) for c in verdict.caveats), EXPLORATORY])


def _pictures(figures: Sequence[tuple[str, str, str]]) -> list[str]:
    return [f"![{markdown_text(alt)}]({file})\n\n*{markdown_text(title)}*" for title, file, alt in figures]


def section_text(section: Section, heading: str) -> str:
    """A section with its tables, one blank line between blocks."""
    parts = [f"## {markdown_text(heading)}"]
    if section.about:
        parts.append(markdown_text(section.about))
    parts += [table_text(table) for table in section.tables]
    if section.notes:
        parts.append("\n".join(f"- {markdown_text(note)}" for note in section.notes))
    return "\n\n".join(parts)


def table_text(table: Table) -> str:
    """A table under a heading of the third level, with its notes."""
    heads = " | ".join(_head(head, note) for head, note in table.columns)
    lines = [f"| Arm | {heads} |", "|:---|" + "---:|" * len(table.columns)]
    lines += [f"| {_label(row)} | " + " | ".join(_cell(cell) for cell in row.cells) + " |" for row in table.rows]
    notes = "\n".join(f"- {markdown_text(note)}" for note in table.notes)
    return f"### {markdown_text(table.title)}\n\n" + "\n".join(lines) + (f"\n\n{notes}" if notes else "")


def _head(head: str, note: str) -> str:
    return f"{markdown_text(head)}<br>{markdown_text(note)}" if note else markdown_text(head)


def _label(row: Row) -> str:
    text = markdown_text(row.label)
    return f"*{text}*" if row.kind == "beside" else text


def _cell(cell: Cell) -> str:
    text = " ".join(p for p in (markdown_text(cell.text), MARKS[cell.mark], markdown_text(cell.aside)) if p)
    return f"{text}<br>{markdown_text(cell.note)}" if cell.note else text
