"""Random weights: what an agent must beat to have decided anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from lossagent.agents.anchor import movable, reach
from lossagent.agents.base import Agent, Recall, View
from lossagent.agents.settings import AgentOptions
from lossagent.chat.base import ChatModel
from lossagent.errors import Refused
from lossagent.records import Decision
from lossagent.weights import Weights

WIDE = 10.0
"""Factor around the initial weights where there is neither a spread nor a trust region."""


@dataclass(frozen=True)
class Random:
    """Log-uniform moves of every loss but the anchor, drawn from (seed, next state).

    With a trust region each weight moves by a factor around the weights of the state that the stage starts from
    (a random walk); without one it is drawn around the initial weights (random search). Losses that are off stay off.

    Attributes:
        spread: largest factor, > 1; ``None`` takes the trust region's, or 10 where there is none.
    """

    spread: float | None = None
    name: str = "random"
    needs_restart: bool = False
    needs_utility: bool = False

    def __post_init__(self) -> None:
        if self.spread is not None and not (math.isfinite(self.spread) and self.spread > 1):
            raise Refused(f"spread of the random agent must be a finite factor > 1; found {self.spread}.")

    def decide(self, view: View, recall: Recall) -> Decision:
        """Weights drawn around the head's, or around the initial ones."""
        del recall
        centre = view.previous if view.bounds.trust is not None else view.trajectory.initial
        factor = self.spread or view.bounds.trust or WIDE
        generator = view.rng("random")
        magnitudes = dict(centre.magnitudes)
        for name in movable(centre, view.bounds):
            low, high = reach(name, magnitudes[name], factor, view.bounds)
            magnitudes[name] = math.exp(generator.uniform(math.log(low), math.log(high)))
        weights = Weights(magnitudes=magnitudes, off=centre.off)
        return Decision(author=self.name, proposed=weights, weights=weights, restart_from=view.head.id)


class RandomSettings(AgentOptions):
    """Random moves from the weights before.

    Attributes:
        spread: largest factor of a move, ``null`` for the trust region's.
    """

    kind: Literal["random"] = "random"
    spread: float | None = Field(default=None, gt=1, allow_inf_nan=False)

    def bare(self, chat: ChatModel | None) -> Agent:
        """Needs nothing."""
        del chat
        return Random(self.spread)
