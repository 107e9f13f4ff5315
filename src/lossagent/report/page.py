"""Writes the report: one self-contained HTML page, and its figures as PNG files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from lossagent.errors import Refused
from lossagent.noise import FEWEST
from lossagent.report.costs import costs_of
from lossagent.report.crops import chosen, contact_sheet, crop_sheet
from lossagent.report.decisions import cards
from lossagent.report.figures import (
    courses,
    loss_figures,
    pareto_figures,
    score_figures,
    share_figures,
    weight_figures,
)
from lossagent.report.gaming import findings, summary, verdict
from lossagent.report.headline import headline
from lossagent.report.limits import rules
from lossagent.report.naming import fixed_run, metrics_of, styles_of
from lossagent.report.notices import environment_notices, warnings_of
from lossagent.report.people import people_of
from lossagent.report.pictures import shown_images
from lossagent.report.provenance import assets_of, image_sets_of, machine_of, versions_of
from lossagent.report.reading import RunData, read_run
from lossagent.report.remarks import remarks_of
from lossagent.report.sliders import sliders
from lossagent.report.tables import set_tables
from lossagent.report.templating import environment, template_text
from lossagent.report.words import asked

Context = dict[str, Any]
PACKAGE = "lossagent.report"


def write_report(
    runs: Sequence[Path],
    out: Path,
    *,
    title: str | None = None,
    claim_intervals: bool = True,
    notes: Sequence[str] = (),
) -> Path:
    """Writes the page on a run, with further runs beside it at the same budget.

    Args:
        runs: run folders; the first is the one reported.
        out: the HTML file; figures go into ``figures/`` beside it.
        title: heading of the page; the run's name without one.
        claim_intervals: ``False`` prints no interval and no judgement of a difference: for demonstrations on
            so few images that they show that the parts work, and nothing of quality.
        notes: sentences to show at the top.

    Returns:
        ``out``.

    Raises:
        Refused: no run was given, or a folder holds none that has started.
        Damaged: an event log that cannot be read.
    """
    if not runs:
        raise Refused("a report needs at least one run folder; found none.")
    read = tuple(read_run(Path(path)) for path in runs)
    context, files = _context(read, title, claim_intervals, notes)
    folder = out.parent / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    out.write_text(environment(PACKAGE).get_template("page.html.j2").render(context), encoding="utf-8")
    return out


def _context(
    runs: tuple[RunData, ...], title: str | None, intervals: bool, notes: Sequence[str]
) -> tuple[Context, dict[str, bytes]]:
    """What the templates are filled with, and the figure files."""
    main = runs[0]
    styles, metrics = styles_of(runs), metrics_of(runs)
    tables = set_tables(runs, styles, metrics, intervals=intervals)
    lines = courses(runs, styles)
    fixed = fixed_run(runs)
    groups = {
        "pareto": pareto_figures(lines, metrics, fixed),
        "weights": weight_figures(lines),
        "scores": score_figures(lines, metrics),
        "losses": loss_figures(lines),
        "shares": share_figures(lines),
    }
    best = chosen(shown_images(runs, styles))
    found = findings(main, metrics, fixed=fixed, intervals=intervals)
    files = {f"{figure.name}.png": figure.png for group in groups.values() for figure in group}
    if best:
        files["crops.png"] = contact_sheet(best)
    context: Context = {
        "css": Markup(template_text(PACKAGE, "style.css")),
        "script": Markup(template_text(PACKAGE, "page.js")),
        "title": title or main.name,
        "run": main,
        "runs": list(zip(runs, styles, strict=True)),
        "style": styles[0],
        "fixed": fixed,
        "intervals": intervals,
        "enough": FEWEST,
        "notes": tuple(notes),
        "headline": headline(tables),
        "asked": asked(main),
        "tables": tables,
        "metrics": tuple(metrics.values()),
        "figures": groups,
        "sheets": tuple(crop_sheet(shown) for shown in best),
        "sliders": sliders(best),
        "counted": lines[0].axis.counted,
        "findings": found,
        "verdict": verdict(found),
        "summary": summary(found),
        "rules": rules(main, fixed, metrics),
        "people": people_of(main),
        "remarks": remarks_of(main),
        "cards": cards(main, metrics, fixed=fixed, intervals=intervals),
        "costs": costs_of(runs, styles),
        "warnings": warnings_of(runs),
        "legal": environment_notices(main),
        "versions": versions_of(main),
        "machine": machine_of(main),
        "assets": assets_of(main),
        "image_sets": image_sets_of(main),
        "settings": yaml.safe_dump(dict(main.experiment), sort_keys=False, allow_unicode=True),
        "initial": main.trajectory.initial,
    }
    return context, files
