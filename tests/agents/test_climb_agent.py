"""Hill climbing: what is moved next, from where, and by how much, as a table of trajectories."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from agents.trees import GOAL, NIQE, change_state, grow, niqe, seen, weights
from lossagent.agents import Agent, Random, Recall, View, forget
from lossagent.agents.climb import Climb
from lossagent.agents.lookahead import Lookahead
from lossagent.agents.search import Search
from lossagent.agents.sweep import Sweep
from lossagent.errors import Refused
from lossagent.events import Requested
from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal
from lossagent.letters import Undo
from lossagent.records import Decision, StageReport
from lossagent.runs import MemoryLog
from lossagent.steering import Steering
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

W = weights(1.0, 0.1, 0.01)
UP, DOWN = weights(1.0, 0.3, 0.01), weights(1.0, 0.1 / 3, 0.01)
GAN_UP, GAN_DOWN = weights(1.0, 0.1, 0.03), weights(1.0, 0.1, 0.01 / 3)
FREE = Bounds(low=None, high=None, trust=None)
FIRST = (0, W, niqe(6.0))


def ask(trajectory: Trajectory, agent: Climb | None = None, bounds: Bounds = FREE, goal: Goal = GOAL) -> Decision:
    return (agent or Climb()).decide(seen(trajectory, bounds, goal), forget)


def moved(decision: Decision, trajectory: Trajectory, base: Weights | None = None) -> dict[str, float]:
    """Factors by which a decision changes weights, without those that stay."""
    base = base or trajectory.weights_at(decision.restart_from)
    factors = {name: decision.weights[name] / base[name] for name in base.names}
    return {name: factor for name, factor in factors.items() if factor != pytest.approx(1.0)}


def test_the_first_move_is_one_loss_by_one_step_in_a_drawn_direction() -> None:
    found: set[str] = set()
    for seed in range(40):
        trajectory = grow([FIRST])
        decision = Climb(step=2.0).decide(seen(trajectory, FREE, seed=seed), forget)
        ((name, factor),) = moved(decision, trajectory).items()
        assert factor in (pytest.approx(2.0), pytest.approx(0.5))
        found.add(f"{name} {'up' if factor > 1 else 'down'}")
    assert found == {"perceptual up", "perceptual down", "gan up", "gan down"}  # never the anchor


def test_a_rise_is_kept_however_small_and_the_next_loss_is_moved() -> None:
    trajectory = grow([FIRST, (1, UP, niqe(5.999))])
    decision = ask(trajectory)
    assert decision.restart_from == 2
    assert set(moved(decision, trajectory)) == {"gan"}


def test_after_a_fall_training_goes_back_and_the_same_loss_is_moved_the_other_way() -> None:
    trajectory = grow([FIRST, (1, UP, niqe(6.5))])
    decision = ask(trajectory)
    assert decision.restart_from == 1
    assert moved(decision, trajectory) == {"perceptual": pytest.approx(1 / 3)}
    assert "back to state 1" in decision.thoughts


def test_after_both_ways_failed_the_next_loss_is_moved() -> None:
    trajectory = grow([FIRST, (1, UP, niqe(6.5)), (1, DOWN, niqe(6.2))])
    decision = ask(trajectory)
    assert decision.restart_from == 1
    assert set(moved(decision, trajectory)) == {"gan"}


def test_when_every_way_failed_steps_are_smaller() -> None:
    failed = [(1, w, niqe(6.5)) for w in (UP, DOWN, GAN_DOWN, GAN_UP)]
    trajectory = grow([FIRST, *failed])
    decision = ask(trajectory)
    assert decision.restart_from == 1
    ((_, factor),) = moved(decision, trajectory).items()
    assert abs(math.log(factor)) == pytest.approx(math.log(3) / 2)


def test_a_loss_that_helped_goes_on_in_its_direction_by_a_larger_step() -> None:
    both = weights(1.0, 0.3, 0.03)
    trajectory = grow([FIRST, (1, UP, niqe(5.5)), (2, both, niqe(5.0))])
    decision = ask(trajectory)
    assert decision.restart_from == 3
    assert moved(decision, trajectory) == {"perceptual": pytest.approx(3**1.3)}


def test_the_trust_region_limits_steps() -> None:
    trajectory = grow([FIRST, (1, UP, niqe(5.5)), (2, weights(1.0, 0.3, 0.03), niqe(5.0))])
    assert moved(ask(trajectory, bounds=Bounds(trust=1.5)), trajectory) == {"perceptual": pytest.approx(1.5)}


def test_where_the_bounds_leave_no_room_another_way_is_taken() -> None:
    edge = Bounds(per_loss={"perceptual": (0.02, 0.3), "gan": (0.01, 0.01)}, trust=None)
    trajectory = grow([FIRST, (1, UP, niqe(5.5))])  # gan cannot move, perceptual not further up
    decision = ask(trajectory, bounds=edge)
    assert list(moved(decision, trajectory)) == ["perceptual"]
    assert decision.weights["perceptual"] < 0.3
    point = Bounds(per_loss={"perceptual": (0.3, 0.3), "gan": (0.01, 0.01)}, trust=None)
    decision = ask(trajectory, bounds=point)
    assert decision.weights == UP
    assert "no room" in decision.thoughts


def test_without_restarts_the_weights_go_back_and_the_network_does_not() -> None:
    trajectory = grow([FIRST, (1, UP, niqe(6.5))])
    agent = Climb(restart=False)
    assert not agent.needs_restart
    decision = ask(trajectory, agent)
    assert decision.restart_from == 2
    assert moved(decision, trajectory, base=W) == {"perceptual": pytest.approx(1 / 3)}
    # The next state is compared with the one that was kept, not with the failed one.
    again = ask(grow([FIRST, (1, UP, niqe(6.5)), (2, DOWN, niqe(6.2))]), agent)
    assert again.restart_from == 3
    assert set(moved(again, trajectory, base=W)) == {"gan"}


def test_a_move_without_a_score_is_held_and_judged_when_there_is_one() -> None:
    trajectory = grow([FIRST, (1, UP, niqe(None))])
    decision = ask(trajectory)
    assert (decision.restart_from, decision.weights) == (2, UP)
    assert "No score" in decision.thoughts
    rose = ask(grow([FIRST, (1, UP, niqe(None)), (2, UP, niqe(5.0))]))
    assert rose.restart_from == 3
    fell = grow([FIRST, (1, UP, niqe(None)), (2, UP, niqe(7.0))])
    assert ask(fell).restart_from == 1
    assert moved(ask(fell), fell) == {"perceptual": pytest.approx(1 / 3)}


def test_a_missing_score_with_damage_is_a_fall() -> None:
    trajectory = grow([FIRST, (1, UP, niqe(None))])
    broken = StageReport(iterations=100, losses={"l1": math.nan})
    decision = ask(change_state(trajectory, 2, report=broken))
    assert decision.restart_from == 1


def test_where_the_parent_was_pruned_the_best_state_is_gone_on_from() -> None:
    trajectory = grow([FIRST, (1, UP, niqe(5.0)), (2, weights(1.0, 0.3, 0.03), niqe(5.5))])
    pruned = change_state(trajectory, 2, restorable=False)
    decision = ask(pruned)
    assert decision.restart_from == 3
    assert moved(decision, pruned, base=UP) == {"gan": pytest.approx(1 / 3)}  # weights of the state that was kept


def test_feasible_comes_before_better() -> None:
    goal = Goal(targets=GOAL.targets, constraints=(Constraint(metric="psnr", at_least=29.0),))

    def both(n: float, p: float) -> Feedback:
        return Feedback(scores={**niqe(n).scores, "psnr": dict.fromkeys(niqe(n).scores["niqe"], p)})

    broke = grow([(0, W, both(6.0, 29.5)), (1, UP, both(4.0, 28.0))], start=both(7.0, 30.0))
    assert ask(broke, goal=goal).restart_from == 1
    healed = grow([(0, W, both(4.0, 28.0)), (1, UP, both(6.0, 28.5))], start=both(7.0, 30.0))
    assert ask(healed, goal=goal).restart_from == 2


def test_the_drift_of_the_fixed_run_is_no_merit_of_a_move() -> None:
    trajectory = grow([FIRST, (1, UP, niqe(5.8))])
    drifting = {0: niqe(7.0), 1: niqe(6.0), 2: niqe(5.5)}
    view = replace(seen(trajectory, FREE), fixed=drifting)
    assert Climb().decide(view, forget).restart_from == 1


def test_losses_that_are_off_stay_off_and_are_not_moved() -> None:
    off = weights(1.0, 0.1, 0.0)
    for value in (5.5, 6.5):
        trajectory = grow([(0, off, niqe(6.0)), (1, weights(1.0, 0.3, 0.0), niqe(value))])
        decision = ask(trajectory)
        assert decision.weights.off == {"gan"}
        assert decision.weights.magnitudes["gan"] == off.magnitudes["gan"]


def steered(agent: Agent, score: Callable[[Weights], float], stages: int, seed: int) -> float:
    """The best score of a run on a noiseless response."""
    steering = Steering(
        agent=agent, goal=GOAL, initial=W, stages=stages, log=MemoryLog(), metrics={"niqe": NIQE}, can_restart=True,
        seed=seed,
    )  # fmt: skip
    steering.tell(0, feedback=niqe(score(W)))
    while stage := steering.ask():
        assert stage.weights is not None
        steering.tell(stage.state, feedback=niqe(score(stage.weights)))
    values = [s.feedback.mean("niqe") for s in steering.trajectory.states if s.feedback is not None]
    return min(v for v in values if v is not None)


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_a_peak_and_comes_nearer_than_random_moves(seed: int) -> None:
    def score(w: Weights) -> float:
        return 5.0 + math.log10(w["perceptual"] / 0.02) ** 2 + math.log10(w["gan"] / 0.2) ** 2

    climbed = steered(Climb(), score, 16, seed)
    assert climbed < 5.1
    assert climbed < steered(Random(), score, 16, seed)


@pytest.mark.parametrize(
    "options", [{"step": 1.0}, {"step": math.inf}, {"grow": 0.9}, {"shrink": 0.0}, {"shrink": 1.1}]
)
def test_options_outside_their_ranges_are_refused(options: dict[str, float]) -> None:
    (name,) = options
    with pytest.raises(Refused, match=name):
        Climb(**options)  # pyright: ignore[reportArgumentType]


def test_at_a_state_that_a_person_chose_the_move_begins_from_it() -> None:
    trajectory = grow([FIRST, (1, UP, niqe(5.5)), (2, weights(1.0, 0.3, 0.03), niqe(6.5))])
    view = replace(seen(trajectory, FREE), pinned=True)  # by itself it would go back to state 2
    decision = Climb().decide(view, forget)
    assert decision.restart_from == 3
    assert len(moved(decision, trajectory)) == 1
    assert "back to" not in decision.thoughts
    no_score = replace(seen(grow([FIRST, (1, UP, niqe(None))]), FREE), pinned=True)
    assert Climb().decide(no_score, forget).restart_from == 2


@pytest.mark.parametrize("agent", [Climb(), Lookahead(), Sweep(count=3), Search("random")], ids=lambda a: a.name)
def test_after_a_person_s_step_back_weights_and_words_are_of_the_state_they_chose(agent: Agent) -> None:
    scores = {0: 7.0, 1: 6.0, 2: 5.5, 3: 6.5, 4: 5.2}
    asked: list[View] = []

    @dataclass(frozen=True)
    class Watched:
        name: str = agent.name
        needs_restart: bool = True
        needs_utility: bool = True

        def decide(self, view: View, recall: Recall) -> Decision:
            asked.append(view)
            return agent.decide(view, recall)

    steering = Steering(
        agent=Watched(), goal=GOAL, initial=W, stages=6, log=MemoryLog(), metrics={"niqe": NIQE}, can_restart=True
    )
    steering.tell(0, feedback=niqe(7.0))
    while stage := steering.ask():
        steering.tell(stage.state, feedback=niqe(scores.get(stage.state, 5.0)))
        if stage.state == 4:
            steering.book.append(Requested(letter="a", request=Undo(author="Ann", state=3)))
    assert [view.pinned for view in asked] == [False, False, False, True, False]
    assert agent.decide(asked[3], forget).restart_from == 3
    made = steering.trajectory.states[5].decision
    assert made is not None
    assert (made.author, made.restart_from) == ("human", 3)
    assert "state 2" not in made.thoughts
    assert "back to state" not in made.thoughts
