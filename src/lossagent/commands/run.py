"""``lossagent run`` and ``lossagent resume``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lossagent.commands.arms import baseline, carry_out_beside, without_fixed
from lossagent.console import Narrator
from lossagent.errors import Failed, Interrupted, LossAgentError, Refused, Waiting
from lossagent.experiment import Experiment, load
from lossagent.report import write_report
from lossagent.runs import is_run, read_trajectory, refuse_existing
from lossagent.session import Follower, Session
from lossagent.tracking import TRACKERS, check_names, tracked
from lossagent.training.interrupts import ending_alike
from lossagent.training.ranks import Ranks

TRACKER = f"Mirror curves, images and decisions to {', '.join(TRACKERS)} (extra: trackers). Repeatable."


def run(
    experiment: Annotated[Path, typer.Argument(help="Experiment file; `lossagent recipe` prints one to edit.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes such as training.stages=8.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder to make; runs/NAME by default.")] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(help="Baseline to run after it at the same budget, in OUT-NAME: fixed or random. Repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option(help="Check everything, show the first prompt and an estimate, stop.")
    ] = False,
    tracker: Annotated[list[str] | None, typer.Option(help=TRACKER)] = None,
) -> None:
    """Trains under steered loss weights.

    With baselines the report shows all runs; started again, what is unfinished goes on.

    Example: lossagent run experiment.yaml training.stages=8 --out runs/niqe --beside fixed
    """
    check_names(tracker or [])
    ranks = Ranks.join()
    console = Console(highlight=False, soft_wrap=True, emoji=False, quiet=not ranks.main)
    with ending_alike(ranks.size > 1):
        new = not dry_run and not beside
        chosen, folder = ranks.from_main(lambda: _chosen(experiment, overrides or [], out, new))
        for name in beside or []:
            baseline(chosen, name)  # an unknown one is refused by a rehearsal too
        if beside and not dry_run:
            if ranks.size > 1 or tracker:
                raise Refused("--beside runs on one process and without --tracker; start each run by itself.")
            _compared(chosen, folder, beside, console, again(experiment, overrides or [], folder, beside))
        elif dry_run:
            from lossagent.rehearsal import rehearse

            with ranks.in_touch():
                if "fixed" in (beside or []) and (rehearsed := without_fixed(chosen)) != chosen:
                    console.print("Limits relative to the fixed run are left out here: it is trained first.")
                    chosen = rehearsed
                rehearse(chosen, console)
        elif ranks.main:
            narrator = Narrator(console, chosen.name, chosen.training.stages)
            with tracked(narrator.watch, folder, tracker or []) as watch:
                _carry_out(Session.start(chosen, folder, watch), narrator, folder, console)
        else:
            Follower.join().run()
        ranks.leave()


def resume(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    tracker: Annotated[list[str] | None, typer.Option(help=TRACKER)] = None,
) -> None:
    """Goes on with an interrupted run, bit-exact on the same number of processes.

    Example: lossagent resume runs/niqe
    """
    check_names(tracker or [])
    ranks = Ranks.join()
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    with ending_alike(ranks.size > 1):
        stages = ranks.from_main(lambda: _stages(run))
        if ranks.main:
            narrator = Narrator(console, run.name, stages)
            with tracked(narrator.watch, run, tracker or []) as watch:
                _carry_out(Session.resume(run, watch), narrator, run, console)
        else:
            Follower.join().run()
        ranks.leave()


def _chosen(file: Path, overrides: list[str], out: Path | None, new: bool) -> tuple[Experiment, Path]:
    chosen = load(file, overrides)
    folder = out or Path("runs") / chosen.name
    if new:
        refuse_existing(folder)  # before the slow part of the checks
    return chosen, folder


def again(file: Path, overrides: list[str], folder: Path, beside: list[str]) -> str:
    """The command that goes on with a run and its baselines."""
    words = ["lossagent", "run", str(file), *overrides, "--out", str(folder)]
    return shlex.join([*words, *(part for name in beside for part in ("--beside", name))])


def _compared(chosen: Experiment, folder: Path, beside: list[str], console: Console, command: str) -> None:
    folders = carry_out_beside(chosen, folder, beside, console, command)
    page = write_report(folders, folder / "report.html")
    console.print(f"Report: {page}", markup=False)
    console.print(f"Runs:   {', '.join(str(f) for f in folders)}", markup=False)


def _stages(run: Path) -> int:
    if not is_run(run):
        raise Refused(f"{run} is no run folder: it has no experiment.yaml.")
    return load(run / "experiment.yaml").training.stages


def _carry_out(session: Session, narrator: Narrator, folder: Path, console: Console) -> None:
    hint = f"Go on with: lossagent resume {folder}"
    narrator.heed(session.steering)
    try:
        with narrator.bars():
            session.run()
    except KeyboardInterrupt as error:
        what = f"{error} " if isinstance(error, Interrupted) else ""
        raise Interrupted(f"{what}Everything finished is in {folder}. {hint}") from error
    except Waiting as error:
        page = write_report([folder], folder / "report.html")
        raise Waiting(f"{error} {hint}. Report so far: {page}", error.until) from error
    except Failed as error:
        raise Failed(f"{error} Finished states are in {folder}. {hint}") from error
    except LossAgentError:
        console.print(f"Finished states are in {folder}. {hint}", markup=False)
        raise
    page = write_report([folder], folder / "report.html")
    finished = read_trajectory(folder).finished
    if finished is not None:
        console.print(f"Kept state {finished.selected}: {finished.rule}.", markup=False)
    console.print(f"Report: {page}", markup=False)
    console.print(f"Images: {folder / 'images'}", markup=False)
