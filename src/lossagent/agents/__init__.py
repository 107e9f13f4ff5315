"""Agents: trajectory -> weights of the next stage. Baselines are equal members; rollback guards any of them."""

from lossagent.agents.base import Agent, Recall, View, forget
from lossagent.agents.fixed import Fixed
from lossagent.agents.llm import LLM, LLMOptions
from lossagent.agents.random_weights import Random
from lossagent.agents.rollback import Rollback
from lossagent.agents.table import AgentSettings, create

__all__ = [
    "LLM",
    "Agent",
    "AgentSettings",
    "Fixed",
    "LLMOptions",
    "Random",
    "Recall",
    "Rollback",
    "View",
    "create",
    "forget",
]
