"""Multiplicative hill climbing: one loss weight a stage, up or down by a factor; what fell is undone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from lossagent.agents.anchor import anchor_of, movable
from lossagent.agents.base import Agent, Recall, View
from lossagent.agents.comparing import has_scores, improved
from lossagent.agents.repeats import unrepeated
from lossagent.agents.rollback import best_restorable
from lossagent.agents.settings import AgentOptions
from lossagent.chat.base import ChatModel
from lossagent.errors import Refused
from lossagent.records import Decision, State
from lossagent.weights import Weights

WIDE = math.log(10.0)
"""Largest step without a trust region."""
NARROW = math.log(1.05)
"""Smallest step."""
ROOM = 0.1
"""Share of a step that the bounds must leave for it to be worth a stage."""
UNMOVED = 1e-4
"""Change of a log-ratio that is none: weights may have been written with six digits."""

Way = tuple[str, int]
"""A loss, and +1 (up) or -1 (down)."""


@dataclass(frozen=True)
class Climb:
    """Coordinate search over log-ratios to the anchor, with a memory of directions (Hooke, Jeeves 1961).

    A stage moves the weight of one loss by a factor. If the utility rose, the move is kept, that loss's step grows,
    and the next loss is moved, in the direction that last helped it. If it fell, training goes back to where the
    move began and the same loss is moved the other way; if that fails too, its step shrinks and the next loss is
    moved. A rise counts however small: waiting for one beyond noise was worse in simulation, see docs/agents/climb.md.

    A state is compared with its nearest ancestor that was scored and kept, see
    :func:`lossagent.agents.comparing.improved`. While the head has no score, its weights stay: the move is judged
    once there is one. At a state that a person chose the next move begins from it, whether it was kept or not.
    All of this is read off the trajectory.

    Attributes:
        step: factor of the first moves, > 1; the trust region limits it.
        grow: by what the logarithm of a loss's step is multiplied after success, >= 1.
        shrink: by what it is multiplied after failure in both directions, in (0, 1].
        restart: whether training goes back after a failed move; else only the weights do.
    """

    step: float = 3.0
    grow: float = 1.3
    shrink: float = 0.5
    restart: bool = True
    name: str = "climb"
    needs_utility: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step) and self.step > 1):
            raise Refused(f"step of the climbing agent must be a finite factor > 1; found {self.step}.")
        if not (math.isfinite(self.grow) and self.grow >= 1):
            raise Refused(f"grow of the climbing agent must be a finite number >= 1; found {self.grow}.")
        if not 0 < self.shrink <= 1:
            raise Refused(f"shrink of the climbing agent must be in (0, 1]; found {self.shrink}.")

    @property
    def needs_restart(self) -> bool:
        """Where failed moves are undone."""
        return self.restart

    def decide(self, view: View, recall: Recall) -> Decision:
        """The next move, from the head or from where a failed move began.

        Raises:
            Refused: the goal has no utility.
        """
        del recall
        view.goal.require_utility(self.name)
        past = _read(self, view)
        head, start = view.head, self._start(view, past)
        if start.id in past.kept or start.id in past.failed:
            base = start if view.pinned else past.nearest(view, start) or start
            weights, thoughts = self._moved(view, past, start, view.trajectory.weights_at(base.id))
        else:
            weights, thoughts = view.trajectory.weights_at(start.id), "No score to judge by: the weights stay."
        if start.id != head.id:
            thoughts = f"State {head.id} was no rise: back to state {start.id}. {thoughts}"
        decision = Decision(
            author=self.name, proposed=weights, weights=weights, restart_from=start.id, thoughts=thoughts
        )
        return unrepeated(decision, view) if self.restart else decision

    def _start(self, view: View, past: _Past) -> State:
        if view.pinned or not self.restart or view.head.id not in past.failed:
            return view.head
        kept = past.nearest(view, view.head)
        return kept if kept is not None and kept.id in view.restorable else best_restorable(view) or view.head

    def _moved(self, view: View, past: _Past, start: State, base: Weights) -> tuple[Weights, str]:
        """The weights of the next move from ``base``, and what it is."""
        before = view.trajectory.weights_at(start.id)
        for name, sign in _ways(view, past, base):
            step = past.steps[name]
            magnitudes = {**base.magnitudes, name: base.magnitudes[name] * math.exp(sign * step)}
            wanted = Weights(magnitudes=magnitudes, off=base.off)
            allowed = view.bounds.project(wanted, before)
            if sign * math.log(allowed.magnitudes[name] / base.magnitudes[name]) >= ROOM * step:
                return wanted, f"{name} {'up' if sign > 0 else 'down'} by a factor of {math.exp(step):.3g}."
        return base, "The bounds leave no room to move: the weights stay."


@dataclass
class _Past:
    """What the moves so far have shown.

    Attributes:
        steps: loss -> logarithm of the factor of its next move.
        signs: loss -> direction that helped last, or the one opposite to that which failed last.
        tried: moves that failed since the last success.
        last: the loss that was moved last.
        kept, failed: ids of states; one without a score is neither.
    """

    steps: dict[str, float]
    signs: dict[str, int] = field(default_factory=dict[str, int])
    tried: set[Way] = field(default_factory=set[Way])
    last: str | None = None
    kept: set[int] = field(default_factory=set[int])
    failed: set[int] = field(default_factory=set[int])

    def nearest(self, view: View, state: State) -> State | None:
        """The state if it was kept, else its nearest ancestor that was."""
        return next((s for s in reversed(view.trajectory.path(state.id)) if s.id in self.kept), None)


def _read(agent: Climb, view: View) -> _Past:
    """Replays the trajectory: which moves were tried, from where, and what became of them."""
    initial = view.trajectory.initial
    names = tuple(n for n in movable(initial, view.bounds) if n not in initial.off)
    largest = math.log(view.bounds.trust) if view.bounds.trust is not None else WIDE
    past = _Past(dict.fromkeys(names, min(math.log(agent.step), largest)))
    for state in view.trajectory.states:
        against = past.nearest(view, state)
        better = None if against is None else improved(view, state, against)
        move = None if against is None else _move(view, state, against, names)
        if better is False and (move is not None or not has_scores(state, view)):
            past.failed.add(state.id)
        elif has_scores(state, view):
            past.kept.add(state.id)
        if move is not None and better is not None:
            _learn(agent, past, move, better, largest)
    return past


def _learn(agent: Climb, past: _Past, move: Way, better: bool, largest: float) -> None:
    name, sign = move
    past.last = name
    if better:
        past.signs[name] = sign
        past.tried.clear()
        past.steps[name] = min(past.steps[name] * agent.grow, largest)
        return
    past.signs[name] = -sign
    if move in past.tried:  # every way was tried: a second round, with smaller steps
        past.tried.clear()
    past.tried.add(move)
    if (name, -sign) in past.tried:
        past.steps[name] = min(past.steps[name], max(past.steps[name] * agent.shrink, NARROW))


def _move(view: View, state: State, against: State, names: tuple[str, ...]) -> Way | None:
    """The loss that was moved most between two states, and its direction; ``None`` if none was."""
    now, before = view.trajectory.weights_at(state.id), view.trajectory.weights_at(against.id)
    anchor = anchor_of(view.trajectory.initial, view.bounds)
    ratios, old = now.log_ratios(anchor), before.log_ratios(anchor)
    moves = {name: ratios[name] - old[name] for name in names}
    name = max(moves, key=lambda n: abs(moves[n]), default=None)
    if name is None or abs(moves[name]) < UNMOVED:
        return None
    return name, 1 if moves[name] > 0 else -1


def _ways(view: View, past: _Past, base: Weights) -> Iterator[Way]:
    """Moves in the order of preference."""
    names = [name for name in past.steps if name not in base.off]
    last = past.last if past.last in names else None
    turned = (last, past.signs[last]) if last is not None else None
    if last is not None and turned is not None and (last, -turned[1]) in past.tried and turned not in past.tried:
        yield last, turned[1]
    first = names.index(last) + 1 if last is not None else view.rng("climb").randrange(max(len(names), 1))
    order = names[first:] + names[:first]
    ways: list[Way] = []
    for name in order:
        sign = past.signs.get(name) or view.rng(f"climb/{name}").choice((-1, 1))
        ways += [(name, sign), (name, -sign)]
    yield from (way for way in ways if way not in past.tried)
    yield from (way for way in ways if way in past.tried)


class ClimbSettings(AgentOptions):
    """Hill climbing, one weight a stage; see :class:`Climb`."""

    kind: Literal["climb"] = "climb"
    step: float = Field(default=3.0, gt=1, allow_inf_nan=False)
    grow: float = Field(default=1.3, ge=1, allow_inf_nan=False)
    shrink: float = Field(default=0.5, gt=0, le=1)
    restart: bool = True

    def bare(self, chat: ChatModel | None) -> Agent:
        """Needs nothing."""
        del chat
        return Climb(self.step, self.grow, self.shrink, self.restart)
