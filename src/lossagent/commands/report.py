"""``lossagent report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lossagent.report import write_report


def report(
    run: Annotated[list[Path], typer.Argument(help="Run folder; further ones stand beside it, such as a fixed run.")],
    out: Annotated[Path | None, typer.Option(help="Page to write; report.html in the first folder by default.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
) -> None:
    """Writes one self-contained HTML page about a run, with figures as PNG files beside it.

    Example: lossagent report runs/niqe runs/fixed
    """
    page = write_report(run, out or run[0] / "report.html", title=title)
    typer.echo(f"Report: {page}")
