"""Look ahead: try several weights from the same state, go on from the best child."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from lossagent.agents.anchor import movable
from lossagent.agents.base import Agent, Recall, View
from lossagent.agents.comparing import has_scores, improved
from lossagent.agents.repeats import unrepeated
from lossagent.agents.rollback import damaged
from lossagent.agents.settings import AgentOptions
from lossagent.chat.base import ChatModel
from lossagent.errors import Refused
from lossagent.records import Decision, State
from lossagent.weights import Weights


@dataclass(frozen=True)
class Lookahead:
    """Trains ``width`` children of a state, each under other weights, and goes on from the best under its weights.

    Every child is a stage of the budget: with a width of 2, ten stages reach a depth of six. Candidates come in
    antithetic pairs, as in simultaneous perturbation (Spall 1992): up along a random direction of log-ratios to the
    anchor, and down by the same. Children of one state share their training data, so that they differ by their
    weights alone.

    A child without a score is chosen only where none has one and its report shows no damage. Where fewer stages are
    left than a choice needs (two), the last one continues from the best child under its weights. From a state that a
    person chose one direction is tried, which is nobody's rival; looking ahead goes on from where it leads.

    Attributes:
        width: children of a state, >= 2.
        step: factor by which the weight that moves most is moved, > 1; the trust region limits it.
    """

    width: int = 2
    step: float = 3.0
    name: str = "lookahead"
    needs_restart: bool = True
    needs_utility: bool = True

    def __post_init__(self) -> None:
        if self.width < 2:
            raise Refused(f"width of the lookahead agent must be at least 2; found {self.width}.")
        if not (math.isfinite(self.step) and self.step > 1):
            raise Refused(f"step of the lookahead agent must be a finite factor > 1; found {self.step}.")

    def decide(self, view: View, recall: Recall) -> Decision:
        """The next candidate: of the state that is being looked ahead from, or of the winner of its children.

        Raises:
            Refused: the goal has no utility.
        """
        del recall
        view.goal.require_utility(self.name)
        start, reason = self._start(view)
        tried = self._candidates(view, start)
        number = 0 if view.pinned else len(tried) % self.width
        base = view.trajectory.weights_at(start.id)
        if number == 0 and view.stages_left < 2:
            weights, thoughts = base, "One stage is left: no choice, the weights stay."
        elif view.pinned:
            weights, thoughts = self._candidate(view, base, None), f"A random direction from state {start.id}."
        else:
            weights = self._candidate(view, base, view.trajectory.weights_at(tried[-1].id) if number % 2 else None)
            thoughts = f"Candidate {number + 1} of {self.width} from state {start.id}."
        decision = Decision(
            author=self.name,
            proposed=weights,
            weights=weights,
            restart_from=start.id,
            thoughts=f"{reason} {thoughts}".strip(),
        )
        return unrepeated(decision, view)

    def _start(self, view: View) -> tuple[State, str]:
        """Where the next candidate starts, and why."""
        head = view.head
        if view.pinned or head.parent is None or not self._is_candidate(head):
            return head, ""
        parent = view.trajectory.states[head.parent]
        tried = self._candidates(view, parent)
        complete = len(tried) % self.width == 0
        if not complete and parent.id in view.restorable:
            return parent, ""
        size = self.width if complete else len(tried) % self.width
        best = _best(view, tried[-size:])
        if best is None:
            return (parent if parent.id in view.restorable else head), "No child can be gone on from."
        return best, f"State {best.id} is the best of {size}."

    def _is_candidate(self, state: State) -> bool:
        return state.decision is not None and self.name in state.decision.author

    def _candidates(self, view: View, parent: State) -> tuple[State, ...]:
        return tuple(s for s in view.trajectory.children(parent.id) if self._is_candidate(s))

    def _candidate(self, view: View, base: Weights, other: Weights | None) -> Weights:
        """A random direction, or the mirror image of another candidate in log-magnitudes."""
        names = [name for name in movable(base, view.bounds) if name not in base.off]
        magnitudes = dict(base.magnitudes)
        if other is not None:
            for name in names:
                magnitudes[name] *= base.magnitudes[name] / other.magnitudes[name]
            return Weights(magnitudes=magnitudes, off=base.off)
        generator = view.rng("lookahead")
        direction = {name: generator.gauss() for name in names}
        largest = max((abs(x) for x in direction.values()), default=1.0)
        for name, part in direction.items():
            magnitudes[name] *= math.exp(math.log(self.step) * part / largest)
        return Weights(magnitudes=magnitudes, off=base.off)


def _best(view: View, children: tuple[State, ...]) -> State | None:
    """The best child that a stage can start from; the earliest of equals, an undamaged one where none has a score."""
    left = [child for child in children if child.id in view.restorable]
    scored = [child for child in left if has_scores(child, view)]
    if not scored:
        return next((child for child in left if not damaged(child)), None)
    best = scored[0]
    for child in scored[1:]:
        if improved(view, child, best):
            best = child
    return best


class LookaheadSettings(AgentOptions):
    """Several candidates are trained from one state, and the best is gone on from; see :class:`Lookahead`."""

    kind: Literal["lookahead"] = "lookahead"
    width: int = Field(default=2, ge=2)
    step: float = Field(default=3.0, gt=1, allow_inf_nan=False)

    def bare(self, chat: ChatModel | None) -> Agent:
        """Needs nothing."""
        del chat
        return Lookahead(self.width, self.step)
