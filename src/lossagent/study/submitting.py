"""Workers of a study as Slurm jobs, through submitit."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossagent.errors import Failed, MissingPackage, Refused
from lossagent.study.leading import START

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

FOLDER = "slurm"


@dataclass(frozen=True)
class Resources:
    """What a worker asks Slurm for.

    Attributes:
        partition: where it runs, ``None`` for the cluster's default.
        hours: after which Slurm ends it; it is then put into the queue again, and its run goes on.
        threads: CPU cores.
        gpus: accelerators.
    """

    partition: str | None
    hours: float = 24.0
    threads: int = 1
    gpus: int = 0


@dataclass(frozen=True)
class Submitted:
    """What a job does: it is a worker, until nothing is left or Slurm ends it.

    Attributes:
        command: arguments of ``lossagent`` that make one worker.
        folder: where the command was given.
    """

    command: tuple[str, ...]
    folder: str

    def __call__(self) -> int:
        """Works; returns 0, or 3 where the time was up.

        Raises:
            Failed: the worker ended otherwise.
        """
        words = [sys.executable, "-c", START, *self.command, "--leader", str(os.getpid())]
        status = subprocess.call(words, cwd=self.folder)
        if status not in (0, 3):
            raise Failed(f"the worker ended with status {status}; what it said stands above.")
        return status

    def checkpoint(self) -> DelayedSubmission:
        """The same again, where Slurm ends the job for its time: what is unfinished is in the run folders."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def submit(
    command: Sequence[str], study: Path, workers: int, resources: Resources, cluster: str = "slurm"
) -> list[Any]:
    """Submits workers as one array; returns submitit's jobs.

    Args:
        command: arguments of ``lossagent`` that make one worker.
        study: the study's folder, on a disk that every node sees; Slurm's logs go into ``slurm`` below it.
        workers: how many.
        resources: of each.
        cluster: ``slurm``; ``local`` or ``debug`` try the same on this machine.

    Raises:
        MissingPackage: submitit is not installed.
        Refused: Slurm is not here.
    """
    if importlib.util.find_spec("submitit") is None:
        raise MissingPackage("submitit", "cluster", "--slurm")
    if cluster == "slurm" and shutil.which("sbatch") is None:
        raise Refused("--slurm: this machine has no sbatch command. Give the command on a login node of the cluster.")
    import submitit

    executor = submitit.AutoExecutor(folder=study / FOLDER, cluster=cluster)
    executor.update_parameters(
        name=f"lossagent-{study.name}",
        timeout_min=max(1, round(60 * resources.hours)),
        cpus_per_task=resources.threads,
        gpus_per_node=resources.gpus,
        tasks_per_node=1,
        nodes=1,
        **({"slurm_partition": resources.partition} if resources.partition is not None and cluster == "slurm" else {}),
    )
    work = Submitted(tuple(command), str(Path.cwd()))
    with executor.batch():
        return [executor.submit(work) for _ in range(workers)]
