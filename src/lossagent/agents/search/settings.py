"""Settings of the search agent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lossagent.agents.base import Agent
from lossagent.agents.search.agent import Method, Search, Start
from lossagent.agents.search.evaluations import Credit
from lossagent.agents.settings import AgentOptions
from lossagent.chat.base import ChatModel


class SearchSettings(AgentOptions):
    """A black-box optimiser.

    Attributes:
        method: ``gp``: a Gaussian process; ``tpe``: tree-structured Parzen estimators; ``cmaes``: CMA-ES; ``random``:
            uniform draws from the same space, which need no package.
        restart_from: the state that each stage starts from: the last one (``head``), the ``best`` so far, or the
            untouched network (``start``).
        credit: what a stage is credited with: the ``change`` against the state it started from, or the ``score`` of the
            state it led to.
        range: largest factor between a weight and the initial one.
        startup: evaluations before the model of TPE or of the GP is asked.
        population: candidates of a generation of CMA-ES.
        sigma: standard deviation of CMA-ES' first generation, in natural log of a ratio to the initial weight.
    """

    kind: Literal["search"] = "search"
    method: Method = "gp"
    restart_from: Start = "best"
    credit: Credit = "change"
    range: float = Field(default=16.0, gt=1, allow_inf_nan=False)
    startup: int = Field(default=3, ge=1)
    population: int = Field(default=4, ge=2)
    sigma: float = Field(default=1.5, gt=0, allow_inf_nan=False)

    def bare(self, chat: ChatModel | None) -> Agent:
        """Needs the packages of the extra ``search``, but for ``random``."""
        del chat
        return Search(
            self.method, self.restart_from, self.credit, self.range, self.startup, self.population, self.sigma
        )
