"""Fixed weights tuned within one run's budget: each of K settings is tried from S_0, the best is trained on."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from lossagent.agents.anchor import movable, reach
from lossagent.agents.base import Agent, Recall, View
from lossagent.agents.repeats import on_other_data, same
from lossagent.agents.settings import AgentOptions
from lossagent.chat.base import ChatModel
from lossagent.errors import Refused, UnknownName
from lossagent.records import Decision, State
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

Setting = str | Mapping[str, float]
"""Weights as text of all losses (``l1:gan=1:0.1``), or a mapping of those that differ from the initial ones."""


COUNT, RANGE = 4, 16.0
"""How many settings, and the largest factor, where settings are drawn."""


@dataclass(frozen=True)
class Sweep:
    """What a careful person does by hand: short trials of a few settings, then the best one to the end.

    The settings are the initial weights and those that are listed or drawn. Each is trained for ``trial`` stages from
    S_0, in order, so that all are compared at the same depth and on the same training data; the best of them (by the
    goal: feasible before better, a missing score last, the earliest of equals) is then trained on from its own state
    under its own weights. Stages that a person or a deadline put in are not counted and not undone.

    Where the checkpoint of a setting was let go of, it is trained again from S_0, on the next window of data (another
    ``replicate``); the first result of its trial stays what it is judged by. From a state that a person chose, the
    setting that led to it is trained on; from S_0, the one that is due.

    Attributes:
        settings: the settings beside the initial weights; empty: they are drawn.
        count: how many settings there are where they are drawn, the initial weights among them, >= 2.
        trial: stages that each is tried for, >= 1.
        range: largest factor of a drawn weight around the initial one, > 1; a trust region narrows it.
    """

    settings: tuple[Setting, ...] = ()
    count: int = COUNT
    trial: int = 1
    range: float = RANGE
    name: str = "sweep"
    needs_restart: bool = True
    needs_utility: bool = True

    def __post_init__(self) -> None:
        if self.count < 2:
            raise Refused(f"count of the sweep must be at least 2, the initial weights included; found {self.count}.")
        if self.trial < 1:
            raise Refused(f"trial of the sweep must be at least 1 stage; found {self.trial}.")
        if not (math.isfinite(self.range) and self.range > 1):
            raise Refused(f"range of the sweep must be a finite factor > 1; found {self.range}.")
        for setting in self.settings:
            if isinstance(setting, str):
                Weights.parse(setting)
                continue
            for name, value in setting.items():
                if not (math.isfinite(value) and value >= 0):
                    raise Refused(f"weight {name!r} of a sweep's setting must be finite and >= 0; found {value!r}.")

    def decide(self, view: View, recall: Recall) -> Decision:
        """The next stage of the first setting that was not tried to its end, else of the best one.

        Raises:
            Refused: the stages do not suffice; a setting is of other losses or beyond the bounds; the goal is a wish
                only.
        """
        del recall
        view.goal.require_utility(f"agent {self.name!r}")
        settings = self._settings(view)
        self._require_stages(view, len(settings))
        tried = [reached(view.trajectory, setting, view.bounds) for setting in settings]
        if view.pinned and view.head.parent is not None:
            return self._chosen(view, settings, tried)
        for i, (setting, states) in enumerate(zip(settings, tried, strict=True)):
            if all(s.depth < self.trial for s in states):
                start = self._start(view, states)
                number = min(start.depth + 1, self.trial)
                thoughts = f"Setting {i + 1} of {len(settings)}: stage {number} of {self.trial}."
                return self._stage(view, setting, start, thoughts)
        best = self._best(view, tried)
        thoughts = f"Setting {best + 1} of {len(settings)} was the best after {self.trial} stage(s): trained on."
        return self._stage(view, settings[best], self._start(view, tried[best]), thoughts)

    def _start(self, view: View, states: Sequence[State]) -> State:
        """The deepest of a setting's states that a stage can start from, the newest of equals."""
        if view.pinned:
            return view.head
        return max((s for s in states if s.id in view.restorable), key=lambda s: (s.depth, s.id), default=view.head)

    def _chosen(self, view: View, settings: Sequence[Weights], tried: Sequence[tuple[State, ...]]) -> Decision:
        """The next stage from a state that a person chose, under the setting that it belongs to or its own weights."""
        head = view.head
        i = next((i for i, states in enumerate(tried) if head.id in {s.id for s in states}), None)
        if i is None:
            own = view.trajectory.weights_at(head.id)
            return self._stage(view, own, head, f"State {head.id} is of no setting: trained on under its weights.")
        return self._stage(view, settings[i], head, f"Setting {i + 1} of {len(settings)}, trained on.")

    def _stage(self, view: View, weights: Weights, start: State, thoughts: str) -> Decision:
        """A stage under fixed weights, never perturbed: one that was trained before gets other data."""
        decision = Decision(
            author=self.name, proposed=weights, weights=weights, restart_from=start.id, thoughts=thoughts
        )
        fresh = on_other_data(decision, view)
        if fresh.replicate == decision.replicate:
            return decision
        why = "" if view.pinned else ": the checkpoint of what it led to is gone"
        words = f"{thoughts} Once more from state {start.id}, on the next window of data{why}."
        return fresh.model_copy(update={"thoughts": words})

    def _best(self, view: View, tried: Sequence[tuple[State, ...]]) -> int:
        """The setting whose state after its trial ranks highest, whether its checkpoint is still there or not."""
        ends = [next(s for s in states if s.depth == self.trial) for states in tried]
        return max(range(len(ends)), key=lambda i: view.rank(ends[i]))

    def _require_stages(self, view: View, settings: int) -> None:
        needed, stages = settings * self.trial + 1, view.trajectory.stages
        if stages < needed:
            raise Refused(
                f"a sweep of {settings} settings (the initial weights are one of them) for {self.trial} stage(s) each "
                f"takes {needed - 1} stages, and one more to train the best on: at least {needed}; the run has "
                f"{stages}. Give it more stages (training.stages), or the sweep fewer settings or a shorter trial."
            )

    def _settings(self, view: View) -> tuple[Weights, ...]:
        """The initial weights and the others, each once; the same at every decision of a run."""
        initial = view.trajectory.initial
        others = self._drawn(view) if not self.settings else [_weights(setting, initial) for setting in self.settings]
        found = [initial]
        for weights in others:
            _require_reach(weights, view)
            if not any(same(weights, known) for known in found):
                found.append(weights)
        return tuple(found)

    def _drawn(self, view: View) -> list[Weights]:
        """A Latin hypercube in log-weights around the initial ones, inside the bounds (McKay et al. 1979)."""
        initial, n = view.trajectory.initial, self.count - 1
        # Not View.rng, which differs from state to state: the settings are the same at every decision.
        generator = random.Random(f"{view.seed}/sweep")
        columns: dict[str, list[float]] = {}
        for name in movable(initial, view.bounds):
            low, high = reach(name, initial.magnitudes[name], self.range, view.bounds)
            strata = generator.sample(range(n), n)
            logs = [math.log(low) + (k + generator.random()) / n * math.log(high / low) for k in strata]
            columns[name] = [min(max(math.exp(x), low), high) for x in logs]
        drawn = [{name: column[k] for name, column in columns.items()} for k in range(n)]
        made = (Weights(magnitudes={**initial.magnitudes, **moved}, off=initial.off) for moved in drawn)
        return [view.bounds.project(weights, initial) for weights in made]


def reached(trajectory: Trajectory, setting: Weights, bounds: Bounds) -> tuple[State, ...]:
    """S_0 and every scored state that was trained from it under these weights alone, or what the bounds make of them.

    Bounds change none but the initial weights, which may lie outside and then walk into them.
    """
    found = {0: trajectory.start}
    for state in trajectory.scored:
        if state.weights is None or state.parent not in found:
            continue
        allowed = bounds.project(setting, trajectory.weights_at(state.parent))
        if same(state.weights, setting) or same(state.weights, allowed):
            found[state.id] = state
    return tuple(found.values())


def _weights(setting: Setting, initial: Weights) -> Weights:
    if isinstance(setting, str):
        return Weights.parse(setting, initial.names, keep=initial)
    for name in setting:
        if name not in initial.names:
            raise UnknownName("loss of a sweep's setting", name, initial.names)
    return Weights.of({**initial.values(), **setting}, keep=initial)


def _require_reach(setting: Weights, view: View) -> None:
    """Raises Refused where the bounds would change a setting, which is trained from S_0 in one step."""
    initial = view.trajectory.initial
    allowed = view.bounds.project(setting, initial)
    if not same(allowed, setting):
        raise Refused(
            f"the sweep's setting {setting} cannot be reached from the initial weights {initial} in one stage: the "
            f"bounds make {allowed} of it. Widen them (bounds.low, high, trust: null sets no largest step), or "
            "change the setting."
        )


class SweepSettings(AgentOptions):
    """Fixed weights tuned within one run's budget.

    Attributes:
        settings: what is tried beside the initial weights, as text of all losses or as a mapping of those that differ.
        count: in place of ``settings``: how many are tried, the initial weights and draws around them; 4 if not said.
        trial: stages that each is tried for.
        range: largest factor of a draw, 16 if not said.
    """

    kind: Literal["sweep"] = "sweep"
    settings: tuple[str | dict[str, float], ...] | None = Field(default=None, min_length=1)
    count: int | None = Field(default=None, ge=2)
    trial: int = Field(default=1, ge=1)
    range: float | None = Field(default=None, gt=1, allow_inf_nan=False)

    @model_validator(mode="after")
    def _valid(self) -> SweepSettings:
        if self.rollback:
            raise ValueError("a sweep trains under fixed weights from states that it chooses itself: no rollback")
        if self.settings and (self.count or self.range):
            raise ValueError("a sweep's settings are listed (settings) or drawn (count, range), not both")
        Sweep(self.settings or ())
        return self

    def bare(self, chat: ChatModel | None) -> Agent:
        """Needs nothing."""
        del chat
        return Sweep(self.settings or (), self.count or COUNT, self.trial, self.range or RANGE)
