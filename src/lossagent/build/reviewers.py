"""The reviewers of an experiment, who say in words what they see in its feedback images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import torch

from lossagent.build.naming import about
from lossagent.build.sets import Sets
from lossagent.chat import table
from lossagent.errors import Refused
from lossagent.experiment import Experiment
from lossagent.experiment.reviewers import (
    CoInstructSettings,
    DescriberSettings,
    ReviewerSettings,
    ServerReviewerSettings,
)
from lossagent.objectives import Objective, Pictures
from lossagent.objectives.co_instruct import CoInstruct
from lossagent.objectives.describer import Describer
from lossagent.objectives.vision import Sources, VisionReviewer


def reviewers_of(
    experiment: Experiment,
    sets: Sets,
    pictures: Pictures,
    wish: str | None,
    device: torch.device | None = None,
) -> dict[str, Objective]:
    """Name -> reviewer, in the order of the experiment; nothing is asked or loaded yet.

    Args:
        experiment: names them.
        sets: the feedback images they look at.
        pictures: restored feedback images of earlier states.
        wish: the goal's wish.
        device: where a model of this process runs.

    Raises:
        Refused: references are to be shown and there are none; remote code that is not trusted.
        MissingPackage, MissingAsset: a model of this process that is not here.
    """
    made: dict[str, Objective] = {}
    settings: Mapping[str, ReviewerSettings] = experiment.reviewers
    if not settings:
        return made
    inputs, references = sets.feedback_inputs(), sets.references(sets.feedback)
    sources = Sources(inputs.get, references.get if references else None, pictures)
    for name, chosen in settings.items():
        with about(f"reviewers.{name}"):
            match chosen:
                case DescriberSettings():
                    made[name] = Describer(inputs.get, references.get, pictures, experiment.scale, chosen.images)
                case ServerReviewerSettings():
                    chat = table.create(chosen)
                    made[name] = VisionReviewer(name, chat, chosen, sources=sources, wish=wish, seed=experiment.seed)
                case CoInstructSettings():
                    chat = _co_instruct(name, chosen, device)
                    made[name] = VisionReviewer(name, chat, chosen, sources=sources, wish=wish, seed=experiment.seed)
                case _:
                    assert_never(chosen)
    return made


def _co_instruct(name: str, settings: CoInstructSettings, device: torch.device | None) -> CoInstruct:
    try:
        where = torch.device(settings.device) if settings.device is not None else device
    except RuntimeError:
        raise Refused(f"reviewers.{name}.device must be cpu, cuda or cuda:N; found {settings.device!r}.") from None
    there = torch.cuda.device_count()
    if settings.device is not None and where is not None and where.type == "cuda" and (where.index or 0) >= there:
        raise Refused(f"reviewers.{name}.device: this machine has {there} CUDA devices; found {settings.device!r}.")
    return CoInstruct(
        settings.model,
        trust_remote_code=settings.trust_remote_code,
        revision=settings.revision,
        device=where,
        precision=settings.precision,
        temperature=settings.temperature,
    )
