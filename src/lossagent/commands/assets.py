"""``lossagent assets``: weights that come from elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table

from lossagent import assets

app = typer.Typer(no_args_is_help=True, help="Weights that come from elsewhere: list, fetch, verify.")


@app.command("list")
def show() -> None:
    """What there is, its licence and size, and whether it is on this machine.

    Example: lossagent assets list
    """
    table = Table("name", "what", "licence", "size", "sha256", "here", box=None)
    for status in assets.status_table():
        entry = status.asset
        table.add_row(entry.name, entry.what, entry.licence, entry.megabytes, _hash(entry), status.state)
    console = Console(highlight=False, emoji=False)
    console.print(table)
    console.print(
        "sha256: published; by prefix: its first digits are; pinned: none was, and this machine's first one counts; "
        "unknown: none is, and the first file that is fetched will be pinned.",
        markup=False,
    )
    console.print(f"Cache: {assets.cache()} (LOSSAGENT_HOME moves it)", markup=False)


def _hash(entry: assets.Asset) -> str:
    """How much of an asset's hash is known, in a word."""
    if len(entry.sha256) == 64:
        return "published"
    if len(assets.known_digest(entry)) == 64:
        return "pinned"
    return "by prefix" if entry.sha256 else "unknown"


@app.command()
def fetch(names: Annotated[list[str], typer.Argument(help="Names from `lossagent assets list`.")]) -> None:
    """Brings weights to this machine and checks their hash.

    Example: lossagent assets fetch smollm2-135m-instruct efficientnet-lite0
    """
    console = Console(highlight=False, emoji=False)
    for name in names:
        entry = assets.asset(name)
        console.print(f"{name}: {entry.what}, {entry.megabytes}, licence: {entry.licence}", markup=False)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(name, total=entry.size)

            def report(what: str, done: int, total: int) -> None:
                if what.startswith("pinned"):
                    bar.console.print(f"{name}: no whole hash is published; {what}", markup=False)  # noqa: B023
                bar.update(task, description=what, completed=done, total=total)  # noqa: B023  (used in this turn only)

            path = assets.fetch(name, report)
        console.print(f"{name}: {path}", markup=False)


@app.command()
def verify() -> None:
    """Hashes everything that is on this machine.

    Example: lossagent assets verify
    """
    console = Console(highlight=False, emoji=False)
    damaged = False
    for status in assets.status_table(hashed=True):
        console.print(f"{status.asset.name}: {status.state} {status.detail}", markup=False)
        damaged |= status.state == "damaged"
    if damaged:
        raise typer.Exit(1)
