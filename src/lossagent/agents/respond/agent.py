"""The agent that steers by the response model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from lossagent.agents.base import Agent, Recall, View
from lossagent.agents.repeats import unrepeated
from lossagent.agents.respond.choosing import Choice, Chooser, Value
from lossagent.agents.respond.fitting import FORGET, SAFETY
from lossagent.agents.respond.model import Posterior
from lossagent.agents.rollback import best_restorable
from lossagent.agents.settings import AgentOptions
from lossagent.agents.worsening import damaged, worsened
from lossagent.chat.base import ChatModel
from lossagent.errors import Refused
from lossagent.records import Decision, State

Explore = Literal["ucb", "thompson", "mean"]
Restart = Literal["any", "worse", "never"]
STARTS = 8
"""So many of the best states are looked at as starts, and the head."""


@dataclass(frozen=True)
class Respond:
    """Learns how the weights of a stage change the score, and trains under what promises most.

    The model (:mod:`lossagent.agents.respond.fitting`) is linear and Bayesian: the change of utility of a stage, paired
    by image, against its log-ratios, their squares, gradient shares where they were measured, and the utility that the
    stage started from. Older stages count less. Where the run under fixed weights is known, its stages are observed
    too, with less weight. What a stage may lead to is its start's utility plus that change; it is looked for over the
    weights that are within reach of each start, one stage ahead: a score that moves towards an equilibrium which
    depends on the weights moves furthest under the weights with the best one, so the next stage's best weights are
    the later ones' as well.

    Constraints have a model each, of the same form, of the score that they limit; a stage is safe where they are
    kept together with probability ``safety``, and only safe stages are chosen, if there are any.

    Source: Thompson, Biometrika 25 (1933), for ``thompson``; Auer, JMLR 3 (2002), for ``ucb``.

    Attributes:
        explore: ``"ucb"`` adds ``optimism`` standard deviations to what is expected, ``"thompson"`` draws the
            response from its posterior, ``"mean"`` does neither.
        optimism: standard deviations, >= 0.
        exploit: in so many stages at the end nothing is tried out: the expected change decides.
        restart: where a stage may start. ``"any"``: wherever the outcome promises most; ``"worse"``: at the best
            state if the last stage was worse beyond its noise; ``"never"``: at the last state.
        forget: a stage counts this many times as much as the one after it, in (0, 1].
        safety: probability with which constraints must be kept, in [0, 1).
    """

    explore: Explore = "ucb"
    optimism: float = 1.0
    exploit: int = 2
    restart: Restart = "any"
    forget: float = FORGET
    safety: float = SAFETY
    name: str = "respond"
    needs_utility: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.optimism) and self.optimism >= 0):
            raise Refused(f"optimism of the respond agent must be a finite number >= 0; found {self.optimism}.")
        if not 0 < self.forget <= 1:
            raise Refused(f"forget of the respond agent must be in (0, 1], 1 = never; found {self.forget}.")
        if not 0 <= self.safety < 1:
            raise Refused(f"safety of the respond agent must be in [0, 1); found {self.safety}.")
        if self.exploit < 0:
            raise Refused(f"exploit of the respond agent must be a number of stages >= 0; found {self.exploit}.")

    @property
    def needs_restart(self) -> bool:
        """Unless ``restart`` is ``"never"``."""
        return self.restart != "never"

    def decide(self, view: View, recall: Recall) -> Decision:
        """The stage that promises most.

        Raises:
            Refused: the goal has no utility.
        """
        del recall
        chooser = Chooser.of(view, self.safety, self.forget)
        generator = np.random.default_rng(view.rng("respond").getrandbits(64))
        choice = chooser.choose(self._value(chooser.fit.posterior, view, generator), self._starts(view), generator)
        decision = Decision(
            author=self.name,
            proposed=choice.weights,
            weights=choice.weights,
            restart_from=choice.start.id,
            thoughts=_words(choice, view),
        )
        return unrepeated(decision, view) if self.needs_restart else decision

    def _value(self, posterior: Posterior, view: View, generator: np.random.Generator) -> Value:
        if view.stages_left <= self.exploit or self.explore == "mean":
            return posterior.expected
        if self.explore == "ucb":
            return lambda rows: posterior.hoped(rows, self.optimism)
        coefficients = posterior.drawn(generator)
        return lambda rows: rows @ coefficients

    def _starts(self, view: View) -> tuple[State, ...]:
        """States that the next stage may start from."""
        head = view.head
        if self.restart == "never" or view.pinned:
            return (head,)
        if self.restart == "worse":
            return (best_restorable(view) or head,) if worsened(view) else (head,)
        there = view.restorable
        known = [s for s in view.trajectory.scored if s.id in there and not damaged(s)]
        starts = sorted(known, key=view.rank, reverse=True)[:STARTS]
        if head.id in there and head not in starts and not damaged(head):
            starts.append(head)
        return tuple(starts) or (head,)


def _words(choice: Choice, view: View) -> str:
    """The expectation behind a choice."""
    back = "" if choice.start.id == view.head.id else f" from state {choice.start.id}"
    words = f"expected{back}: {choice.mean:+.2f} +- {choice.sd:.2f} points in the next stage"
    return words + (f"; constraints kept with probability {choice.kept:.2f}" if view.goal.constraints else "")


class RespondSettings(AgentOptions):
    """Steering by a response model; see :class:`Respond`.

    Attributes:
        explore: what a candidate is judged by: ``ucb``, what is expected and ``optimism`` standard deviations;
            ``thompson``, one draw from the posterior; ``mean``, what is expected alone.
        optimism: standard deviations that ``ucb`` adds to what is expected.
        exploit: stages at the end in which nothing is tried out and what is expected decides.
        restart: where a stage may start: at ``any`` state that promises most; at the best one if the last stage was
            ``worse`` beyond its noise; or ``never`` anywhere but at the last, for trainers that cannot go back.
        forget: a stage counts this many times as much as the one after it.
        safety: probability with which a stage must keep all constraints to be chosen.
    """

    kind: Literal["respond"] = "respond"
    explore: Explore = "ucb"
    optimism: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    exploit: int = Field(default=2, ge=0)
    restart: Restart = "any"
    forget: float = Field(default=FORGET, gt=0, le=1)
    safety: float = Field(default=SAFETY, ge=0, lt=1)

    def bare(self, chat: ChatModel | None) -> Agent:
        """Needs nothing."""
        del chat
        return Respond(self.explore, self.optimism, self.exploit, self.restart, self.forget, self.safety)
