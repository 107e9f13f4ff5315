"""Sections of an experiment by themselves: an agent or a language model without the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from lossagent.agents.settings import AgentOptions
from lossagent.agents.table import AgentSettings
from lossagent.chat import ChatModel
from lossagent.chat.table import ChatSettings
from lossagent.chat.table import create as create_chat
from lossagent.errors import Refused
from lossagent.experiment.complaints import complaints


class _Agent(BaseModel):
    agent: AgentSettings


class _Chat(BaseModel):
    chat: ChatSettings


def agent_section(data: Mapping[str, Any]) -> AgentOptions:
    """An agent's settings from plain data, as the section ``agent`` has them.

    Raises:
        Refused: every problem, with its key.
    """
    try:
        return _Agent.model_validate({"agent": data}).agent
    except ValidationError as error:
        raise Refused("\n".join(complaints(error))) from None


def chat_section(data: Mapping[str, Any]) -> ChatModel:
    """A language model from plain data, as the section ``chat`` has them; nothing is loaded or connected yet.

    Raises:
        Refused: every problem, with its key.
    """
    try:
        return create_chat(_Chat.model_validate({"chat": data}).chat)
    except ValidationError as error:
        raise Refused("\n".join(complaints(error))) from None
