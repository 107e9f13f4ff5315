"""The choices of a run whose training is somebody else's."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator
from torch import Tensor

from lossagent.agents.table import AgentSettings
from lossagent.chat.table import ChatSettings
from lossagent.errors import Refused, UnknownName
from lossagent.experiment.base import LOSS_NAME, NAME, Settings
from lossagent.experiment.complaints import complaints
from lossagent.experiment.images import ONE, PARTS
from lossagent.experiment.metrics import MetricsSettings, completed_goal, facts_in, located_metrics
from lossagent.experiment.people import PeopleSettings
from lossagent.experiment.reviewers import ReviewerSettings
from lossagent.feedback import MetricFacts
from lossagent.goal import Goal
from lossagent.weights import Bounds, Weights

ELSEWHERE = "elsewhere"
OWN = "own"
"""Stands for an agent that is an object of the loop's."""


def _own_or_settings(value: Any) -> str:  # noqa: ANN401  (raw data)
    return ONE if value == OWN else PARTS


AnyAgent = Annotated[
    Annotated[Literal["own"], Tag(ONE)] | Annotated[AgentSettings, Tag(PARTS)], Discriminator(_own_or_settings)
]
"""Settings of an agent, or ``own``. Its tags are those that complaints leave out."""


class LoopLoss(Settings):
    """A loss that somebody else's loop computes.

    Attributes:
        weight: its weight in the first stage; 0 is off.
        facts: what raising it does, for prompts.
    """

    weight: float = Field(ge=0, allow_inf_nan=False)
    facts: str = ""


class LoopSettings(Settings):
    """A run without our trainer. What is named as in an experiment means the same.

    Attributes:
        name: name of the run.
        seed: seed of the agent's draws.
        scale: upscaling factor from inputs to restored images.
        stages: how many stages are trained at most.
        iterations: optimizer steps of a stage, for prompts and reports.
        losses: loss name -> weight of the first stage.
        goal: what is wanted.
        score: ``here``: restored images are told and scored by lossagent; ``elsewhere``: scores are told.
        metrics: the user's own metrics, and those of pyiqa that need settings.
        guards: metrics that are measured and shown, never steered by.
        references: folder of originals, by name, for metrics that compare with them.
        inputs: folder of degraded inputs, by name, for reviewers and pages.
        reviewers: who says in words what there is to see.
        people: what people are asked, ``null`` for nobody.
        agent: who decides; by default the response model. ``own`` is an object of the loop's.
        chat: the language model, for agents that ask one.
        bounds: what answers are projected into.
        tolerance: metric -> change that counts as noise, in score units, where the noise is not estimable.
        can_restart: whether the loop can start a stage from an earlier state.
        by_calls: whether the loop comes for one call a stage (``lossagent steer``) and holds the run no longer: that it
            comes back is then no interruption.
    """

    name: str = Field(default="run", pattern=NAME)
    seed: int = Field(default=0, ge=0, lt=2**63)
    scale: int = Field(default=1, ge=1)
    stages: int = Field(default=10, ge=1)
    iterations: int = Field(default=1, ge=1)
    losses: Annotated[dict[Annotated[str, Field(pattern=LOSS_NAME)], LoopLoss], Field(min_length=1)]
    goal: Goal
    score: Literal["here", "elsewhere"] = "here"
    metrics: MetricsSettings = Field(default={})
    guards: tuple[str, ...] = ()
    references: Path | None = None
    inputs: Path | None = None
    reviewers: dict[Annotated[str, Field(pattern=NAME)], ReviewerSettings] = Field(default={})
    people: PeopleSettings | None = None
    agent: AnyAgent
    chat: ChatSettings | None = None
    bounds: Bounds = Bounds()
    tolerance: dict[str, float] = Field(default={})
    can_restart: bool = False
    by_calls: bool = False

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:  # noqa: ANN401  (raw data)
        """Directions, units, the agent and plain weights, where they are left out or short."""
        if not isinstance(data, Mapping):
            return data
        found: dict[str, Any] = dict(data)
        if isinstance(found.get("losses"), Mapping):
            found["losses"] = {n: _weighted(w) for n, w in found["losses"].items()}
        if isinstance(found.get("goal"), Mapping):
            known = facts_in(found.get("metrics"))
            found["goal"] = completed_goal(
                found["goal"], _told_elsewhere(known) if found.get("score") == ELSEWHERE else known
            )
        restarts = found.get("can_restart") is True
        agent = found.get("agent")
        if agent is None:
            agent = {"kind": "respond"} if restarts else {"kind": "respond", "restart": "never"}
        found["agent"] = {"kind": agent} if isinstance(agent, str) and agent != OWN else agent
        return found

    @model_validator(mode="after")
    def _names(self) -> LoopSettings:
        for name in (*self.bounds.frozen, *self.bounds.per_loss):
            if name not in self.losses:
                raise UnknownName("loss of bounds", name, self.losses)
        scored = {*self.goal.metrics, *self.guards}
        for name in self.tolerance:
            if name not in scored:
                raise UnknownName("metric of tolerance (a target, constraint or guard)", name, scored)
        if self.score == ELSEWHERE and (self.guards or self.reviewers or self.people):
            raise ValueError("guards, reviewers and people look at images; found score: elsewhere, which has none")
        return self

    @property
    def initial(self) -> Weights:
        """The weights of the first stage."""
        return Weights.of({name: loss.weight for name, loss in self.losses.items()})

    @property
    def facts(self) -> dict[str, MetricFacts]:
        """Facts of the goal's metrics and the guards, without loading any; of an unknown one what the goal says.

        Raises:
            Refused: a metric that is to be scored here and is not known.
        """
        known = facts_in(self.metrics and {n: m.model_dump(mode="json") for n, m in self.metrics.items()})
        found: dict[str, MetricFacts] = {}
        for name in dict.fromkeys((*self.goal.metrics, *self.guards)):
            try:
                found[name] = known(name)
            except UnknownName:
                if self.score == "here":
                    raise
                if (told := self._told_facts(name)) is not None:
                    found[name] = told
        return found

    def _told_facts(self, name: str) -> MetricFacts | None:
        for target in self.goal.targets:
            if target.metric == name:
                return MetricFacts(
                    name=name,
                    direction=target.direction,
                    low=None,
                    high=None,
                    needs_reference=False,
                    unit=target.unit,
                    implementation="told by the loop",
                    version="",
                )
        return None

    def dump(self) -> dict[str, Any]:
        """Plain data for ``loop.yaml`` with absolute paths; :func:`parse` reads it back."""
        data = self.model_dump(mode="json")
        data["agent"] = OWN if isinstance(self.agent, str) else self.agent.model_dump(mode="json")
        data["metrics"] = located_metrics(data["metrics"])
        for key in ("references", "inputs"):
            if data[key] is not None:
                data[key] = str(Path(data[key]).expanduser().absolute())
        return data


def _told_elsewhere(known: Callable[[str], MetricFacts]) -> Callable[[str], MetricFacts]:
    """The facts, and what to do where there are none, for metrics of which only scores are told."""

    def facts_of(name: str) -> MetricFacts:
        try:
            return known(name)
        except UnknownName:
            raise Refused(
                f"metric {name!r} is none of lossagent's: say which way is better and which change counts, "
                f"e.g. goal: {{targets: [{{metric: {name}, direction: lower, unit: 0.1}}]}}."
            ) from None

    return facts_of


def _weighted(loss: object) -> object:
    """Settings of a loss, of which there may be its weight alone: a number of any library."""
    if isinstance(loss, Mapping | LoopLoss):
        return cast("object", loss)
    single: object = loss.item() if isinstance(loss, Tensor) and loss.numel() == 1 else loss
    real = isinstance(single, numbers.Real | int | float) and not isinstance(single, bool)
    return {"weight": float(cast("float", single)) if real else single}


def parse(data: Mapping[str, Any]) -> LoopSettings:
    """Settings from plain data.

    Raises:
        Refused: every problem, each with its key, what was wanted and what was found.
    """
    try:
        settings = LoopSettings.model_validate(data)
        if not isinstance(settings.agent, str):
            settings.agent.fits(settings.initial)
    except ValidationError as error:
        raise Refused(
            "the run cannot be steered:\n" + "\n".join(f"  {p}" for p in complaints(error, LoopSettings))
        ) from None
    return settings
