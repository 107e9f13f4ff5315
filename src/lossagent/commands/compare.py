"""``lossagent compare``: a study, by one worker or many."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lossagent.errors import Failed, Interrupted, Refused, UnknownName
from lossagent.session import ScoreMemory
from lossagent.study.carrying import MEMORY, Carrier
from lossagent.study.failures import failures_among, forget_failures
from lossagent.study.jobs import Job
from lossagent.study.leading import Leader, cores, threads
from lossagent.study.outcome import RESULTS
from lossagent.study.plan import Study
from lossagent.study.queue import STALE
from lossagent.study.registering import register
from lossagent.study.rehearsing import rehearse
from lossagent.study.submitting import Resources, submit
from lossagent.study.telling import failures_text
from lossagent.study.working import join_in
from lossagent.training.interrupts import Stop

STORAGE = "Database that says who runs what (sqlite:///..., postgresql://...); by default a file in the study folder."


def compare(
    study: Annotated[Path, typer.Argument(help="Study file: an experiment, arms, seeds.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes of its experiment: training.stages=8.")] = None,
    out: Annotated[Path | None, typer.Option(help="Study folder; studies/NAME by default.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes on this machine; its cores by the threads of a run.")
    ] = None,
    storage: Annotated[str | None, typer.Option(help=STORAGE)] = None,
    only: Annotated[list[str] | None, typer.Option(help="Arm to run; the others wait. Repeatable.")] = None,
    limit: Annotated[float | None, typer.Option(min=0, help="Minutes after which no run is begun.")] = None,
    join: Annotated[bool, typer.Option("--join", help="Be one more worker of a study, from any machine.")] = False,
    tidy: Annotated[bool, typer.Option(help="Delete checkpoints of runs that are over.")] = True,
    again: Annotated[bool, typer.Option("--again", help="Try failed runs again.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Only write the page, from what there is.")] = False,
    stale: Annotated[
        float, typer.Option(min=1, help="Seconds of silence after which a worker elsewhere is taken for dead.")
    ] = STALE,
    slurm: Annotated[
        str | None, typer.Option(help="Submit the workers to this partition of Slurm (extra: cluster), and return.")
    ] = None,
    hours: Annotated[
        float, typer.Option(min=0.1, help="With --slurm: time of a job, which is requeued after it.")
    ] = 24,
    gpus: Annotated[int, typer.Option(min=0, help="With --slurm: accelerators of a worker.")] = 0,
    leader: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Runs arms x objectives x seeds at the same budget, and writes a page that compares them.

    Started again, what is unfinished goes on; more workers may join from any machine that sees the study folder.

    Example: lossagent compare study.yaml --out studies/niqe --workers 2
    """
    console = Console(highlight=False, soft_wrap=True, emoji=False, markup=False)
    plan = Study.load(study, overrides or [])
    folder = out or Path("studies") / plan.name
    if page:
        _write_page(folder, console)
        return
    jobs = chosen(plan, only or [])
    if not join and not (folder / RESULTS).exists():
        rehearse(plan, jobs)
    register(study, plan, folder, overrides or [])
    carrier = Carrier(plan, folder, ScoreMemory(folder / MEMORY), tidy)
    options = [word for arm in only or [] for word in ("--only", arm)] + ([] if tidy else ["--no-tidy"])
    options += ["--storage", storage] if storage is not None else []
    command = ["compare", str(study), *(overrides or []), "--out", str(folder), *options]
    if again:
        forget_failures(folder, jobs)
    deadline = None if limit is None else time.monotonic() + 60 * limit
    go_on = f"Go on with: {shlex.join(['lossagent', *command])}"
    words = [*command, "--join", "--stale", str(stale)]
    if slurm is not None:
        limited = words + ([] if limit is None else ["--limit", str(limit)])
        for job in submit(limited, folder, workers or 1, Resources(slurm, hours, threads(plan), gpus)):
            console.print(f"Submitted: job {job.job_id}")
        console.print(f"When they are over: {shlex.join(['lossagent', *command])} --page")
        return
    try:
        with Stop().listening():
            if join:
                complete = join_in(carrier, jobs, storage, stale, console.print, deadline, leader)
            else:
                complete = Leader(carrier, jobs, words, workers or cores(plan), console.print, deadline).lead()
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; what is finished is in {folder}. {go_on}") from None
    if not complete:
        why = "the workers were stopped" if deadline is None else "the time is up"
        raise Interrupted(f"{why}; what is finished is in {folder}. {go_on}")
    if leader is not None:
        return
    if not join:
        _write_page(folder, console)
    if failures := failures_among(folder, jobs):
        text = failures_text(failures)
        raise Failed(f"{len(failures)} of {len(jobs)} runs failed, the others are done:\n{text}\n{go_on} --again")


def chosen(study: Study, only: list[str]) -> tuple[Job, ...]:
    """The runs of some arms, and those that they have to know; all where none is named.

    Raises:
        UnknownName: an arm that the study has not got.
    """
    for arm in only:
        if arm not in study.names:
            raise UnknownName("arm of --only", arm, study.names)
    if not only:
        return study.jobs
    wanted = {job for job in study.jobs if job.arm in only}
    wanted |= {needed for job in wanted if (needed := study.needs(job)) is not None}
    return tuple(job for job in study.jobs if job in wanted)


def _write_page(folder: Path, console: Console) -> None:
    from lossagent.study.page import write_page

    if not (folder / RESULTS).is_dir():
        raise Refused(f"{folder} holds no finished run yet; there is nothing to show.")
    console.print(f"Page: {write_page(folder)}")
