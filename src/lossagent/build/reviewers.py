"""The reviewers of an experiment, who say in words what they see in its feedback images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import torch

from lossagent.build.naming import about
from lossagent.chat import table
from lossagent.errors import Refused
from lossagent.experiment.reviewers import (
    CoInstructSettings,
    DescriberSettings,
    ReviewerSettings,
    ServerReviewerSettings,
)
from lossagent.objectives import Objective
from lossagent.objectives.co_instruct import CoInstruct
from lossagent.objectives.describer import Describer
from lossagent.objectives.vision import Sources, VisionReviewer


def reviewers_of(
    settings: Mapping[str, ReviewerSettings],
    sources: Sources,
    *,
    scale: int,
    wish: str | None,
    seed: int,
    device: torch.device | None = None,
) -> dict[str, Objective]:
    """Name -> reviewer, in the order given; nothing is asked or loaded yet.

    Args:
        settings: name -> which, and how.
        sources: the pictures that they look at beside the restored ones.
        scale: upscaling factor from inputs to restored images.
        wish: the goal's wish.
        seed: of what a model may draw.
        device: where a model of this process runs.

    Raises:
        Refused: references are to be shown and there are none; remote code that is not trusted.
        MissingPackage, MissingAsset: a model of this process that is not here.
    """
    made: dict[str, Objective] = {}
    for name, chosen in settings.items():
        with about(f"reviewers.{name}"):
            match chosen:
                case DescriberSettings():
                    made[name] = _describer(sources, scale, chosen)
                case ServerReviewerSettings():
                    chat = table.create(chosen)
                    made[name] = VisionReviewer(name, chat, chosen, sources=sources, wish=wish, seed=seed)
                case CoInstructSettings():
                    chat = _co_instruct(name, chosen, device)
                    made[name] = VisionReviewer(name, chat, chosen, sources=sources, wish=wish, seed=seed)
                case _:
                    assert_never(chosen)
    return made


def _nothing(name: str) -> None:
    del name


def _no_picture(state: int, name: str) -> None:
    del state, name


def _describer(sources: Sources, scale: int, settings: DescriberSettings) -> Describer:
    inputs, references = sources.inputs or _nothing, sources.references or _nothing
    return Describer(inputs, references, sources.previous or _no_picture, scale, settings.images)


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
