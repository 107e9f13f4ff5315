"""What an agent is: a function of the trajectory and a seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal
from lossagent.records import Decision, Exchange, Recall, State
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights


@dataclass(frozen=True)
class View:
    """All that an agent sees when it is asked.

    Attributes:
        trajectory: every state so far.
        head: the state that the next stage starts from unless the agent restarts elsewhere.
        goal: what is wanted.
        bounds: what its answer will be projected into.
        metrics: facts of every metric scored (direction, range, unit).
        seed: the run's seed; use :meth:`rng`.
        stage_iterations: optimizer steps of a stage.
        stages_left: stages that may still be trained, this one included.
        tolerance: metric -> change that counts as noise, in score units, where the noise is not estimable.
        ceiling: metric -> score of the ground truth of the feedback images, where there is one.
        loss_facts: loss name -> one line on what it does, for prompts.
        guards: names of metrics that are watched, not steered by.
        fixed: depth -> feedback on the run under fixed weights, for constraints relative to it.
        pinned: whether a person chose ``head``: the next stage starts there and nowhere else.
    """

    trajectory: Trajectory
    head: State
    goal: Goal
    bounds: Bounds
    metrics: Mapping[str, MetricFacts]
    seed: int
    stage_iterations: int
    stages_left: int
    tolerance: Mapping[str, float] = field(default_factory=dict[str, float])
    ceiling: Mapping[str, float] = field(default_factory=dict[str, float])
    loss_facts: Mapping[str, str] = field(default_factory=dict[str, str])
    guards: frozenset[str] = frozenset()
    fixed: Mapping[int, Feedback] = field(default_factory=dict[int, Feedback])
    pinned: bool = False

    def violation(self, state: State) -> float:
        """By how much a scored state misses the goal's constraints, see :meth:`lossagent.Goal.violation`."""
        assert state.feedback is not None
        assert self.trajectory.start.feedback is not None
        return self.goal.violation(state.feedback, self.trajectory.start.feedback, self.fixed.get(state.depth))

    def rank(self, state: State) -> tuple[float, float]:
        """Sort key of a scored state, larger is better, see :meth:`lossagent.Goal.rank`."""
        assert state.feedback is not None
        assert self.trajectory.start.feedback is not None
        return self.goal.rank(state.feedback, self.trajectory.start.feedback, self.fixed.get(state.depth))

    @property
    def next_id(self) -> int:
        """Id that the state to come will have."""
        return len(self.trajectory.states)

    @property
    def previous(self) -> Weights:
        """The weights of the state that the next stage starts from."""
        return self.trajectory.weights_at(self.head.id)

    @property
    def restorable(self) -> frozenset[int]:
        """Ids of the states that a stage can start from."""
        return frozenset(s.id for s in self.trajectory.states if s.restorable and s.report is not None)

    def rng(self, purpose: str) -> random.Random:
        """A generator that depends on (seed, next state, purpose) alone."""
        text = f"{self.seed}/{self.next_id}/{purpose}".encode()
        return random.Random(int.from_bytes(hashlib.sha256(text).digest()[:8], "big"))


def forget(key: str, make: Callable[[], Exchange]) -> Exchange:
    """A :class:`Recall` that records nothing, for calls outside a run."""
    del key
    return make()


@runtime_checkable
class Agent(Protocol):
    """Trajectory -> Decision, eq. (6). An agent keeps no state of its own.

    The same view and the same recorded exchanges give the same decision. The decision's ``weights`` may equal
    ``proposed``; the bounds are applied by :class:`lossagent.Steering` afterwards.
    """

    @property
    def name(self) -> str:
        """Short name, used as the author of decisions."""
        ...

    @property
    def needs_restart(self) -> bool:
        """Whether it may restart from earlier states; refused where the trainer cannot."""
        ...

    @property
    def needs_utility(self) -> bool:
        """Whether it compares states by a number; refused where the goal is a wish only."""
        ...

    def decide(self, view: View, recall: Recall) -> Decision:
        """The weights of the next stage.

        Args:
            view: the trajectory and what surrounds it.
            recall: wraps every question to a model or person, so that a resume never asks twice.
        """
        ...
