"""Language models behind one port: servers, an embedded model, a scripted double, a replay."""

from __future__ import annotations

from lossagent.chat._constraint import Mode
from lossagent.chat.base import AnswerFormat, ChatModel, Completion
from lossagent.chat.embedded import Embedded
from lossagent.chat.neutral import quote
from lossagent.chat.ranking import Ranking, RanksOptions
from lossagent.chat.replay import Replay
from lossagent.chat.scripted import Call, Scripted
from lossagent.chat.server import OpenAICompatible
from lossagent.chat.spending import Spending
from lossagent.chat.table import (
    ChatSettings,
    EmbeddedSettings,
    ReplaySettings,
    ScriptedSettings,
    ServerSettings,
    create,
)

__all__ = [
    "AnswerFormat",
    "Call",
    "ChatModel",
    "ChatSettings",
    "Completion",
    "Embedded",
    "EmbeddedSettings",
    "Mode",
    "OpenAICompatible",
    "Ranking",
    "RanksOptions",
    "Replay",
    "ReplaySettings",
    "Scripted",
    "ScriptedSettings",
    "ServerSettings",
    "Spending",
    "create",
    "quote",
]
