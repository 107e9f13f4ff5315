"""Rollback: when, to where, and never the same stage twice."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest

from agents.kit import GOAL, IMAGES, NIQE, change_state, grow, line, niqe, seen, weights
from lossagent.agents import Agent, Fixed, Random, Rollback, View, create, forget
from lossagent.agents.base import Recall
from lossagent.agents.fixed import FixedSettings
from lossagent.agents.settings import RollbackSettings
from lossagent.agents.worsening import training_noise, worsened
from lossagent.errors import Refused
from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal, Target
from lossagent.records import Decision, StageReport
from lossagent.runs import MemoryLog
from lossagent.steering import Steering
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

W = weights(1.0, 0.1, 0.01)
WORSE, BEST = weights(1.0, 0.2, 0.01), weights(1.0, 0.05, 0.01)


@dataclass(frozen=True)
class Says:
    """Answers the same weights and tells at which state it was asked."""

    answer: Weights
    name: str = "says"
    needs_restart: bool = False
    needs_utility: bool = False

    def decide(self, view: View, recall: Recall) -> Decision:
        del recall
        return Decision(
            author=self.name,
            proposed=self.answer,
            weights=self.answer,
            restart_from=view.head.id,
            thoughts=f"at {view.head.id}, previous {view.previous}",
        )


FREE = Bounds.none()
NEW = weights(1.0, 0.07, 0.03)


def test_a_better_stage_is_gone_on_from() -> None:
    decision = Rollback(Says(NEW)).decide(seen(line(6.0, 5.0), FREE), forget)
    assert (decision.restart_from, decision.weights, decision.adjusted_by) == (2, NEW, ())
    assert decision.author == "rollback(says)"


def test_a_worse_stage_is_undone_and_the_agent_sees_the_best_state_as_head() -> None:
    trajectory = line(6.0, 5.0, 5.5)
    decision = Rollback(Says(NEW)).decide(seen(trajectory, FREE), forget)
    assert decision.restart_from == 2
    assert decision.adjusted_by == ("rollback",)
    assert decision.thoughts == f"at 2, previous {trajectory.states[2].weights}"


def test_a_change_within_noise_is_not_undone() -> None:
    trajectory = line(6.0, 5.0)
    wild = {n: 5.05 + (1 if i % 2 else -1) for i, n in enumerate(niqe(5.0).scores["niqe"])}
    child = Feedback(scores={"niqe": {n: v + (niqe(0.0).scores["niqe"][n] or 0) for n, v in wild.items()}})
    trajectory = replace(line(6.0, 5.0, 5.05), states=change_state(line(6.0, 5.0, 5.05), 3, feedback=child).states)
    assert Rollback(Says(NEW)).decide(seen(trajectory, FREE), forget).restart_from == 3


@pytest.mark.parametrize(("fall", "goes_back"), [(0.05, False), (0.15, True)])
def test_with_few_images_the_unit_stands_in_and_a_tolerance_goes_before_it(fall: float, goes_back: bool) -> None:
    few = ("a", "b")
    stages = [(0, W, niqe(6.0, few)), (1, BEST, niqe(5.0, few)), (2, WORSE, niqe(5.0 + fall, few))]
    view = seen(grow(stages, start=niqe(7.0, few)), FREE)
    start = Rollback(Says(NEW)).decide(view, forget).restart_from
    assert start == (2 if goes_back else 3)  # the unit of the target is 0.1
    assert Rollback(Says(NEW), {"niqe": 0.01}).decide(view, forget).restart_from == 2
    assert Rollback(Says(NEW), {"niqe": 1.0}).decide(view, forget).restart_from == 3
    told = replace(view, tolerance={"niqe": 1.0})
    assert Rollback(Says(NEW)).decide(told, forget).restart_from == 3
    assert Rollback(Says(NEW), {"niqe": 0.01}).decide(told, forget).restart_from == 2


def test_the_best_state_of_the_whole_tree_is_taken() -> None:
    stages = [(0, W, niqe(6.0)), (1, BEST, niqe(4.0)), (1, WORSE, niqe(5.5)), (3, NEW, niqe(5.9))]
    assert Rollback(Says(NEW)).decide(seen(grow(stages), FREE), forget).restart_from == 2


def test_pruned_states_are_never_chosen() -> None:
    trajectory = change_state(line(6.0, 5.0, 5.5), 2, restorable=False)
    assert Rollback(Says(NEW)).decide(seen(trajectory, FREE), forget).restart_from == 3  # now the best that is left
    nothing = trajectory
    for i in range(4):
        nothing = change_state(nothing, i, restorable=False)
    assert Rollback(Says(NEW)).decide(seen(nothing, FREE), forget).restart_from == 3


def test_feasible_comes_before_better() -> None:
    def both(n: float, p: float) -> Feedback:
        return Feedback(scores={**niqe(n).scores, "psnr": dict.fromkeys(niqe(n).scores["niqe"], p)})

    goal = Goal(targets=GOAL.targets, constraints=(Constraint(metric="psnr", at_least=29.0),))
    stages = [(0, W, both(6.0, 29.5)), (1, NEW, both(3.0, 28.0))]
    broke = grow(stages, start=both(7.0, 30.0))
    assert Rollback(Says(BEST)).decide(seen(broke, FREE, goal), forget).restart_from == 1
    # From an infeasible state, a step towards feasible is no step back, whatever it costs.
    healed = grow([(0, W, both(3.0, 27.0)), (1, NEW, both(6.0, 28.0))], start=both(7.0, 26.0))
    assert Rollback(Says(BEST)).decide(seen(healed, FREE, goal), forget).restart_from == 2
    further = grow([(0, W, both(6.0, 28.0)), (1, NEW, both(3.0, 27.0))], start=both(7.0, 26.0))
    assert Rollback(Says(BEST)).decide(seen(further, FREE, goal), forget).restart_from == 1


@pytest.mark.parametrize(
    ("report", "start"),
    [
        (StageReport(iterations=100, losses={"l1": 0.1}), 3),
        (StageReport(iterations=100, losses={"l1": math.nan}), 2),
        (StageReport(iterations=100, skipped=100), 2),
        (StageReport(iterations=100, skipped=99), 3),
    ],
)
def test_a_missing_score_is_worse_only_with_damage(report: StageReport, start: int) -> None:
    trajectory = change_state(line(6.0, 5.0, None), 3, report=report)
    assert Rollback(Says(NEW)).decide(seen(trajectory, FREE), forget).restart_from == start


def test_a_repeated_stage_is_perturbed() -> None:
    trajectory = grow([(0, W, niqe(6.0)), (1, BEST, niqe(5.0)), (2, WORSE, niqe(5.5))])
    view = seen(trajectory, FREE)
    decision = Rollback(Says(WORSE)).decide(view, forget)
    assert decision.restart_from == 2
    assert decision.adjusted_by == ("rollback", "perturbed")
    assert decision.proposed == WORSE
    assert decision.weights != WORSE
    assert decision.weights["l1"] == WORSE["l1"]  # the anchor stays
    for name in ("perceptual", "gan"):
        assert 1 / 1.5 <= decision.weights[name] / WORSE[name] <= 1.5
    assert Rollback(Says(WORSE)).decide(view, forget) == decision
    assert Rollback(Says(WORSE)).decide(replace(view, seed=1), forget) != decision


def test_weights_that_bounds_make_equal_are_a_repetition_too() -> None:
    tight = Bounds(low=0.01, high=0.2, trust=None, per_loss={"l1": (1.0, 1.0)})
    trajectory = grow([(0, W, niqe(6.0)), (1, BEST, niqe(5.0)), (2, WORSE, niqe(5.5))])
    decision = Rollback(Says(weights(1.0, 9.0, 0.01))).decide(seen(trajectory, tight), forget)
    assert "perturbed" in decision.adjusted_by or "repeated" in decision.adjusted_by


FROZEN = Bounds(trust=None, frozen=frozenset({"perceptual", "gan", "l1"}))


def test_what_cannot_be_perturbed_is_accepted_and_the_run_goes_on() -> None:
    trajectory = grow([(0, W, niqe(6.0)), (1, W, niqe(5.0)), (2, W, niqe(5.5))])
    decision = Rollback(Fixed()).decide(seen(trajectory, FROZEN), forget)
    assert decision.restart_from == 3  # the state that these weights led to
    assert decision.adjusted_by == ("rollback", "repeated")


def test_a_rejected_stage_is_never_repeated_for_ever() -> None:
    """One loss, every stage worse: nothing can be changed, so training goes on from the newest."""
    one = Weights.of({"l1": 1.0})
    trajectory = grow([(0, one, niqe(8.0))])
    starts: list[int] = []
    for i in range(5):
        decision = Rollback(Random()).decide(seen(trajectory), forget)
        starts.append(decision.restart_from)
        stages = [(s.parent or 0, one, s.feedback) for s in trajectory.states[1:]]
        trajectory = grow([*stages, (decision.restart_from, one, niqe(9.0 + i))])
    assert starts == [1, 2, 3, 4, 5]


def test_a_pruned_twin_is_trained_again_on_other_data() -> None:
    trajectory = grow([(0, W, niqe(6.0)), (1, W, niqe(5.0)), (2, W, niqe(5.5))])
    trajectory = change_state(trajectory, 3, restorable=False)
    decision = Rollback(Fixed()).decide(seen(trajectory, FROZEN), forget)
    assert (decision.restart_from, decision.replicate) == (2, 1)


def test_rollback_needs_restarts_and_a_utility() -> None:
    agent = Rollback(Fixed())
    assert agent.needs_restart
    assert agent.needs_utility
    with pytest.raises(Refused, match="proxy metric"):
        agent.decide(seen(line(6.0), goal=Goal(wish="no plastic skin")), forget)
    with pytest.raises(Refused, match="tolerance"):
        Rollback(Fixed(), {"niqe": -1.0})


def test_several_targets_are_weighed_by_unit_and_importance() -> None:
    def both(n: float, p: float) -> Feedback:
        return Feedback(scores={**niqe(n).scores, "psnr": dict.fromkeys(niqe(n).scores["niqe"], p)})

    psnr = Target(metric="psnr", direction="higher", unit=0.1)
    stages = [(0, W, both(6.0, 30.0)), (1, NEW, both(6.2, 30.5))]
    trajectory = grow(stages, start=both(7.0, 30.0))
    light = Goal(targets=(*GOAL.targets, psnr))
    heavy = Goal(targets=(GOAL.targets[0].model_copy(update={"importance": 9.0}), psnr))
    assert Rollback(Says(BEST)).decide(seen(trajectory, FREE, light), forget).restart_from == 2
    assert Rollback(Says(BEST)).decide(seen(trajectory, FREE, heavy), forget).restart_from == 1


@pytest.mark.parametrize("agent", [Fixed(), Random(), Says(NEW)], ids=lambda a: a.name)
def test_a_run_in_which_every_stage_is_worse_trains_no_stage_twice(agent: Agent) -> None:
    steering = Steering(
        agent=Rollback(agent),
        goal=GOAL,
        initial=W,
        stages=8,
        log=MemoryLog(),
        can_restart=True,
        metrics={"niqe": NIQE},
    )
    steering.tell(0, feedback=niqe(5.0))
    while stage := steering.ask():
        steering.tell(stage.state, feedback=niqe(6.0 + stage.state))
    states = steering.trajectory.states[1:]
    assert len(states) == 8
    assert len({(s.parent, str(s.weights), s.decision.replicate if s.decision else 0) for s in states}) == 8
    assert all({"rollback", "patience"} & set(s.decision.adjusted_by) for s in states[1:] if s.decision is not None)


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
    assert Rollback(Says(BEST)).decide(view, forget).restart_from == start
    assert Rollback(Says(BEST), drift=False).decide(view, forget).restart_from == 1


def test_a_rise_that_is_less_than_the_fixed_runs_is_worse() -> None:
    trajectory = grow([(0, W, niqe(6.0)), (1, NEW, niqe(5.9))])
    view = replace(seen(trajectory, FREE), fixed=beside(7.0, 6.0, 5.0))
    assert Rollback(Says(BEST)).decide(view, forget).restart_from == 2  # still the best state there is
    assert worsened(view)
    assert not worsened(view, drift=False)


def test_the_start_is_the_fixed_runs_start_too() -> None:
    trajectory = grow([(0, W, niqe(7.5))])
    assert worsened(replace(seen(trajectory, FREE), fixed={1: niqe(7.2)}))
    assert not worsened(replace(seen(trajectory, FREE), fixed={1: niqe(7.5)}))


def test_the_drift_is_taken_off_image_by_image() -> None:
    """Every image fell as the fixed run's did, some much and some little: nothing is left, and no noise."""
    falls = {n: 0.1 * i for i, n in enumerate(IMAGES)}
    parent, child = niqe(7.0).scores["niqe"], {n: (niqe(7.0).scores["niqe"][n] or 0.0) + falls[n] for n in IMAGES}
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
