"""Trajectories made by hand, for tests of agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lossagent.agents.base import View
from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal, Target
from lossagent.records import Decision, StageReport, State
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

NIQE = MetricFacts(
    name="niqe",
    direction="lower",
    low=0.0,
    high=None,
    needs_reference=False,
    unit=0.1,
    implementation="test",
    version="1",
)
GOAL = Goal(targets=(Target(metric="niqe", direction="lower", unit=0.1),))
IMAGES = tuple(f"image{i}" for i in range(10))
LOSSES = ("l1", "perceptual", "gan")


def weights(*numbers: float, names: Sequence[str] = LOSSES) -> Weights:
    return Weights.of(dict(zip(names, numbers, strict=True)))


def niqe(value: float | None, images: Sequence[str] = IMAGES) -> Feedback:
    """Scores around a mean; the spread over images is the same in every state, so a change has no noise."""
    middle = (len(images) - 1) / 2
    return Feedback(scores={"niqe": {n: None if value is None else value + i - middle for i, n in enumerate(images)}})


def state(
    number: int,
    parent: int | None,
    depth: int,
    w: Weights | None,
    feedback: Feedback | None,
    losses: Mapping[str, float] | None = None,
    restorable: bool = True,
) -> State:
    report = StageReport(iterations=0 if parent is None else 100, losses=dict(losses or {"l1": 0.03}))
    decision = None
    if w is not None and parent is not None:
        decision = Decision(author="test", proposed=w, weights=w, restart_from=parent)
    return State(
        id=number,
        parent=parent,
        depth=depth,
        decision=decision,
        report=report,
        feedback=feedback,
        restorable=restorable,
    )


def grow(
    stages: Sequence[tuple[int, Weights, Feedback | None]],
    start: Feedback | None = None,
    initial: Weights | None = None,
    head: int | None = None,
) -> Trajectory:
    """A tree from (parent, weights, feedback) of each stage; S_0 scores 7."""
    states = [state(0, None, 0, None, start or niqe(7.0))]
    for parent, w, feedback in stages:
        states.append(state(len(states), parent, states[parent].depth + 1, w, feedback))
    first = initial or (stages[0][1] if stages else weights(1.0, 0.1, 0.01))
    return Trajectory(tuple(states), first, 10, len(states) - 1 if head is None else head)


def seen(
    trajectory: Trajectory, bounds: Bounds | None = None, goal: Goal = GOAL, seed: int = 0, stages_left: int = 5
) -> View:
    return View(
        trajectory=trajectory,
        head=trajectory.head,
        goal=goal,
        bounds=bounds or Bounds(),
        metrics={"niqe": NIQE},
        seed=seed,
        stage_iterations=100,
        stages_left=stages_left,
    )


def change_state(trajectory: Trajectory, number: int, **update: object) -> Trajectory:
    states = list(trajectory.states)
    states[number] = states[number].model_copy(update=update)
    return replace(trajectory, states=tuple(states))


def line(*values: float | None) -> Trajectory:
    """A path whose stages scored these values."""
    return grow([(i, weights(1.0, 0.1 * 1.2**i, 0.01 * 1.3**i), niqe(v)) for i, v in enumerate(values)])
