"""The language model as a choice of an experiment file."""

from __future__ import annotations

from typing import Literal

from lossagent.agents.base import Agent
from lossagent.agents.llm.agent import LLM
from lossagent.agents.llm.options import LLMOptions
from lossagent.agents.settings import AgentOptions, required
from lossagent.chat.base import ChatModel


class LLMSettings(AgentOptions, LLMOptions):
    """A language model; every option of :class:`LLMOptions` stands beside ``kind``."""

    kind: Literal["llm"] = "llm"

    def bare(self, chat: ChatModel | None) -> Agent:
        """Asks the experiment's language model."""
        return LLM(required(chat, "llm"), self)
