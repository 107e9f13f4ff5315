"""The hybrid agent as a choice of an experiment file."""

from __future__ import annotations

from typing import Literal

from lossagent.agents.base import Agent
from lossagent.agents.hybrid.agent import Hybrid
from lossagent.agents.hybrid.options import HybridOptions
from lossagent.agents.settings import AgentOptions, required
from lossagent.chat.base import ChatModel


class HybridSettings(AgentOptions, HybridOptions):
    """Response model and language model together; every option of :class:`HybridOptions` stands beside ``kind``."""

    kind: Literal["hybrid"] = "hybrid"

    def bare(self, chat: ChatModel | None) -> Agent:
        """Asks the experiment's language model."""
        return Hybrid(required(chat, "hybrid"), self)
