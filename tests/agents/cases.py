"""The situations of the conformance kit: trajectories, bounds and goals, and which of them go together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from agents.trees import GOAL, IMAGES, LOSSES, NIQE, change_state, grow, line, niqe, weights
from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal, Target
from lossagent.records import Evidence, StageReport
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

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
