"""The agents that experiment files know, and agents from their settings."""

from __future__ import annotations

import functools
import importlib
import operator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from lossagent.agents.base import Agent
from lossagent.agents.rollback import Rollback
from lossagent.agents.settings import AgentOptions, RollbackSettings
from lossagent.chat.base import ChatModel

AGENTS = {
    "fixed": "fixed:FixedSettings",
    "random": "random_weights:RandomSettings",
    "schedule": "schedule:ScheduleSettings",
    "climb": "climb:ClimbSettings",
    "balance": "balance:BalanceSettings",
    "lookahead": "lookahead:LookaheadSettings",
    "search": "search.settings:SearchSettings",
    "sweep": "sweep:SweepSettings",
    "respond": "respond.agent:RespondSettings",
    "llm": "llm.settings:LLMSettings",
    "hybrid": "hybrid.settings:HybridSettings",
}
"""Kind -> module of this package and its settings; adding an agent is one file and one line here."""


def settings_of(kind: str) -> type[AgentOptions]:
    """The settings of a kind of agent."""
    module, name = AGENTS[kind].split(":")
    return getattr(importlib.import_module(f"lossagent.agents.{module}"), name)


if TYPE_CHECKING:
    AgentSettings = AgentOptions
    """The settings of any agent, told apart by ``kind``."""
else:
    ANY_OF_THEM = functools.reduce(operator.or_, map(settings_of, AGENTS))
    AgentSettings = Annotated[ANY_OF_THEM, Field(discriminator="kind")]


def create(settings: AgentOptions, chat: ChatModel | None = None) -> Agent:
    """The agent of an experiment.

    Args:
        settings: which, and how.
        chat: the language model, for agents that ask one.

    Raises:
        Refused: an agent that asks a language model, without one.
    """
    agent = settings.bare(chat)
    if isinstance(settings.rollback, RollbackSettings):
        guard = settings.rollback
        return Rollback(agent, guard.tolerance, guard.drift, guard.patience)
    return Rollback(agent) if settings.rollback else agent
