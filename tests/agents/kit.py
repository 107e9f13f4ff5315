"""What every agent must keep, whatever it does: a conformance kit, and trajectories to try it on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from lossagent.agents.base import Agent, View
from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal, Target
from lossagent.records import Decision, Evidence, Exchange, StageReport, State
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


def seen(trajectory: Trajectory, bounds: Bounds | None = None, goal: Goal = GOAL, seed: int = 0) -> View:
    return View(
        trajectory=trajectory,
        head=trajectory.head,
        goal=goal,
        bounds=bounds or Bounds(),
        metrics={"niqe": NIQE},
        seed=seed,
        stage_iterations=100,
        stages_left=5,
    )


def change_state(trajectory: Trajectory, number: int, **update: object) -> Trajectory:
    states = list(trajectory.states)
    states[number] = states[number].model_copy(update=update)
    return replace(trajectory, states=tuple(states))


def line(*values: float | None) -> Trajectory:
    """A path whose stages scored these values."""
    return grow([(i, weights(1.0, 0.1 * 1.2**i, 0.01 * 1.3**i), niqe(v)) for i, v in enumerate(values)])


def _nan() -> Trajectory:
    broken = StageReport(
        iterations=100,
        losses={"l1": math.nan, "gan": math.inf},
        evidence=Evidence(raw={"l1": math.nan}, image_norms={"l1": math.nan, "gan": 1.0}),
        skipped=3,
    )
    return change_state(line(6.0, 5.0, None), 3, report=broken)


def _single() -> Trajectory:
    one = Weights.of({"l1": 1.0})
    return grow([(0, one, niqe(6.0)), (1, one, niqe(6.5))])


def _twenty() -> Trajectory:
    many = Weights.of({f"loss{i}": 1.0 / (i + 1) for i in range(20)})
    return grow([(0, many, niqe(6.0)), (1, many, niqe(5.0))])


def _tree() -> Trajectory:
    w = weights(1.0, 0.1, 0.01)
    return grow(
        [
            (0, w, niqe(6.0)),
            (1, weights(1.0, 0.2, 0.02), niqe(7.5)),
            (1, weights(1.0, 0.05, 0.02), niqe(5.5)),
            (3, weights(1.0, 0.05, 0.08), niqe(6.5)),
        ]
    )


TRAJECTORIES: dict[str, Callable[[], Trajectory]] = {
    "better": lambda: line(6.0, 5.5, 5.0),
    "worse": lambda: line(6.0, 5.5, 6.5),
    "missing score": lambda: line(6.0, 5.5, None),
    "no feedback": lambda: change_state(line(6.0, 5.5), 2, feedback=Feedback()),
    "nan losses": _nan,
    "one loss": _single,
    "twenty losses": _twenty,
    "branching": _tree,
    "only the first stage": lambda: line(6.0),
    "off": lambda: grow([(0, weights(1.0, 0.1, 0.0), niqe(6.0)), (1, weights(1.0, 0.1, 0.0), niqe(6.5))]),
}

BOUNDS: dict[str, Bounds] = {
    "default": Bounds(),
    "none": Bounds.none(),
    "frozen": Bounds(frozen=frozenset({"gan"})),
    "no switch": Bounds(switch=False, trust=1.5),
}


class Recorder:
    """A recall that keeps what was made, and hands out what it was given."""

    def __init__(self, known: Mapping[str, Exchange] | None = None) -> None:
        self.known = dict(known or {})
        self.made: list[str] = []

    def __call__(self, key: str, make: Callable[[], Exchange]) -> Exchange:
        if key not in self.known:
            self.known[key] = make()
            self.made.append(key)
        return self.known[key]


def check(make: Callable[[], Agent], trajectory: Trajectory, bounds: Bounds) -> Decision:
    """The contract of :class:`lossagent.agents.base.Agent` on one trajectory."""
    bounds = bounds.model_copy(update={"frozen": bounds.frozen & set(trajectory.initial.names)})
    view = seen(trajectory, bounds)
    agent = make()
    assert isinstance(agent, Agent)
    recorder = Recorder()
    decision = agent.decide(view, recorder)

    assert decision.weights.names == trajectory.initial.names
    assert decision.author == agent.name
    start = decision.restart_from
    assert 0 <= start < len(trajectory.states)
    if not agent.needs_restart:
        assert start == view.head.id
    assert start == view.head.id or start in view.restorable

    before = trajectory.weights_at(start)
    allowed = bounds.project(decision.weights, before)
    for name in allowed.names:
        low, high = bounds.box(name)
        assert math.isfinite(allowed[name])
        if name not in bounds.frozen and name not in allowed.off and bounds.trust is None:
            assert low <= allowed[name] <= high
        if bounds.trust is not None and low <= before.magnitudes[name] <= high:
            ratio = allowed.magnitudes[name] / before.magnitudes[name]
            assert 1 / bounds.trust * 0.999 <= ratio <= bounds.trust * 1.001

    # The same trajectory, seed and answers: the same decision, and nothing is asked again.
    again = Recorder(recorder.known)
    assert make().decide(view, again) == decision
    assert again.made == []
    assert Decision.model_validate_json(decision.model_dump_json()) == decision
    # All exchanges behind the decision are recorded.
    assert set(decision.exchanges) == set(recorder.known)
    assert decision.failed <= decision.asked

    # Never the same stage twice, for those that can restart.
    if agent.needs_restart:
        for child in trajectory.children(start):
            assert child.decision is not None
            assert child.weights != allowed or child.decision.replicate != decision.replicate
    return decision
