"""Settings of the agents, and agents from settings: the only names that experiment files know."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lossagent.agents.base import Agent
from lossagent.agents.fixed import Fixed
from lossagent.agents.llm.agent import LLM
from lossagent.agents.llm.options import LLMOptions
from lossagent.agents.random_weights import Random
from lossagent.agents.rollback import Rollback
from lossagent.chat.base import ChatModel
from lossagent.errors import Refused


class RollbackSettings(BaseModel):
    """The rollback guard.

    Attributes:
        tolerance: metric -> change that counts as noise, in score units; goes before the experiment's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tolerance: dict[str, float] = {}

    @field_validator("tolerance")
    @classmethod
    def _valid(cls, value: dict[str, float]) -> dict[str, float]:
        for metric, number in value.items():
            if not (math.isfinite(number) and number >= 0):
                raise ValueError(f"tolerance of {metric!r} must be a finite number >= 0; found {number}")
        return value


class FixedSettings(BaseModel):
    """Always the initial weights.

    Attributes:
        rollback: guard it with a rollback, with tolerances where a mapping is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["fixed"] = "fixed"
    rollback: bool | RollbackSettings = False


class RandomSettings(BaseModel):
    """Random weights.

    Attributes:
        spread: largest factor of a move, ``null`` for the trust region's.
        rollback: as for ``fixed``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["random"] = "random"
    spread: float | None = Field(default=None, gt=1, allow_inf_nan=False)
    rollback: bool | RollbackSettings = False


class LLMSettings(LLMOptions):
    """A language model; every option of :class:`LLMOptions` stands beside ``kind``.

    Attributes:
        rollback: as for ``fixed``.
    """

    kind: Literal["llm"] = "llm"
    rollback: bool | RollbackSettings = False


AgentSettings = Annotated[FixedSettings | RandomSettings | LLMSettings, Field(discriminator="kind")]


def create(settings: FixedSettings | RandomSettings | LLMSettings, chat: ChatModel | None = None) -> Agent:
    """The agent of an experiment.

    Args:
        settings: which, and how.
        chat: the language model, for agents that ask one.

    Raises:
        Refused: an agent that asks a language model, without one.
    """
    agent = _bare(settings, chat)
    if isinstance(settings.rollback, RollbackSettings):
        return Rollback(agent, settings.rollback.tolerance)
    return Rollback(agent) if settings.rollback else agent


def _bare(settings: FixedSettings | RandomSettings | LLMSettings, chat: ChatModel | None) -> Agent:
    if isinstance(settings, FixedSettings):
        return Fixed()
    if isinstance(settings, RandomSettings):
        return Random(settings.spread)
    if chat is None:
        raise Refused("agent 'llm' asks a language model, and the experiment names none: add a 'chat' section.")
    return LLM(chat, settings)
