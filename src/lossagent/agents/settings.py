"""What the settings of every agent have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lossagent.agents.base import Agent
from lossagent.chat.base import ChatModel
from lossagent.errors import Refused
from lossagent.weights import Weights


class RollbackSettings(BaseModel):
    """The rollback guard: a stage that made things worse beyond its noise is undone.

    Attributes:
        tolerance: metric -> change that counts as noise, in score units; goes before the experiment's.
        drift: whether the fixed run's change at the same depths is taken off, where it is known.
        patience: how often one state is gone back to; then the best state below it is accepted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tolerance: dict[str, float] = {}
    drift: bool = True
    patience: int = Field(default=2, ge=1)

    @field_validator("tolerance")
    @classmethod
    def _valid(cls, value: dict[str, float]) -> dict[str, float]:
        for metric, number in value.items():
            if not (math.isfinite(number) and number >= 0):
                raise ValueError(f"tolerance of {metric!r} must be a finite number >= 0; found {number}")
        return value


class AgentOptions(BaseModel, ABC):
    """Settings of an agent; each kind adds ``kind: Literal["its name"] = "its name"`` and what it needs.

    Attributes:
        rollback: whether the guard goes back from stages that made things worse; a mapping sets how.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rollback: bool | RollbackSettings = False

    def fits(self, initial: Weights) -> None:
        """Raises Refused where the settings do not fit the losses of a run; the settings of most agents fit any.

        Args:
            initial: the weights of the first stage.
        """
        del initial

    @abstractmethod
    def bare(self, chat: ChatModel | None) -> Agent:
        """The agent without its guard.

        Args:
            chat: the experiment's language model, for agents that ask one (see :func:`required`).

        Raises:
            Refused: something it needs is missing.
        """
        ...


def required(chat: ChatModel | None, kind: str) -> ChatModel:
    """The language model of an agent that cannot do without.

    Raises:
        Refused: there is none.
    """
    if chat is None:
        raise Refused(f"agent {kind!r} asks a language model, and the experiment names none: add a 'chat' section.")
    return chat
