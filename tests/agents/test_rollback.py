"""Rollback: when, to where, and never the same stage twice."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest

from agents.kit import GOAL, NIQE, change_state, grow, line, niqe, seen, weights
from lossagent.agents import Agent, Fixed, Random, Rollback, View, forget
from lossagent.agents.base import Recall
from lossagent.errors import Refused
from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal, Target
from lossagent.records import Decision, StageReport
from lossagent.runs import MemoryLog
from lossagent.steering import Steering
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
