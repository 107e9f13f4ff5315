"""What a study can be refused for before its first run: every part of every kind of run is made once."""

from __future__ import annotations

import json

from lossagent.agents.table import create
from lossagent.build import build
from lossagent.errors import Refused
from lossagent.experiment import Experiment
from lossagent.session import unasked
from lossagent.study.jobs import Job
from lossagent.study.plan import Study

ALIKE = ("name", "seed", "agent", "chat", "bounds", "tolerance")
"""Settings that no network, image set or metric depends on, images drawn by the seed aside."""


def rehearse(study: Study, jobs: tuple[Job, ...]) -> None:
    """Makes the networks, losses, image sets and metrics of each kind of run, and every agent; writes nothing.

    Whether photographs stand in two sets is looked at when the first run begins: that takes minutes.

    Raises:
        Refused: a part that cannot be made; the arm is named.
    """
    seen: set[str] = set()
    for job in {(job.objective, job.arm): job for job in reversed(jobs)}.values():
        experiment = study.experiment_of(job)
        try:
            if experiment.chat is None:
                create(experiment.agent)
            if (kind := _kind(experiment)) not in seen:
                seen.add(kind)
                build(unasked(experiment), ()).close()
        except Refused as error:
            raise Refused(f"arm {job.arm!r} of objective {job.objective!r}: {error}") from error


def _kind(experiment: Experiment) -> str:
    return json.dumps({k: v for k, v in experiment.dump().items() if k not in ALIKE}, sort_keys=True)
