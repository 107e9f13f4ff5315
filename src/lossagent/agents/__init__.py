"""Agents: trajectory -> weights of the next stage. Baselines are equal members; rollback guards any of them."""

from lossagent.agents.balance import Balance
from lossagent.agents.base import Agent, Recall, View, forget
from lossagent.agents.climb import Climb
from lossagent.agents.fixed import Fixed
from lossagent.agents.hybrid import Hybrid
from lossagent.agents.llm import LLM, LLMOptions
from lossagent.agents.lookahead import Lookahead
from lossagent.agents.random_weights import Random
from lossagent.agents.respond import Respond
from lossagent.agents.rollback import Rollback
from lossagent.agents.schedule import Schedule
from lossagent.agents.search import Search
from lossagent.agents.sweep import Sweep
from lossagent.agents.table import AgentSettings, create

__all__ = [
    "LLM",
    "Agent",
    "AgentSettings",
    "Balance",
    "Climb",
    "Fixed",
    "Hybrid",
    "LLMOptions",
    "Lookahead",
    "Random",
    "Recall",
    "Respond",
    "Rollback",
    "Schedule",
    "Search",
    "Sweep",
    "View",
    "create",
    "forget",
]
