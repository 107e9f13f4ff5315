"""What every agent must keep, whatever it does: a conformance kit.

:func:`check` asks an agent once, in each of :data:`CASES`; :func:`check_run` lets it steer a short run, and
:func:`check_run_by_hand` one in which people set weights and step back and hardly a checkpoint is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pytest

from agents.trees import (
    GOAL,
    IMAGES,
    LOSSES,
    NIQE,
    change_state,
    grow,
    line,
    niqe,
    seen,
    state,
    weights,
)
from lossagent.agents.base import Agent, View
from lossagent.agents.rollback import Rollback
from lossagent.errors import Refused
from lossagent.events import Pruned, Requested
from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal, Target
from lossagent.letters import NextWeights, Undo
from lossagent.records import Decision, Evidence, Exchange, StageReport
from lossagent.runs import MemoryLog
from lossagent.steering import Steering
from lossagent.steering.settling import settled
from lossagent.trajectory import Trajectory
from lossagent.weights import FLOOR, Bounds, Weights

__all__ = [
    "BOUNDS", "CASES", "GOAL", "GOALS", "IMAGES", "INITIAL", "LOSSES", "NIQE", "TRAJECTORIES", "Case", "Recorder",
    "change_state", "check", "check_run", "check_run_by_hand", "grow", "line", "niqe", "seen", "state", "weights",
]  # fmt: skip


INITIAL = weights(1.0, 0.1, 0.01)
PSNR = NIQE.model_copy(update={"name": "psnr", "direction": "higher", "needs_reference": True})
FIXED = {depth: niqe(7.0 - 0.2 * depth) for depth in range(20)}
"""A run under fixed weights, as far as any trajectory here goes."""


def _nan() -> Trajectory:
    broken = StageReport(
        iterations=100,
        losses={"l1": math.nan, "gan": math.inf},
        evidence=Evidence(
            raw={"l1": math.nan}, image_norms={"l1": math.nan, "gan": 1.0}, layer_norms={"l1": 1.0, "gan": math.inf}
        ),
        skipped=3,
    )
    return change_state(line(6.0, 5.0, None), 3, report=broken)


def _same(names: int, *values: float) -> Trajectory:
    """A path under weights that stay."""
    many = Weights.of({f"loss{i}": 1.0 / (i + 1) for i in range(names)})
    return grow([(i, many, niqe(value)) for i, value in enumerate(values)])


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


def _off(*numbers: float) -> Trajectory:
    w = weights(*numbers)
    return grow([(0, w, niqe(6.0)), (1, w, niqe(6.5))])


def _pruned(trajectory: Trajectory, *states: int) -> Trajectory:
    for number in states:
        trajectory = change_state(trajectory, number, restorable=False)
    return trajectory


def _measured() -> Trajectory:
    """A path with gradients; the norm of one loss is 0, as where its gradient is cut."""
    evidence = Evidence(
        raw={"l1": 0.03, "perceptual": 0.8, "gan": -0.2}, layer_norms={"l1": 2.0, "perceptual": 30.0, "gan": 0.0}
    )
    trajectory = line(6.0, 5.5)
    for number in range(3):
        trajectory = change_state(trajectory, number, report=StageReport(iterations=100, evidence=evidence))
    return trajectory


def _away() -> Trajectory:
    """An expert that never gave a score."""
    return grow([(i, weights(1.0, 0.1, 0.01), Feedback()) for i in range(3)], start=Feedback())


def _scores(value: float, psnr: float) -> Feedback:
    return Feedback(scores={**niqe(value).scores, "psnr": dict.fromkeys(IMAGES, psnr)})


def _two_metrics() -> Trajectory:
    """What one metric gains the other loses, in two states of one parent."""
    stages = [
        (0, INITIAL, _scores(6.0, 30.0)),
        (1, weights(1.0, 0.2, 0.02), _scores(5.0, 28.0)),
        (1, weights(1.0, 0.05, 0.005), _scores(6.5, 31.0)),
    ]
    return grow(stages, start=_scores(7.0, 29.0))


def _partly() -> Trajectory:
    """The metric failed on some images, on most, and on some of the start's."""

    def but(value: float, *missing: int) -> Feedback:
        whole = niqe(value).scores["niqe"]
        return Feedback(scores={"niqe": {n: None if i in missing else s for i, (n, s) in enumerate(whole.items())}})

    stages = [
        (0, INITIAL, niqe(6.0)),
        (1, weights(1.0, 0.2, 0.02), but(5.9, 7, 8, 9)),
        (2, weights(1.0, 0.3, 0.02), but(5.8, *range(1, 10))),
        (2, weights(1.0, 0.3, 0.05), but(5.7, 0)),
    ]
    return grow(stages, start=but(7.0, 9))


def _by_hand() -> Trajectory:
    """A person set weights that no agent would, far outside its steps; then one went back to before them."""
    trajectory = grow(
        [
            (0, INITIAL, niqe(6.0)),
            (1, weights(2.0, 3.0, 0.0), niqe(6.4)),
            (2, weights(1.0, 0.2, 0.02), niqe(6.2)),
            (1, weights(1.0, 0.3, 0.02), niqe(5.9)),
        ]
    )
    for number, marks in ((2, ()), (4, ("undo",))):
        made = trajectory.states[number].decision
        assert made is not None
        update = {"author": "human", "adjusted_by": marks}
        trajectory = change_state(trajectory, number, decision=made.model_copy(update=update))
    return trajectory


TRAJECTORIES: dict[str, Callable[[], Trajectory]] = {
    "better": lambda: line(6.0, 5.5, 5.0),
    "worse": lambda: line(6.0, 5.5, 6.5),
    "missing score": lambda: line(6.0, 5.5, None),
    "missing before": lambda: line(6.0, None, 5.5),
    "no feedback": lambda: change_state(line(6.0, 5.5), 2, feedback=Feedback()),
    "no score at all": _away,
    "nan losses": _nan,
    "one loss": lambda: _same(1, 6.0, 6.5),
    "twenty losses": lambda: _same(20, 6.0, 5.0),
    "branching": _tree,
    "first of two children": lambda: grow(
        [(0, weights(1.0, 0.1, 0.01), niqe(6.0)), (1, weights(1.0, 0.3, 0.01), None)]
    ),
    "only the first stage": lambda: line(6.0),
    "only the start": lambda: grow([]),
    "only the start, unscored": lambda: grow([], start=Feedback()),
    "back at the start": lambda: replace(line(6.0, 5.5, 5.0), head_id=0),
    "off": lambda: _off(1.0, 0.1, 0.0),
    "all off but one": lambda: _off(0.0, 0.1, 0.0),
    "pruned": lambda: _pruned(line(6.0, 5.0, 5.5, 5.8), 1, 2, 3),
    "parent pruned": lambda: _pruned(line(6.0, 5.0, 5.5), 2),
    "start pruned": lambda: _pruned(line(6.0, 6.5), 0, 1),
    "long": lambda: line(*(6.0 + math.sin(i) for i in range(12))),
    "measured gradients": _measured,
    "two metrics": _two_metrics,
    "partly scored": _partly,
    "by hand": _by_hand,
}

BOUNDS: dict[str, Bounds] = {
    "default": Bounds(),
    "none": Bounds.none(),
    "frozen": Bounds(frozen=frozenset({"gan"})),
    "all frozen": Bounds(frozen=frozenset(LOSSES)),
    "no switch": Bounds(switch=False, trust=1.5),
    "elsewhere": Bounds(low=2.0, high=3.0),
    "a point": Bounds(per_loss={"perceptual": (0.1, 0.1), "gan": (0.01, 0.01)}),
}

GOALS: dict[str, Goal] = {
    "target": GOAL,
    "constraint": Goal(
        targets=GOAL.targets,
        constraints=(Constraint(metric="niqe", at_most=-1.2, relative_to="start", unit=0.1),),
    ),
    "constraint without scores": Goal(targets=GOAL.targets, constraints=(Constraint(metric="psnr", at_least=28.0),)),
    "two targets": Goal(
        targets=(*GOAL.targets, Target(metric="psnr", direction="higher", unit=0.5, importance=2.0)),
        constraints=(Constraint(metric="psnr", at_least=-0.5, relative_to="start"),),
    ),
    "limit of the fixed run": Goal(
        targets=GOAL.targets, constraints=(Constraint(metric="niqe", at_most=0.3, relative_to="fixed", unit=0.1),)
    ),
    "wish": Goal(wish="no plastic skin"),
    "wish with a proxy": Goal(wish="no plastic skin", proxy=GOAL.targets),
}


@dataclass(frozen=True)
class Case:
    """A situation in which an agent is asked; the names are keys of the tables above.

    ``chosen`` is the state that a person chose for the next stage to start from. Steering asks the guarded agent then.
    """

    trajectory: str
    bounds: str = "default"
    goal: str = "target"
    stages_left: int = 5
    seed: int = 0
    chosen: int | None = None

    def __str__(self) -> str:
        return ", ".join(
            str(x) for x in (self.trajectory, self.bounds, self.goal, self.stages_left, self.seed, self.chosen)
        )


CASES = (
    *(Case(t) for t in TRAJECTORIES),
    *(Case(t, bounds=b) for t in ("branching", "off") for b in BOUNDS if b != "default"),
    *(Case(t, goal=g) for t in ("branching", "missing score") for g in GOALS if g != "target"),
    *(Case("two metrics", goal=g) for g in ("two targets", "limit of the fixed run")),
    *(Case("partly scored", goal=g) for g in ("constraint", "limit of the fixed run")),
    *(Case("branching", chosen=n) for n in (0, 1, 2)),
    *(Case("by hand", chosen=n) for n in (2, 4)),
    *(Case(t, stages_left=n) for t in ("only the first stage", "branching") for n in (1, 2)),
    *(Case("branching", seed=s) for s in (1, 2**40)),
)


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


def check(make: Callable[[], Agent], case: Case) -> None:
    """The contract of :class:`lossagent.agents.base.Agent` in one situation."""
    trajectory, goal = TRAJECTORIES[case.trajectory](), GOALS[case.goal]
    bounds = BOUNDS[case.bounds]
    bounds = bounds.model_copy(update={"frozen": bounds.frozen & set(trajectory.initial.names)})
    agent = _asked(make, case)
    assert isinstance(agent, Agent)
    if agent.needs_utility and not goal.has_utility:
        with pytest.raises(Refused, match="wish"):
            Steering(agent=agent, goal=goal, initial=trajectory.initial, stages=3, can_restart=True)
        return
    view = replace(seen(trajectory, bounds, goal, case.seed, case.stages_left), metrics={"niqe": NIQE, "psnr": PSNR})
    if any(c.relative_to == "fixed" for c in goal.constraints):
        view = replace(view, fixed=FIXED)
    if case.chosen is not None:
        view = replace(view, head=trajectory.states[case.chosen], pinned=True)
    recorder = Recorder()
    decision = agent.decide(view, recorder)

    assert decision.author == agent.name
    assert decision.restart_from in view.restorable
    if not agent.needs_restart or case.chosen is not None:
        assert decision.restart_from == view.head.id
    for answer in (decision.proposed, decision.weights):
        assert answer.names == trajectory.initial.names
    assert_same_again(_asked(make, case), view, decision, recorder)
    final = settled(decision, trajectory, bounds, can_restart=agent.needs_restart or case.chosen is not None)
    assert_within(final, trajectory, bounds)
    if agent.needs_restart:
        assert_new(decision, trajectory, bounds)


def _asked(make: Callable[[], Agent], case: Case) -> Agent:
    """The agent that steering asks: at a state that a person chose, the one behind the guard."""
    agent = make()
    return agent.agent if case.chosen is not None and isinstance(agent, Rollback) else agent


def assert_same_again(other: Agent, view: View, decision: Decision, recorder: Recorder) -> None:
    """The same trajectory, seed and answers: the same decision, whatever an instance was asked before."""
    start = replace(view.trajectory, states=view.trajectory.states[:1], head_id=0)
    other.decide(replace(view, trajectory=start, head=start.head, seed=view.seed + 1, pinned=False), Recorder())
    again = Recorder(recorder.known)
    assert other.decide(view, again) == decision
    assert again.made == []
    assert Decision.model_validate_json(decision.model_dump_json()) == decision
    assert set(decision.exchanges) == set(recorder.known)
    assert decision.failed <= decision.asked


def assert_new(decision: Decision, trajectory: Trajectory, bounds: Bounds) -> None:
    """No such stage was trained before."""
    allowed = bounds.project(decision.weights, trajectory.weights_at(decision.restart_from))
    for child in trajectory.children(decision.restart_from):
        assert child.decision is not None
        assert child.weights != allowed or child.decision.replicate != decision.replicate


def assert_within(final: Decision, trajectory: Trajectory, bounds: Bounds) -> None:
    """What is trained with is finite, in its box, and within the trust region of where the stage starts."""
    before = trajectory.weights_at(final.restart_from)
    for name, magnitude in final.weights.magnitudes.items():
        old = before.magnitudes[name]
        assert math.isfinite(magnitude)
        if name in bounds.frozen:
            assert magnitude == old
            continue
        low, high = bounds.box(name)
        if bounds.trust is None or low <= old <= high:
            assert low <= magnitude <= high
        if bounds.trust is not None and not (name in before.off and old == FLOOR):  # it never had a weight
            assert 0.999 / bounds.trust <= magnitude / old <= 1.001 * bounds.trust
    if not bounds.switch:
        assert final.weights.off == before.off


def check_run(make: Callable[[], Agent], stages: int = 6) -> Trajectory:
    """Steers a short run in which one score is missing and one report shows damage; resumed anywhere, it is the same.

    Returns the run's trajectory.
    """
    once, resumed = _steered(make, stages, resume=False), _steered(make, stages, resume=True)
    assert len(once.states) == stages + 1
    assert [s.decision for s in once.states] == [s.decision for s in resumed.states]
    for number, one in enumerate(once.states[2:], start=2):
        assert one.decision is not None
        so_far = replace(once, states=once.states[:number])
        assert_within(one.decision, so_far, Bounds())
    return once


BY_HAND = {
    2: NextWeights(author="Ann", weights={"l1": 1.0, "perceptual": 0.2, "gan": 0.02}),
    4: Undo(author="Ann", state=0),
}
"""What people ask for, and after which state."""


def check_run_by_hand(make: Callable[[], Agent], stages: int = 7) -> Trajectory:
    """The same where people steer, too, and only S_0, the newest state and the last are kept."""
    once = _steered(make, stages, resume=False, by_hand=True)
    assert len(once.states) == stages + 1
    assert [s.decision for s in once.states] == [
        s.decision for s in _steered(make, stages, resume=True, by_hand=True).states
    ]
    weights_set, step_back = once.states[3].decision, once.states[5].decision
    assert weights_set is not None
    assert step_back is not None
    assert (weights_set.author, weights_set.weights["gan"]) == ("human", pytest.approx(0.02))
    assert (step_back.author, step_back.restart_from) == ("human", 0)
    for number, one in enumerate(once.states[2:], start=2):
        assert one.decision is not None
        assert_within(one.decision, replace(once, states=once.states[:number]), Bounds())
    return once


def _prune(steering: Steering) -> None:
    """As with ``keep=1``: S_0, the best and the newest stay."""
    trajectory = steering.trajectory
    keep = {0, steering.best().id, trajectory.last.id}
    for one in trajectory.states:
        if one.restorable and one.id not in keep:
            steering.book.append(Pruned(state=one.id))


def _steered(make: Callable[[], Agent], stages: int, resume: bool, by_hand: bool = False) -> Trajectory:
    log = MemoryLog()

    def begin() -> Steering:
        return Steering(
            agent=make(),
            goal=GOAL,
            initial=INITIAL,
            stages=stages,
            log=log,
            metrics={"niqe": NIQE},
            can_restart=True,
        )

    steering = begin()
    steering.tell(0, feedback=niqe(7.0))
    while stage := steering.ask():
        if resume:
            steering = begin()
            assert steering.ask() == stage
        assert stage.weights is not None
        # Best where gan is 0.05; the third state's score is missing.
        score = 5.0 + abs(math.log(stage.weights.magnitudes["gan"] / 0.05)) + 0.1 * math.sin(stage.state)
        losses = {"l1": math.nan if stage.state == 4 else 0.03, "gan": -0.2}
        evidence = Evidence(raw=losses, layer_norms={"l1": 1.0, "perceptual": 20.0, "gan": 3.0})
        report = StageReport(iterations=100, losses=losses, evidence=evidence)
        steering.tell(stage.state, feedback=niqe(None if stage.state == 3 else score), report=report)
        if by_hand:
            _prune(steering)
            if request := BY_HAND.get(stage.state):
                steering.book.append(Requested(letter=str(stage.state), request=request))
        if resume:
            steering = begin()
    return steering.trajectory
