"""Rollback: falls that the weights are not to blame for, and how often one state is gone back to."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from agents.trees import GOAL, IMAGES, NIQE, change_state, grow, niqe, seen, weights
from lossagent.agents import Fixed, Random, Rollback, create, forget
from lossagent.agents.fixed import FixedSettings
from lossagent.agents.settings import RollbackSettings
from lossagent.agents.worsening import training_noise, worsened
from lossagent.errors import Refused
from lossagent.feedback import Feedback
from lossagent.runs import MemoryLog
from lossagent.steering import Steering
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds

W, NEW = weights(1.0, 0.1, 0.01), weights(1.0, 0.07, 0.03)
FREE = Bounds.none()


def beside(*values: float) -> dict[int, Feedback]:
    """A fixed run that scored these values, from the start on."""
    return {depth: niqe(value) for depth, value in enumerate(values)}


@pytest.mark.parametrize(
    ("fixed", "start"),
    [
        ((7.0, 7.4, 7.9), 2),  # it fell as far: the weights are not to blame
        ((7.0, 7.4, 7.6), 1),  # it fell less
        ((7.0, 7.4, 6.9), 1),
        ((7.0, 7.4), 1),  # not known at that depth
    ],
)
def test_what_the_fixed_run_lost_at_the_same_depth_is_no_fault_of_the_weights(
    fixed: tuple[float, ...], start: int
) -> None:
    trajectory = grow([(0, W, niqe(7.3)), (1, NEW, niqe(7.8))], start=niqe(8.0))
    view = replace(seen(trajectory, FREE), fixed=beside(*fixed))
    assert Rollback(Random()).decide(view, forget).restart_from == start
    assert Rollback(Random(), drift=False).decide(view, forget).restart_from == 1


def test_a_rise_that_is_less_than_the_fixed_runs_is_worse() -> None:
    trajectory = grow([(0, W, niqe(6.0)), (1, NEW, niqe(5.9))])
    view = replace(seen(trajectory, FREE), fixed=beside(7.0, 6.0, 5.0))
    assert Rollback(Random()).decide(view, forget).restart_from == 2  # still the best state there is
    assert worsened(view)
    assert not worsened(view, drift=False)


def test_the_start_is_the_fixed_runs_start_too() -> None:
    trajectory = grow([(0, W, niqe(7.5))])
    assert worsened(replace(seen(trajectory, FREE), fixed={1: niqe(7.2)}))
    assert not worsened(replace(seen(trajectory, FREE), fixed={1: niqe(7.5)}))


def test_the_drift_is_taken_off_image_by_image() -> None:
    """Every image fell as the fixed run's did, some much and some little: nothing is left, and no noise."""
    falls = {n: 0.1 * i for i, n in enumerate(IMAGES)}
    parent = niqe(7.0).scores["niqe"]
    child: dict[str, float | None] = {n: (parent[n] or 0.0) + falls[n] for n in IMAGES}
    trajectory = grow([(0, W, niqe(7.0)), (1, NEW, Feedback(scores={"niqe": child}))])
    fixed = {1: Feedback(scores={"niqe": parent}), 2: Feedback(scores={"niqe": child})}
    assert worsened(seen(trajectory, FREE))
    assert not worsened(replace(seen(trajectory, FREE), fixed=fixed))


def test_without_an_image_in_common_the_fixed_run_tells_nothing() -> None:
    trajectory = grow([(0, W, niqe(6.0)), (1, NEW, niqe(6.5))])
    others = {d: niqe(6.0 + d, ("other", "images")) for d in range(3)}
    assert worsened(replace(seen(trajectory, FREE), fixed=others))


def repeated(*scores: float) -> Trajectory:
    """The first stage, trained so often on other data, then one that fell from the last of them by 0.3."""
    trajectory = grow([*((0, W, niqe(score)) for score in scores), (len(scores), NEW, niqe(scores[-1] + 0.3))])
    for number in range(1, len(scores) + 1):
        decision = trajectory.states[number].decision
        assert decision is not None
        trajectory = change_state(trajectory, number, decision=decision.model_copy(update={"replicate": number - 1}))
    return trajectory


@pytest.mark.parametrize(
    ("scores", "noise", "worse"),
    [
        ((6.0,), None, True),  # nothing was repeated
        ((6.0, 6.1), math.sqrt(2 * 0.5**2), True),
        ((6.0, 6.6), math.sqrt(2 * 3.0**2), False),
        ((6.0, 6.0, 6.0), 0.0, True),
    ],
)
def test_a_fall_within_the_spread_of_repetitions_is_noise(
    scores: tuple[float, ...], noise: float | None, worse: bool
) -> None:
    view = seen(repeated(*scores), FREE)
    assert training_noise(view) == (None if noise is None else pytest.approx(noise))
    assert worsened(view) == worse


def gone_back(*scores: float, patience: int = 2) -> list[tuple[int, tuple[str, ...]]]:
    """(start, marks) of each stage after the first, of a run whose states score these values."""
    steering = Steering(
        agent=Rollback(Random(), patience=patience),
        goal=GOAL,
        initial=W,
        stages=len(scores),
        log=MemoryLog(),
        can_restart=True,
        metrics={"niqe": NIQE},
    )
    steering.tell(0, feedback=niqe(7.0))
    found: list[tuple[int, tuple[str, ...]]] = []
    while stage := steering.ask():
        decision = steering.trajectory.last.decision
        assert decision is not None
        found.append((decision.restart_from, decision.adjusted_by))
        steering.tell(stage.state, feedback=niqe(scores[stage.state - 1]))
    return found[1:]


BACK, ACCEPTED = ("rollback",), ("patience",)


def test_a_state_is_gone_back_to_twice_and_then_the_best_below_it_is_accepted() -> None:
    # 1 is the best; 2, 3 and 4 are tried from it, 3 is the best of them; from there 5 and 6 get better.
    found = gone_back(6.0, 6.8, 6.4, 6.6, 6.2, 5.9, 5.8)
    assert found == [(1, ()), (1, BACK), (1, BACK), (3, ACCEPTED), (5, ()), (6, ())]


def test_patience_is_how_often() -> None:
    scores = (6.0, 6.8, 6.4, 6.6, 6.9, 7.0)
    assert [start for start, _ in gone_back(*scores, patience=1)] == [1, 1, 3, 3, 4]
    assert [start for start, _ in gone_back(*scores, patience=4)] == [1, 1, 1, 1, 1]


def test_an_accepted_state_is_gone_back_to_as_any_other() -> None:
    # 3 is accepted in place of 1; 5 and 6, trained from it, are worse; then the best of them is accepted.
    found = gone_back(6.0, 6.8, 6.4, 6.6, 6.9, 6.7, 6.75)
    assert found == [(1, ()), (1, BACK), (1, BACK), (3, ACCEPTED), (3, ACCEPTED), (6, ACCEPTED)]


def test_scores_that_fall_for_a_while_under_any_weights_do_not_hold_the_run_at_the_start() -> None:
    found = gone_back(*(7.0 + 0.2 * i for i in range(1, 10)))
    starts = [start for start, _ in found]
    assert starts.count(0) == 2
    assert max(starts) > 3


@pytest.mark.parametrize("value", [0, -1])
def test_patience_below_one_is_refused(value: int) -> None:
    with pytest.raises(Refused, match="patience"):
        Rollback(Fixed(), patience=value)
    with pytest.raises(ValueError, match="patience"):
        RollbackSettings.model_validate({"patience": value})


def test_settings_of_the_guard_reach_it() -> None:
    settings = {"rollback": {"tolerance": {"niqe": 0.2}, "drift": False, "patience": 3}}
    assert create(FixedSettings.model_validate(settings)) == Rollback(Fixed(), {"niqe": 0.2}, False, 3)
    assert create(FixedSettings(rollback=True)) == Rollback(Fixed())
