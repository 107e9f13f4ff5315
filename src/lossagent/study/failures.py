"""Runs of a study that were given up, and why, as files beside the outcomes."""

from __future__ import annotations

import json
import time
from pathlib import Path

from lossagent.runs import write_atomically
from lossagent.study.jobs import Job

FOLDER = "failures"


def write_failure(study: Path, job: Job, reason: str) -> None:
    """Records why a run was given up."""
    file = _file(study, job)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps({"reason": reason, "time": time.time()}, indent=1))


def read_failure(study: Path, job: Job) -> str | None:
    """Why a run was given up; ``None`` where it was not."""
    file = _file(study, job)
    return str(json.loads(file.read_text(encoding="utf-8"))["reason"]) if file.exists() else None


def forget_failures(study: Path, jobs: tuple[Job, ...]) -> None:
    """Lets failed runs be tried again."""
    for job in jobs:
        _file(study, job).unlink(missing_ok=True)


def failures_among(study: Path, jobs: tuple[Job, ...]) -> dict[Job, str]:
    """Runs that were given up, and why."""
    found = {job: read_failure(study, job) for job in jobs}
    return {job: reason for job, reason in found.items() if reason is not None}


def set_aside(run: Path) -> None:
    """Moves a damaged run folder out of the way of a new one."""
    number = 1
    while (target := run.with_name(f"{run.name}.damaged-{number}")).exists():
        number += 1
    if run.exists():
        run.rename(target)


def _file(study: Path, job: Job) -> Path:
    return study / FOLDER / f"{job.key}.json"
