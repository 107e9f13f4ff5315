"""Everybody who is asked about the restored feedback images."""

from __future__ import annotations

from pathlib import Path

from lossagent.build.parts import Parts
from lossagent.build.reviewers import reviewers_of
from lossagent.objectives import Objective, Pictures, Several
from lossagent.objectives.people import People
from lossagent.objectives.vision import Sources


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
    if experiment.reviewers:
        inputs, references = parts.sets.feedback_inputs(), parts.sets.references(parts.sets.feedback)
        experts |= reviewers_of(
            experiment.reviewers,
            Sources(inputs.get, references.get if references else None, pictures),
            scale=experiment.scale,
            wish=experiment.goal.wish,
            seed=experiment.seed,
            device=parts.device,
        )
    if experiment.people is not None:
        experts["people"] = People(experiment.people.inquiry, experiment.seed, str(run))
    return Several(experts)
