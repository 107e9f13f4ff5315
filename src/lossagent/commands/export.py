"""``lossagent export``."""

from __future__ import annotations

import importlib.metadata
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from torch import nn

from lossagent.adapters.optuna import to_study
from lossagent.build.networks import network_of_run
from lossagent.errors import MissingPackage, Refused
from lossagent.experiment import load
from lossagent.replay.schedule import schedule_of
from lossagent.restorers import export_restorer, known_to_spandrel, reopened
from lossagent.runs import is_run, write_atomically

SAME = 1e-5
"""Outputs that differ by no more are those of the same network."""


class Format(StrEnum):
    """How weights are written."""

    safetensors = "safetensors"
    pth = "pth"


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    state: Annotated[str, typer.Option(help="State of the run: selected, last, start or a number.")] = "selected",
    out: Annotated[
        Path | None, typer.Option(help="File to write; RUN-STATE.safetensors in this folder otherwise.")
    ] = None,
    kind: Annotated[
        Format | None, typer.Option("--format", help="Kind of file, where --out does not say it: safetensors.")
    ] = None,
    schedule: Annotated[
        Path | None,
        typer.Option(help="Write the weights that led to the state instead, as an experiment that needs no agent."),
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print the table of --schedule as CSV; Markdown otherwise.")
    ] = False,
    optuna: Annotated[
        str | None,
        typer.Option(help="Add the states to an Optuna study in this storage instead, e.g. sqlite:///steering.db."),
    ] = None,
) -> None:
    """Writes the restorer of a run as one file, and says which programs open it.

    Networks that spandrel knows (SwinIR, and those that came from it) open in spandrel and chaiNNer; where spandrel is
    installed the file is opened again and compared. With --schedule: the weights that the run has found. With --optuna:
    the trajectory as a study that Optuna's dashboard opens; again, it adds the states that are new.

    Example: lossagent export runs/niqe --out niqe.safetensors
    """
    if optuna is not None:
        if out is not None or kind is not None or schedule is not None or csv or state != "selected":
            raise Refused(
                "--optuna writes all states to a study: leave out --out, --format, --schedule, --csv and --state."
            )
        _write_study(run, optuna)
        return
    if schedule is not None:
        if out is not None or kind is not None:
            raise Refused("--schedule writes an experiment, not a restorer: leave out --out and --format.")
        _write_schedule(run, state, schedule, csv)
        return
    if csv:
        raise Refused("--csv is about the table of --schedule OUT.yaml; give that too.")
    target = _target(run, state, out, kind)
    network, application = network_of_run(run, state)
    settings = load(run / "experiment.yaml").restorer
    facts = {
        "network": settings.network,
        "arguments": json.dumps(dict(settings.arguments)),
        "scale": str(application.scale),
        "multiple": str(application.multiple),
        "run": run.resolve().name,
        "state": state,
        "program": f"lossagent {importlib.metadata.version('lossagent')}",
    }
    export_restorer(network, facts, target)
    count = sum(parameter.numel() for parameter in network.parameters())
    typer.echo(f"{target}: {type(network).__name__} x{application.scale}, {count:,} parameters")
    typer.echo(_verdict(network, target))


def _write_schedule(run: Path, state: str, target: Path, csv: bool) -> None:
    """The table on the screen, the experiment in a file."""
    if target.exists():
        raise Refused(f"{target} exists already and is not written over. Remove it, or choose another --schedule.")
    found = schedule_of(run, state)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, found.yaml())
    typer.echo(found.csv() if csv else found.markdown())
    for note in found.notes:
        typer.echo(f"Note: {note}", err=True)
    typer.echo(f"Experiment: {target}. Train it without an agent: lossagent run {target}", err=True)


def _write_study(run: Path, storage: str) -> None:
    study = to_study(run, storage)
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    failed = sum(state.name == "FAIL" for state in states)
    typer.echo(f"{storage}: study {study.study_name!r} has {len(states)} trials, {failed} of them failed")


def _target(run: Path, state: str, out: Path | None, kind: Format | None) -> Path:
    """The file to write; one that is there is somebody's."""
    if not is_run(run):
        raise Refused(f"{run} is no run folder: it has no experiment.yaml.")
    if out is not None and out.is_dir():
        raise Refused(f"--out must be a file to write; {out} is a folder. Write for example --out {out / 'net.pth'}.")
    if out is not None and kind is not None and out.suffix not in ("", f".{kind}"):
        raise Refused(f"--out {out} and --format {kind} disagree; give one of them.")
    target = Path(f"{run.resolve().name}-{state}") if out is None else out
    if out is None or not out.suffix:
        target = target.with_name(f"{target.name}.{kind or Format.safetensors}")
    if target.exists():
        raise Refused(f"{target} exists already and is not written over. Remove it, or choose another --out.")
    return target


def _verdict(network: nn.Module, path: Path) -> str:
    """Which programs open the file, as far as it can be said."""
    known = known_to_spandrel(network)
    try:
        architecture, difference = reopened(network, path)
    except MissingPackage:
        if known.architecture is None:
            return _only_here(known.reason)
        return (
            f"spandrel and chaiNNer open it as {known.architecture}. That was not checked, since spandrel is not "
            "installed: pip install 'lossagent[archs]'"
        )
    except Refused as error:
        if known.architecture is None:
            return _only_here(known.reason)
        return f"spandrel does not open it again, though {known.architecture} is known to it: {error}"
    if known.architecture is None and difference > SAME:
        return _only_here(f"{known.reason}; it is opened as {architecture} and then gives other images")
    said = f"Opened again with spandrel as {architecture}: outputs differ by at most {difference:.1e}."
    if difference > SAME:
        return f"{said} That is more than rounding ({SAME:g}): do not use the file there."
    return f"{said} chaiNNer and lossagent open it too."


def _only_here(reason: str) -> str:
    return f"lossagent opens it; spandrel and chaiNNer do not: {reason}."
