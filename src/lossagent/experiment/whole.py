"""Every choice of a run as one frozen, validated value. Unknown keys are refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from lossagent.agents.table import AgentSettings
from lossagent.chat.table import ChatSettings
from lossagent.errors import UnknownName
from lossagent.experiment.base import LOSS_NAME, NAME, Settings
from lossagent.experiment.degradations import AT_ONE_SIZE
from lossagent.experiment.images import DataSettings
from lossagent.experiment.metrics import MetricsSettings, completed_goal, facts_in
from lossagent.experiment.networks import LossSettings, RestorerSettings
from lossagent.experiment.people import PeopleSettings
from lossagent.experiment.reviewers import ReviewerSettings
from lossagent.goal import Goal
from lossagent.judgements import PREFERENCE, RATING
from lossagent.training.settings import TrainingSettings
from lossagent.weights import Bounds, Weights


class Experiment(Settings):
    """A run, complete.

    Attributes:
        name: name of the run.
        seed: seed of data, draws and discriminators.
        scale: upscaling factor from low-quality inputs to restored images.
        restorer: the network that is trained.
        losses: name -> loss, with the weight of the first stage.
        data: the images that are trained on, and the sets that are kept apart.
        goal: what the run is steered towards.
        metrics: the user's own metrics, and those of pyiqa that need settings.
        reviewers: who looks at the feedback images and says in words what there is to see.
        guards: metrics that are measured and shown, never steered by.
        agent: who decides the weights of each stage.
        chat: the language model, for agents that ask one.
        bounds: what every answer is projected into before it is trained.
        tolerance: metric -> change that counts as noise, in score units, where the noise is not estimable.
        training: how the stages are trained.
        people: what people are asked about the restored feedback images, ``null`` for nobody.
        pictures: how many restored images of each test set are kept, for the report and people's last word.
        fixed_run: folder of a finished run under the initial weights, for constraints relative to it.
    """

    name: str = Field(pattern=NAME)
    seed: int = Field(default=0, ge=0, lt=2**63)
    scale: int = Field(default=4, ge=1)
    restorer: RestorerSettings
    losses: Annotated[dict[Annotated[str, Field(pattern=LOSS_NAME)], LossSettings], Field(min_length=1)]
    data: DataSettings
    goal: Goal
    metrics: MetricsSettings = Field(default={})
    reviewers: dict[Annotated[str, Field(pattern=NAME)], ReviewerSettings] = Field(default={})
    guards: tuple[str, ...] = ()
    agent: AgentSettings
    chat: ChatSettings | None = None
    bounds: Bounds = Bounds()
    tolerance: dict[str, float] = Field(default={})
    training: TrainingSettings = TrainingSettings()
    people: PeopleSettings | None = None
    pictures: int = Field(default=6, ge=0)
    fixed_run: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:  # noqa: ANN401  (raw YAML)
        """Directions and units that a goal leaves out are those of its metrics."""
        if not isinstance(data, Mapping) or not isinstance(data.get("goal"), Mapping):
            return data
        return {**data, "goal": completed_goal(data["goal"], facts_in(data.get("metrics")))}

    @model_validator(mode="after")
    def _people(self) -> Experiment:
        asked = {"pairs": PREFERENCE, "rating": RATING}.get(self.people.ask) if self.people is not None else None
        for metric in {PREFERENCE, RATING} - {asked}:
            if metric in {*self.goal.metrics, *self.guards}:
                wanted = "pairs" if metric == PREFERENCE else "rating"
                found = f"people.ask: {self.people.ask}" if self.people is not None else "no people"
                raise ValueError(f"metric {metric!r} comes from people: {{ask: {wanted}}}; found {found}")
        return self

    @model_validator(mode="after")
    def _names(self) -> Experiment:
        scored = {*self.goal.metrics, *self.guards}
        for metric, value in self.tolerance.items():
            if metric not in scored:
                raise UnknownName("metric of tolerance (a target, constraint or guard)", metric, scored)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"tolerance of {metric!r} must be a finite number >= 0; found {value}")
        for name in (*self.bounds.frozen, *self.bounds.per_loss):
            if name not in self.losses:
                raise UnknownName("loss of bounds", name, self.losses)
        return self

    @model_validator(mode="after")
    def _sets(self) -> Experiment:
        sets = self.data.sets
        for name, images in sets.items():
            place = self.data.place(name)
            for part in images:
                if name == "train" and not part.reference:
                    raise ValueError("data.train: images are trained towards references; found reference: false")
                for other in part.without:
                    if other not in sets or other == name:
                        raise UnknownName(f"set of {place}.without", other, [n for n in sets if n != name])
                made = part.degradation or self.data.degradation
                ready = part.low is not None or not part.reference
                if not ready and (made.kind in AT_ONE_SIZE) != (self.scale == 1):
                    wanted = ", ".join(sorted(AT_ONE_SIZE)) if self.scale == 1 else "bicubic, bsrgan, real-esrgan"
                    raise ValueError(
                        f"{place}: at scale {self.scale} low-quality images are made by {wanted}, or given (low); "
                        f"found degradation {made.kind}"
                    )
        return self

    @property
    def initial(self) -> Weights:
        """The weights of the first stage."""
        return Weights.of({name: loss.weight for name, loss in self.losses.items()})

    def dump(self) -> dict[str, Any]:
        """Plain data for ``experiment.yaml``; :func:`parse` reads it back."""
        return self.model_dump(mode="json")
