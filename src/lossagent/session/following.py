"""The processes of a run beside the one that leads it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lossagent.agents.fixed import FixedSettings
from lossagent.build import Parts, build
from lossagent.errors import Failed
from lossagent.experiment import Experiment
from lossagent.session.workers import Workers
from lossagent.training.interrupts import Stop
from lossagent.training.randomness import EVIDENCE_WINDOW
from lossagent.training.ranks import Ranks

COMPARED = 8
"""Training samples that processes compare before they begin."""


@dataclass(frozen=True)
class Plan:
    """What process 0 tells the others before the run.

    Attributes:
        experiment: complete, with absolute paths.
        overlaps: what the check of the image sets found; it is not repeated.
        out: the run folder, which process 0 alone needs to see.
    """

    experiment: Experiment
    overlaps: tuple[str, ...]
    out: Path


class Follower:
    """A process that trains, restores and scores as process 0 orders, and neither decides, asks nor writes.

    Use :meth:`join`.
    """

    def __init__(self, parts: Parts, run: Path) -> None:
        self.stop = Stop()
        workers = Workers(parts, run, self.stop)
        self.ranks, self.crew = workers.ranks, workers.crew

    @classmethod
    def join(cls) -> Follower:
        """Meets process 0 while it is in :meth:`lossagent.session.Session.start` or ``resume``.

        Raises:
            Refused, Failed: what ended another process at its beginning, or the data here are others than there.
        """
        ranks = Ranks.join()
        assert not ranks.main, "process 0 leads"
        with ranks.in_touch():
            plan: Plan = ranks.broadcast_outcome()
            parts: list[Parts] = []
            with ranks.together():
                parts.append(build(unasked(plan.experiment), plan.overlaps))
            compare_data(parts[0], ranks)
            follower = cls(parts[0], plan.out)
            ranks.broadcast_outcome()
        return follower

    def run(self) -> None:
        """Does what is ordered until the run is over.

        Raises:
            Interrupted, Refused, Failed: what ended the run, with the exit status of process 0.
        """
        with self.stop.listening(), self.ranks.in_touch():
            self.crew.follow()


def unasked(experiment: Experiment) -> Experiment:
    """The experiment for a process that asks nobody: no model, no key and no recorded run is wanted there."""
    return experiment.model_copy(update={"agent": FixedSettings(), "chat": None})


def meet(parts: Parts, ranks: Ranks) -> None:
    """On process 0: waits for the others to be ready.

    Raises:
        Refused, Failed: what ended one of them.
    """
    with ranks.in_touch():
        with ranks.together():
            pass
        compare_data(parts, ranks)


def compare_data(parts: Parts, ranks: Ranks) -> None:
    """Sees to it that all processes read the same images.

    Raises:
        Failed: names of image sets, or training samples of one index, differ.
    """
    if ranks.size == 1:
        return
    sets = parts.sets
    roles = {"feedback": sets.feedback, "selection": sets.selection, **sets.test}
    digest = hashlib.sha256(repr([(r, i.names if i is not None else ()) for r, i in roles.items()]).encode())
    size = parts.experiment.training.batch
    with ranks.together():
        batch = parts.sampler.batch(EVIDENCE_WINDOW, 0, size, 0, min(size, COMPARED))
        digest.update(batch.lq.cpu().numpy().tobytes() + batch.hq.cpu().numpy().tobytes())
    found = ranks.gather(digest.hexdigest())
    if different := [rank for rank, other in enumerate(found) if other != found[0]]:
        raise Failed(
            f"process {different[0]} reads other images than process 0, or makes other training samples of them. Every "
            "node needs the same files under the same paths, and the same versions."
        )
