"""``lossagent score``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lossagent.build.scores import metric_of
from lossagent.data import read
from lossagent.errors import Refused, UnknownName
from lossagent.experiment.metrics import SHIFTED, facts_in
from lossagent.iqa import Scalar, entry, installed, licence_notice
from lossagent.iqa.listing import PREFIX
from lossagent.metrics import METRICS, Metric, MetricOptions, PyIQA, ScoreRow, create, known, score_paths
from lossagent.metrics.colour import Space


def _list(wanted: bool) -> bool:
    """Prints the metrics there are and ends, where that is wanted."""
    if not wanted:
        return wanted
    table = Table("metric", "better", "usual range", "compares", box=None)
    built_in = facts_in({})
    for name in (*METRICS, SHIFTED, *(name for name in known() if name.startswith(PREFIX))):
        facts = entry(name) if name.startswith(PREFIX) else built_in(name)
        ends = ("" if end is None else f"{end:g}" for end in (facts.low, facts.high))
        table.add_row(escape(name), facts.direction, " to ".join(ends), "yes" if facts.needs_reference else "")
    Console(emoji=False).print(table)
    if installed():
        typer.echo(licence_notice(), err=True)
    else:
        typer.echo("pyiqa's metrics: pip install 'lossagent[iqa]'", err=True)
    raise typer.Exit


def score(
    metric: Annotated[
        str,
        typer.Argument(help="niqe is MATLAB's and BasicSR's, niqe_yiq is pyiqa's default; pyiqa:NAME are pyiqa's own."),
    ],
    paths: Annotated[list[Path], typer.Argument(help="Image files or folders.")],
    reference: Annotated[
        list[Path] | None, typer.Option(help="Ground truth: a file or folder, matched by name.")
    ] = None,
    space: Annotated[str | None, typer.Option(help="rgb or y (MATLAB's YCbCr luma), for psnr and ssim.")] = None,
    border: Annotated[int, typer.Option(help="Pixels left out on each side.")] = 0,
    crop: Annotated[
        bool, typer.Option(help="Cut references that are a few pixels larger to the image's size.")
    ] = False,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of a pyiqa metric, e.g. color_space=ycbcr; repeatable.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Where a pyiqa metric is computed: cpu, cuda, ...")] = None,
    download: Annotated[bool, typer.Option("--download", help="Let a pyiqa metric fetch missing weights.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="List the metrics and end.", is_eager=True, callback=_list)
    ] = False,
) -> None:
    """A metric on files or folders.

    Example: lossagent score psnr restored/ --reference HR/ --space y --border 4 --crop
    """
    del listed
    chosen: Space | None = None
    if space is not None:
        if space not in ("rgb", "y"):
            raise UnknownName("colour space", space, ("rgb", "y"))
        chosen = "rgb" if space == "rgb" else "y"
    if not metric.startswith(PREFIX):
        for name, given in (("--option", option), ("--device", device), ("--download", download)):
            if given:
                raise Refused(f"{name} is for metrics of pyiqa (pyiqa:NAME); found metric {metric!r}.")
    options = MetricOptions(
        space=chosen, border=border, foreign=_foreign(option or ()), device=device, download=download
    )
    made = _made(metric, options)
    if isinstance(made, PyIQA):
        made.load()
        typer.echo(licence_notice(), err=True)
    rows = score_paths(made, paths, reference or (), read=read, crop_references=crop)
    if as_json:
        typer.echo(json.dumps([row.record() for row in rows], indent=1))
    else:
        _print(rows)


def _made(name: str, options: MetricOptions) -> Metric:
    if name != SHIFTED:
        return create(name, options)
    options.only(name, frozenset())
    return metric_of(name, 1)


def _foreign(given: list[str] | tuple[str, ...]) -> dict[str, Scalar]:
    """``NAME=VALUE`` -> options, values as YAML reads them: ``true``, ``4``, ``0.5``, ``ycbcr``."""
    options: dict[str, Scalar] = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            read_value: object = yaml.safe_load(value) if equals else None
        except yaml.YAMLError:
            read_value = None
        if not name or not isinstance(read_value, str | int | float):
            raise Refused(f"--option must be NAME=VALUE with a text, number or true/false; found {text!r}.")
        if name in options:
            raise Refused(f"--option {name} was given twice.")
        options[name] = read_value
    return options


def _print(rows: list[ScoreRow]) -> None:
    table = Table("image", rows[0].metric, box=None)
    for row in rows:
        table.add_row(Path(row.path).name, f"{row.value:.4f}")
    if len(rows) > 1:
        table.add_row("mean", f"{sum(row.value for row in rows) / len(rows):.4f}")
    Console(emoji=False).print(table)
