"""Always the initial weights: plain training, the baseline of every table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lossagent.agents.base import Agent, Recall, View
from lossagent.agents.settings import AgentOptions
from lossagent.chat.base import ChatModel
from lossagent.records import Decision


@dataclass(frozen=True)
class Fixed:
    """w^i = w^1 for every stage."""

    name: str = "fixed"
    needs_restart: bool = False
    needs_utility: bool = False

    def decide(self, view: View, recall: Recall) -> Decision:
        """The initial weights, from the head."""
        del recall
        weights = view.trajectory.initial
        return Decision(author=self.name, proposed=weights, weights=weights, restart_from=view.head.id)


class FixedSettings(AgentOptions):
    """Always the initial weights."""

    kind: Literal["fixed"] = "fixed"

    def bare(self, chat: ChatModel | None) -> Agent:
        """Needs nothing."""
        del chat
        return Fixed()
