"""Lookahead: pairs from one state, the better child with its weights, and what happens at the edges."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from agents.trees import GOAL, NIQE, change_state, grow, niqe, seen, weights
from lossagent.agents import Rollback, forget
from lossagent.agents.lookahead import Lookahead
from lossagent.errors import Refused
from lossagent.records import Decision, StageReport
from lossagent.runs import MemoryLog
from lossagent.steering import Steering
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

W = weights(1.0, 0.1, 0.01)
UP, DOWN = weights(1.0, 0.2, 0.03), weights(1.0, 0.05, 0.01 / 3)
FREE = Bounds(trust=None)


def tree(*values: float | None, author: str = "lookahead") -> Trajectory:
    """S_1 with candidates of these scores, all under weights of their own."""
    tried = [UP, DOWN, weights(1.0, 0.15, 0.02), weights(1.0, 0.07, 0.005)]
    trajectory = grow([(0, W, niqe(6.0)), *((1, w, niqe(v)) for w, v in zip(tried, values, strict=False))])
    for state in trajectory.states[2:]:
        assert state.decision is not None
        trajectory = change_state(trajectory, state.id, decision=state.decision.model_copy(update={"author": author}))
    return trajectory


def ask(trajectory: Trajectory, agent: Lookahead | None = None, left: int = 5) -> Decision:
    return (agent or Lookahead()).decide(seen(trajectory, FREE, stages_left=left), forget)


def ratios(decision: Decision, base: Weights) -> dict[str, float]:
    return {name: math.log(decision.weights[name] / base[name]) for name in base.names}


def test_the_first_candidate_moves_the_largest_by_the_step_and_never_the_anchor() -> None:
    for seed in range(20):
        decision = Lookahead(step=2.0).decide(seen(tree(), FREE, seed=seed), forget)
        found = ratios(decision, W)
        assert decision.restart_from == 1
        assert found["l1"] == 0
        assert max(abs(x) for x in found.values()) == pytest.approx(math.log(2))
        assert min(abs(found["perceptual"]), abs(found["gan"])) > 0


@pytest.mark.parametrize("score", [5.0, 8.0, None])
def test_the_second_candidate_is_the_mirror_image_from_the_same_state(score: float | None) -> None:
    decision = ask(tree(score))
    assert decision.restart_from == 1
    found, first = ratios(decision, W), {n: math.log(UP[n] / W[n]) for n in W.names}
    assert found == pytest.approx({n: -x for n, x in first.items()})


@pytest.mark.parametrize(
    ("up", "down", "winner"),
    [(5.0, 5.5, 2), (5.5, 5.0, 3), (8.0, 9.0, 2), (None, 9.0, 3), (9.0, None, 2), (5.0, 5.0, 2)],
)
def test_it_goes_on_from_the_better_child_under_its_weights(up: float | None, down: float | None, winner: int) -> None:
    trajectory = tree(up, down)
    decision = ask(trajectory)
    assert decision.restart_from == winner
    base = trajectory.weights_at(winner)
    assert max(abs(x) for x in ratios(decision, base).values()) == pytest.approx(math.log(3))
    last = ask(trajectory, left=1)  # no choice is left
    assert (last.restart_from, last.weights) == (winner, base)


def test_where_no_child_has_a_score_an_undamaged_one_is_gone_on_from() -> None:
    trajectory = tree(None, None)
    assert ask(trajectory).restart_from == 2
    broken = StageReport(iterations=100, losses={"l1": math.nan})
    assert ask(change_state(trajectory, 2, report=broken)).restart_from == 3
    both = change_state(change_state(trajectory, 2, report=broken), 3, report=broken)
    assert ask(both).restart_from == 1


def test_a_pruned_winner_is_not_chosen() -> None:
    assert ask(change_state(tree(5.0, 5.5), 2, restorable=False)).restart_from == 3


def test_where_the_common_state_was_pruned_the_child_is_gone_on_from() -> None:
    assert ask(change_state(tree(5.0), 1, restorable=False)).restart_from == 2


def test_a_stage_that_somebody_else_decided_is_no_candidate() -> None:
    decision = ask(tree(9.0, author="human"))
    assert decision.restart_from == 2


def test_three_candidates_are_a_pair_and_a_new_direction() -> None:
    wide = Lookahead(width=3)
    third = ask(tree(5.0, 5.5), wide)
    assert third.restart_from == 1
    assert third.weights not in (UP, DOWN)
    assert ask(tree(5.5, 5.2, 5.0), wide).restart_from == 4


def run(agent: Lookahead | Rollback, stages: int, goal_gan: float = 0.1) -> Trajectory:
    steering = Steering(
        agent=agent, goal=GOAL, initial=W, stages=stages, log=MemoryLog(), metrics={"niqe": NIQE}, can_restart=True
    )
    steering.tell(0, feedback=niqe(7.0))
    while stage := steering.ask():
        assert stage.weights is not None
        steering.tell(stage.state, feedback=niqe(5.0 + abs(math.log(stage.weights["gan"] / goal_gan))))
    return steering.trajectory


def test_every_candidate_counts_in_the_budget() -> None:
    for stages, depth in ((10, 6), (9, 5), (2, 2), (1, 1)):
        trajectory = run(Lookahead(), stages)
        assert len(trajectory.states) == stages + 1
        assert max(s.depth for s in trajectory.states) == depth
    parents = [s.parent for s in run(Lookahead(), 10).states[2:]]
    assert all(a == b for a, b in zip(parents[0:8:2], parents[1:8:2], strict=True))


def test_it_climbs_and_each_choice_is_the_better_one() -> None:
    trajectory = run(Lookahead(), 9)
    scores = {s.id: s.feedback.mean("niqe") for s in trajectory.states if s.feedback is not None}
    for state in trajectory.states[4:]:
        assert state.parent is not None
        rivals = trajectory.children(trajectory.states[state.parent].parent or 0)
        assert scores[state.parent] == min(scores[s.id] or 0 for s in rivals)
    assert min(s or 9 for s in scores.values()) < (scores[1] or 0)


def test_guarded_it_tries_other_directions_from_the_best_state() -> None:
    trajectory = run(Rollback(Lookahead(step=1.5), patience=9), 7, goal_gan=0.01)  # every move away is worse
    assert {s.parent for s in trajectory.states[2:]} == {1}
    assert len({str(s.weights) for s in trajectory.states[2:]}) == 6


def test_options_outside_their_ranges_are_refused() -> None:
    with pytest.raises(Refused, match="width"):
        Lookahead(width=1)
    with pytest.raises(Refused, match="step"):
        Lookahead(step=1.0)


def test_from_a_state_that_a_person_chose_one_direction_is_tried() -> None:
    trajectory = tree(5.0, 5.5)
    view = replace(seen(trajectory, FREE), head=trajectory.states[3], pinned=True)  # by itself it would take state 2
    decision = Lookahead().decide(view, forget)
    assert decision.restart_from == 3
    assert max(abs(x) for x in ratios(decision, DOWN).values()) == pytest.approx(math.log(3))
    assert "state 3" in decision.thoughts
    last = Lookahead().decide(replace(view, stages_left=1), forget)
    assert (last.restart_from, last.weights) == (3, DOWN)
