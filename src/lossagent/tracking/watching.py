"""A watch that also mirrors a run to trackers."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lossagent.session import Watch
from lossagent.tracking.table import TRACKERS, check_names
from lossagent.tracking.worker import Worker
from lossagent.trajectory import Trajectory

DEADLINE = 60.0
"""Seconds that one call of a tracker may take; what is slower has hung."""


@contextmanager
def tracked(watch: Watch, folder: Path, names: Sequence[str], deadline: float = DEADLINE) -> Generator[Watch]:
    """A watch that also mirrors to trackers while the block runs; a failure is said once and never stops the run.

    Nothing is written before the run's first event, so the folder need not exist yet. At the end of the block the
    trackers are given time to finish.

    Args:
        watch: what the caller wants to hear itself.
        folder: the run folder.
        names: of the trackers.
        deadline: seconds that one call of a tracker may take.

    Raises:
        UnknownName: a tracker that there is not.
    """
    workers = [Worker(name, TRACKERS[name](folder), folder, deadline) for name in check_names(names)]
    said: set[str] = set()

    def say() -> None:
        for worker in workers:
            if worker.problem and worker.name not in said:
                said.add(worker.name)
                watch.phase(f"WARNING: the tracker {worker.name} has stopped: {worker.problem}. The run goes on.")

    def event(trajectory: Trajectory) -> None:
        watch.event(trajectory)
        for worker in workers:
            worker.take(trajectory)
        say()

    try:
        yield Watch(iteration=watch.iteration, event=event, phase=watch.phase)
    finally:
        for worker in workers:
            worker.close()
        say()
