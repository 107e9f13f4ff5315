"""``lossagent probe``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lossagent.commands.arms import carry_out, refuse_other
from lossagent.errors import Diverged
from lossagent.experiment import load
from lossagent.probe import Findings, Plan, find, plan_of, read_course, write_findings
from lossagent.probe.page import HEADS, proposals, row_of
from lossagent.runs import write_atomically
from lossagent.utility import UTILITY


def probe(
    experiment: Annotated[Path, typer.Argument(help="Experiment file; its agent plays no part.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes such as training.iterations=100.")] = None,
    settings: Annotated[int, typer.Option(help="Weights that are tried, the initial ones among them.")] = 6,
    repeats: Annotated[int, typer.Option(help="More runs under the initial weights, with other seeds.")] = 4,
    stages: Annotated[int, typer.Option(help="Stages of each run.")] = 3,
    out: Annotated[Path | None, typer.Option(help="Folder of the probe; probes/NAME by default.")] = None,
) -> None:
    """Is there anything to steer? Short runs under a few fixed weights against the noise of the score.

    Proposes stage length, bounds and feedback images. Started again, finished runs are not repeated.

    Example: lossagent probe experiment.yaml --settings 6 --stages 3
    """
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    chosen = load(experiment, overrides or [])
    plan = plan_of(chosen, settings, repeats, stages)
    folder = out or Path("probes") / chosen.name
    words = ["lossagent", "probe", str(experiment), *(overrides or []), "--settings", str(settings)]
    again = shlex.join([*words, "--repeats", str(repeats), "--stages", str(stages), "--out", str(folder)])
    console.print(f"{len(plan.runs)} runs, {plan.iterations} iterations in all.")
    failures = {name: _carried_out(plan, name, folder, console, again) for name in plan.runs}
    weights = {name: one.initial for name, one in plan.runs.items()}
    courses = {name: read_course(folder / name, weights[name], failures[name]) for name in plan.runs}
    found = find(plan, courses)
    page = write_findings(folder, plan, found)
    _print(plan, found, console)
    console.print(f"Page: {page}")


def _carried_out(plan: Plan, name: str, folder: Path, console: Console, again: str) -> str:
    """Runs what is left of a run; returns why it diverged, "" where it did not."""
    note = folder / f"{name}.diverged"
    refuse_other(folder / name, plan.runs[name])
    if note.exists():
        return note.read_text(encoding="utf-8").strip()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        carry_out(plan.runs[name], folder / name, None, console, again)
    except Diverged as error:
        write_atomically(note, f"diverged: {error}\n")
        console.print(f"{name} diverged; that is a finding, too.")
        return f"diverged: {error}"
    return ""


def _print(plan: Plan, found: Findings, console: Console) -> None:
    table = Table(*HEADS, title="The goal's utility, in points", title_justify="left", box=None)
    for one in found.spreads[UTILITY]:
        table.add_row(*row_of(one, plan.experiment.training.iterations))
    console.print(table)
    for line in proposals(found):
        console.print(f"Proposed {line}")
    for name, said in found.broken.items():
        console.print(f"{name} ({found.settings[name]}) broke: {'; '.join(said)}")
    for note in found.notes:
        console.print(f"Note: {note}")
    console.print(found.sentence)
