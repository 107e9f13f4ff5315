"""``lossagent score``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lossagent.data import read
from lossagent.errors import UnknownName
from lossagent.metrics import MetricOptions, ScoreRow, create, score_paths
from lossagent.metrics.colour import Space


def score(
    metric: Annotated[str, typer.Argument(help="niqe is MATLAB's and BasicSR's, niqe_yiq is pyiqa's default.")],
    paths: Annotated[list[Path], typer.Argument(help="Image files or folders.")],
    reference: Annotated[
        list[Path] | None, typer.Option(help="Ground truth: a file or folder, matched by name.")
    ] = None,
    space: Annotated[str | None, typer.Option(help="rgb or y (MATLAB's YCbCr luma), for psnr and ssim.")] = None,
    border: Annotated[int, typer.Option(help="Pixels left out on each side.")] = 0,
    crop: Annotated[
        bool, typer.Option(help="Cut references that are a few pixels larger to the image's size.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """A metric on files or folders.

    Example: lossagent score psnr restored/ --reference HR/ --space y --border 4 --crop
    """
    chosen: Space | None = None
    if space is not None:
        if space not in ("rgb", "y"):
            raise UnknownName("colour space", space, ("rgb", "y"))
        chosen = "rgb" if space == "rgb" else "y"
    rows = score_paths(
        create(metric, MetricOptions(space=chosen, border=border)),
        paths,
        reference or (),
        read=read,
        crop_references=crop,
    )
    if as_json:
        typer.echo(json.dumps([row.record() for row in rows], indent=1))
    else:
        _print(rows)


def _print(rows: list[ScoreRow]) -> None:
    table = Table("image", rows[0].metric, box=None)
    for row in rows:
        table.add_row(Path(row.path).name, f"{row.value:.4f}")
    if len(rows) > 1:
        table.add_row("mean", f"{sum(row.value for row in rows) / len(rows):.4f}")
    Console().print(table)
