"""What every agent must keep, whatever it does: a conformance kit.

:func:`check` asks an agent once, in each of :data:`CASES`; :func:`check_run` lets it steer a short run, and
:func:`check_run_by_hand` one in which people set weights and step back and hardly a checkpoint is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from agents.cases import BOUNDS, CASES, FIXED, GOALS, INITIAL, PSNR, TRAJECTORIES, Case
from agents.trees import GOAL, IMAGES, LOSSES, NIQE, change_state, grow, line, niqe, seen, state, weights
from lossagent.agents.base import Agent, View
from lossagent.agents.rollback import Rollback
from lossagent.errors import Refused
from lossagent.events import Pruned, Requested
from lossagent.letters import NextWeights, Undo
from lossagent.records import Decision, Evidence, Exchange, StageReport
from lossagent.runs import MemoryLog
from lossagent.steering import Steering
from lossagent.steering.settling import settled
from lossagent.trajectory import Trajectory
from lossagent.weights import FLOOR, Bounds

__all__ = [
    "BOUNDS", "CASES", "GOAL", "GOALS", "IMAGES", "INITIAL", "LOSSES", "NIQE", "TRAJECTORIES", "Case", "Recorder",
    "change_state", "check", "check_run", "check_run_by_hand", "grow", "line", "niqe", "seen", "state", "weights",
]  # fmt: skip


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
    assert (weights_set.author, weights_set.proposed["gan"]) == ("human", pytest.approx(0.02))
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
