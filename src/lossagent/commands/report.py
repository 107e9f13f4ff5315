"""``lossagent report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lossagent.errors import Refused
from lossagent.report import write_report


def report(
    run: Annotated[
        list[Path],
        typer.Argument(help="Run folder; further ones stand beside it, such as a fixed run. Or one study folder."),
    ],
    out: Annotated[Path | None, typer.Option(help="Page to write; report.html in the first folder by default.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
) -> None:
    """Writes one self-contained HTML page about a run, with figures as PNG files beside it.

    Of a study folder it writes page.html, results.md, tables.json and figures, from the runs that are finished.

    Example: lossagent report runs/niqe runs/fixed
    """
    studies = [folder for folder in run if (folder / "study.yaml").is_file()]
    if not studies:
        page = write_report(run, out or run[0] / "report.html", title=title)
    elif len(run) > 1 or out is not None or title is not None:
        raise Refused(
            f"{studies[0]} is a study: it is reported alone, inside its folder and under its own name. Give that one "
            "folder, without --out and --title."
        )
    else:
        from lossagent.study.page import write_page  # a run's report needs none of what a study is planned with

        page = write_page(run[0])
    typer.echo(f"Report: {page}")
