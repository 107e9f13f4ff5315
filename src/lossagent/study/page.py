"""Writes what a study found: one self-contained HTML page, the same as Markdown and JSON, and its figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from markupsafe import Markup

from lossagent.report.figures.canvas import Figure
from lossagent.report.palette import RunStyle
from lossagent.report.templating import environment, template_text
from lossagent.runs import write_atomically
from lossagent.study.comparisons import on_test_set
from lossagent.study.figures import figures_of, styles_of
from lossagent.study.loading import Folder, read_folder
from lossagent.study.primary import Verdict, interval_words, judge
from lossagent.study.provenance import made
from lossagent.study.registering import plain
from lossagent.study.tables import MARKS, WORDS, Section, sections_of
from lossagent.study.tables.incomplete import incomplete
from lossagent.study.text import DRAWN, page_text

PAGE, TABLES, TEXT, FIGURES = "page.html", "tables.json", "results.md", "figures"


@dataclass(frozen=True)
class Chapter:
    """What there is of one objective.

    Attributes:
        objective: its name.
        sections: tables, in order.
        figures: section -> figures; some sections have figures alone.
        styles: arm -> how it is drawn.
    """

    objective: str
    sections: tuple[Section, ...]
    figures: Mapping[str, tuple[Figure, ...]]
    styles: Mapping[str, RunStyle]


def write_page(folder: Path) -> Path:
    """Writes ``page.html``, ``results.md``, ``tables.json`` and ``figures/*.png`` into a study folder.

    The study need not be complete: what is missing is listed, and the primary comparison then says so.

    Args:
        folder: with ``study.yaml`` and ``results``.

    Returns:
        The page.

    Raises:
        Refused: no study folder.
        Damaged: a file of it is not what was written.
    """
    read = read_folder(folder)
    results = read.results
    added = [one for more in (read.registration.later if read.registration is not None else ()) for one in more.added]
    verdict = judge(results, results.primary, added, read.plan) if results.primary is not None else None
    chapters = tuple(_chapter(read, objective) for objective in results.objectives)
    place = folder / FIGURES
    place.mkdir(parents=True, exist_ok=True)
    for figure in (f for chapter in chapters for several in chapter.figures.values() for f in several):
        (place / f"{figure.name}.png").write_bytes(figure.png)
    title = f"Simulated: {results.name}" if results.simulated else results.name
    facts = made(read)
    write_atomically(folder / TABLES, json.dumps(_plain(read, chapters, verdict), indent=1, allow_nan=False) + "\n")
    figures = {c.objective: {key: [(f.title, f"{FIGURES}/{f.name}.png", f.alt) for f in several]
                             for key, several in c.figures.items()} for c in chapters}  # fmt: skip
    text = page_text(
        title, verdict, facts, {c.objective: c.sections for c in chapters}, figures, read.missing, read.strangers
    )
    write_atomically(folder / TEXT, text)
    context = {
        "css": Markup(template_text("lossagent.report", "style.css") + template_text("lossagent.study", "study.css")),
        "title": title,
        "read": read,
        "chapters": chapters,
        "verdict": verdict,
        "interval": interval_words(verdict) if verdict is not None else "",
        "facts": facts,
        "marks": MARKS,
        "drawn_alone": DRAWN,
        "words": WORDS,
        "settings": yaml.safe_dump(plain(read.study), sort_keys=False, allow_unicode=True),
    }
    page = environment("lossagent.study").get_template("study.html.j2").render(context)
    write_atomically(folder / PAGE, page)
    return folder / PAGE


def _chapter(read: Folder, objective: str) -> Chapter:
    styles = styles_of(read.results.arms(objective))
    figures = figures_of(read.path, read.results, objective, styles)
    return Chapter(objective, sections_of(read.results, objective), figures, styles)


def _plain(read: Folder, chapters: Sequence[Chapter], verdict: Verdict | None) -> dict[str, object]:
    """Everything as plain data; what has no bound is null."""
    results = read.results
    comparisons = [
        {
            "objective": objective, "set": name, "metric": metric, "arm": arm, "against": reference,
            "seeds": list(one.seeds), "mean": one.test.mean, "low": _finite(one.interval.low),
            "high": _finite(one.interval.high), "interval": one.interval.method, "p": one.test.p,
            "p_holm": one.corrected, "test": one.test.method, "verdict": WORDS[one.verdict],
        }
        for objective in results.objectives
        for name in results.sets(objective)
        for metric in results.compared(objective)
        for reference, rows in on_test_set(results, objective, name, metric).items()
        for arm, one in rows.items()
    ]  # fmt: skip
    primary = None
    if verdict is not None:
        primary = {
            "kind": verdict.kind, "sentence": verdict.sentence, "setting": verdict.setting,
            "in_words": interval_words(verdict), "seeds": list(verdict.seeds), "planned": list(verdict.planned),
            "mean": verdict.test.mean if verdict.test else None, "p": verdict.test.p if verdict.test else None,
            "low": _finite(verdict.interval.low) if verdict.interval else None,
            "high": _finite(verdict.interval.high) if verdict.interval else None,
            "guards": [asdict(guard) for guard in verdict.guards], "caveats": list(verdict.caveats),
        }  # fmt: skip
    return {
        "study": results.name,
        "simulated": results.simulated,
        "registered": read.registration.model_dump(mode="json") if read.registration is not None else None,
        "plan": read.plan,
        "primary": primary,
        "comparisons": comparisons,
        "tables": {
            chapter.objective: [asdict(table) for section in chapter.sections for table in section.tables]
            for chapter in chapters
        },
        "incomplete": [
            {"objective": objective, **asdict(one)}
            for objective in results.objectives
            for one in incomplete(results, objective, results.outcomes[objective])
        ],
        "missing": [{"run": key, "why": why} for key, why in read.missing],
        "left_out": list(read.strangers),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
