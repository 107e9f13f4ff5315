"""Tables as Markdown and as LaTeX."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lossagent.evaluation.tables import TRUTH, Cell, Table

_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "†": r"$^\dagger$",
    "∞": r"$\infty$",
    "×": r"$\times$",
    "–": "--",
}


def markdown(tables: Sequence[Table], heading: str, rules: Sequence[str]) -> str:
    """A Markdown page: each table, then the rules."""
    how = ["Best in **bold**, second of three or more <u>underlined</u>, by the digits shown."]
    how += [markdown_text(rule) for rule in rules]
    parts = [f"# {markdown_text(heading)}", *(_markdown(table) for table in tables)]
    return "\n\n".join([*parts, "## How this was measured", "\n".join(f"- {rule}" for rule in how)]) + "\n"


def _markdown(table: Table) -> str:
    lines = [
        f"| {markdown_text(table.first)} | " + " | ".join(markdown_text(c) for c in table.columns) + " |",
        "|:---|" + "---:|" * len(table.columns),
    ]
    for label, cells in table.rows.items():
        name = f"*{markdown_text(label)}*" if label == TRUTH else markdown_text(label)
        shown = [_marked(cell, p, "**", "**", "<u>", "</u>", "†") for cell, p in zip(cells, table.places, strict=True)]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    notes = "\n".join(f"- {markdown_text(note)}" for note in table.notes)
    return f"## {markdown_text(table.title)}\n\n" + "\n".join(lines) + (f"\n\n{notes}" if notes else "")


def latex(tables: Sequence[Table], rules: Sequence[str]) -> str:
    """LaTeX tables for the package booktabs; best in bold, second best underlined."""
    head = "".join(f"% {line}\n" for rule in rules for line in rule.splitlines())
    return head + "% \\usepackage{booktabs}\n\n" + "\n".join(_latex(table) for table in tables)


def _latex(table: Table) -> str:
    rows: list[str] = []
    for label, cells in table.rows.items():
        if label == TRUTH:
            rows.append(r"\midrule")
        shown = [
            _marked(cell, places, r"\textbf{", "}", r"\underline{", "}", r"$^\dagger$")
            for cell, places in zip(cells, table.places, strict=True)
        ]
        rows.append(" & ".join([tex(label), *shown]) + r" \\")
    caption = " ".join([f"{table.title}.", *table.notes])
    return (
        "\n".join(
            [
                r"\begin{table}[t]",
                r"\centering",
                rf"\caption{{{tex(caption)}}}",
                rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
                r"\toprule",
                " & ".join([tex(table.first), *(tex(c) for c in table.columns)]) + r" \\",
                r"\midrule",
                *rows,
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )
        .replace("∞", r"$\infty$")
        .replace("–", "--")
    )


def _marked(cell: Cell, places: int, bold: str, bold_end: str, under: str, under_end: str, dagger: str) -> str:
    if cell.value is None:
        return ("n/a" if cell.reason else "–") + (dagger if cell.steered else "")
    text = "∞" if math.isinf(cell.value) else f"{cell.value:.{places}f}"
    if cell.best:
        text = f"{bold}{text}{bold_end}"
    elif cell.second:
        text = f"{under}{text}{under_end}"
    return text + (dagger if cell.steered else "")


def tex(text: str) -> str:
    """Text with TeX's own characters escaped."""
    return "".join(_TEX.get(character, character) for character in text)


def markdown_text(text: str) -> str:
    """Text in which nothing is Markdown: a name may hold anything."""
    flat = " ".join(text.split())
    for character in "\\`*_|<>[]":
        flat = flat.replace(character, "\\" + character)
    return flat
