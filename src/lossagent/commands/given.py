"""Agents and language models as words of a command line: a kind, YAML in one line, or a file of settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from lossagent.agents.settings import AgentOptions
from lossagent.agents.table import AgentSettings
from lossagent.chat import ChatModel
from lossagent.chat.table import ChatSettings
from lossagent.chat.table import create as create_chat
from lossagent.errors import Refused
from lossagent.experiment.complaints import complaints


class _Agent(BaseModel):
    """An experiment's section of that name, alone."""

    agent: AgentSettings


class _Chat(BaseModel):
    """An experiment's section of that name, alone."""

    chat: ChatSettings


def agent_given(text: str) -> AgentOptions:
    """``respond``, ``{kind: climb, step: 2}``, or a file with those settings (or an experiment's).

    Raises:
        Refused: no such file or kind, or settings that the kind does not have.
    """
    return agent_of(given(text, "agent"))


def agent_of(data: object) -> AgentOptions:
    """An agent's settings from plain data.

    Raises:
        Refused: every problem, with its key.
    """
    try:
        return _Agent.model_validate({"agent": data}).agent
    except ValidationError as error:
        raise Refused("\n".join(complaints(error))) from None


def chat_given(text: str) -> ChatModel:
    """A language model, given as agents are: a kind, YAML in one line, or a file of settings.

    Raises:
        Refused: as :func:`agent_given`.
    """
    try:
        settings = _Chat.model_validate({"chat": given(text, "chat")}).chat
    except ValidationError as error:
        raise Refused("\n".join(complaints(error))) from None
    return create_chat(settings)


def given(text: str, section: str) -> dict[str, Any]:
    """The settings that a word of the command line means.

    Args:
        text: a kind, YAML, or the name of a file.
        section: taken from a file that has more, such as an experiment's.

    Raises:
        Refused: neither.
    """
    file = Path(text)
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8") if file.is_file() else text)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise Refused(f"{section} {text!r} is neither a kind, nor YAML, nor a file of settings: {error}") from error
    if file.is_file() and isinstance(data, Mapping) and isinstance(data.get(section), Mapping):
        data = data[section]
    if isinstance(data, str):
        if file.suffix in (".yaml", ".yml"):
            raise Refused(f"{section}: there is no file {text}.")
        return {"kind": data}
    if not isinstance(data, Mapping):
        raise Refused(f"{section} must be a kind, YAML such as '{{kind: ...}}', or a file of settings; found {text!r}.")
    return {str(key): value for key, value in data.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
