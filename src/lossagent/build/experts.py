"""Everybody who is asked about the restored feedback images."""

from __future__ import annotations

from pathlib import Path

from lossagent.build.parts import Parts
from lossagent.build.reviewers import reviewers_of
from lossagent.objectives import Objective, Pictures, Several
from lossagent.objectives.people import People


def experts_of(parts: Parts, scores: Objective, pictures: Pictures, run: Path) -> Several:
    """The metrics, then reviewers in words, then people.

    Args:
        parts: the run.
        scores: the metrics on the feedback images.
        pictures: restored feedback images of earlier states.
        run: the run folder, as people have to name it.

    Raises:
        Refused: a reviewer that cannot work.
    """
    experiment = parts.experiment
    experts: dict[str, Objective] = {"metrics": scores}
    experts |= reviewers_of(experiment, parts.sets, pictures, experiment.goal.wish, parts.device)
    if experiment.people is not None:
        experts["people"] = People(experiment.people.inquiry, experiment.seed, str(run))
    return Several(experts)
