"""Fixed weights tuned within one run's budget."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from agents.kit import GOAL, NIQE, change_state, grow, line, niqe, seen, weights
from lossagent.agents import AgentSettings, create, forget
from lossagent.agents.sweep import Sweep, SweepSettings
from lossagent.errors import Refused
from lossagent.events import Pruned, Requested
from lossagent.experiment import parse
from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal
from lossagent.letters import NextWeights
from lossagent.records import Decision, State
from lossagent.runs import MemoryLog
from lossagent.steering import Steering
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights
from tiny import experiment

W = weights(1.0, 0.1, 0.01)
FREE = Bounds(trust=None)
LISTED = ({"gan": 0.1}, "l1:perceptual:gan=1:0.02:0.1", {"perceptual": 1.0})
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "agents" / "sweep.md").read_text(encoding="utf-8")


def steer(
    agent: Sweep, score: Callable[[Trajectory, State], Feedback], stages: int, bounds: Bounds = FREE, goal: Goal = GOAL
) -> Trajectory:
    steering = Steering(
        agent=agent,
        goal=goal,
        initial=W,
        stages=stages,
        log=MemoryLog(),
        metrics={"niqe": NIQE},
        bounds=bounds,
        can_restart=True,
    )
    steering.tell(0, feedback=score(steering.trajectory, steering.trajectory.start))
    while stage := steering.ask():
        steering.tell(stage.state, feedback=score(steering.trajectory, steering.trajectory.states[stage.state]))
    return steering.trajectory


def likes_gan(trajectory: Trajectory, state: State) -> Feedback:
    """Every stage gains by the weight of the GAN loss, capped; perceptual costs."""
    gained = sum(s.weights["gan"] - 0.5 * s.weights["perceptual"] for s in trajectory.path(state.id) if s.weights)
    return niqe(7.0 - gained)


def path_of(trajectory: Trajectory) -> list[tuple[int | None, str]]:
    return [(s.parent, str(s.weights)) for s in trajectory.states[1:]]


A, B, C = "l1:perceptual:gan=1:0.1:0.1", "l1:perceptual:gan=1:0.02:0.1", "l1:perceptual:gan=1:1:0.01"


def test_every_setting_is_tried_from_the_start_and_the_best_is_trained_on() -> None:
    trajectory = steer(Sweep(LISTED), likes_gan, 7)
    assert path_of(trajectory) == [(0, str(W)), (0, A), (0, B), (0, C), (3, B), (5, B), (6, B)]
    last = trajectory.last.decision
    assert last is not None
    assert last.author == "sweep"
    assert last.adjusted_by == ()
    assert "Setting 3 of 4" in last.thoughts


def test_longer_trials_are_compared_at_their_end() -> None:
    """A is ahead after one stage, B after two."""

    def late(trajectory: Trajectory, state: State) -> Feedback:
        text, d = str(state.weights), state.depth
        return niqe({(A, 1): 4.0, (A, 2): 6.5, (B, 1): 6.9, (B, 2): 5.0, (B, 3): 4.9}.get((text, d), 7.0))

    trajectory = steer(Sweep(LISTED[:2], trial=2), late, 8)
    assert path_of(trajectory)[:6] == [(0, str(W)), (1, str(W)), (0, A), (3, A), (0, B), (5, B)]
    assert path_of(trajectory)[6:] == [(6, B), (7, B)]


def test_a_missing_score_loses_and_feasible_comes_before_better() -> None:
    def scores(trajectory: Trajectory, state: State) -> Feedback:
        n, p = {A: (None, 30.0), B: (3.0, 20.0), C: (6.9, 29.5)}.get(str(state.weights), (7.0, 30.0))
        images = niqe(n).scores["niqe"]
        return Feedback(scores={"niqe": images, "psnr": dict.fromkeys(images, p)})

    free = steer(Sweep(LISTED), scores, 6)
    assert path_of(free)[4:] == [(3, B), (5, B)]
    goal = Goal(targets=GOAL.targets, constraints=(Constraint(metric="psnr", at_least=-1.0, relative_to="start"),))
    assert path_of(steer(Sweep(LISTED), scores, 6, goal=goal))[4:] == [(4, C), (5, C)]

    def nothing(trajectory: Trajectory, state: State) -> Feedback:
        return niqe(7.0 if state.id == 0 else None)

    assert path_of(steer(Sweep(LISTED), nothing, 6))[4:] == [(1, str(W)), (5, str(W))]


def test_the_initial_weights_and_repeated_settings_are_tried_once() -> None:
    listed = ({"gan": 0.01}, {"gan": 0.1}, A, {"gan": 0.1, "l1": 1.0})
    trajectory = steer(Sweep(listed), likes_gan, 3)
    assert path_of(trajectory) == [(0, str(W)), (0, A), (2, A)]


def test_a_loss_can_be_off_in_a_setting() -> None:
    trajectory = steer(Sweep(({"perceptual": 0.0},)), likes_gan, 3)
    assert trajectory.states[2].weights is not None
    assert trajectory.states[2].weights.off == {"perceptual"}
    assert trajectory.last.weights == trajectory.states[2].weights


def test_too_few_stages_are_refused_with_the_arithmetic() -> None:
    view = seen(line(6.0), FREE)  # of a run of 10 stages
    assert Sweep(count=9).decide(view, forget).restart_from == 0
    for agent, needed in ((Sweep(count=10), 11), (Sweep(LISTED, trial=3), 13)):
        with pytest.raises(Refused, match=rf"at least {needed}; the run has 10"):
            agent.decide(view, forget)


@pytest.mark.parametrize(
    ("setting", "bounds", "words"),
    [
        ({"gan": 0.1}, Bounds(), "trust: null"),
        ({"gan": 20.0}, FREE, "the bounds make"),
        ({"gan": 0.0}, Bounds(trust=None, switch=False), "in one stage"),
        ({"gan": 0.02}, Bounds(frozen=frozenset({"gan"})), "in one stage"),
    ],
)
def test_a_setting_beyond_the_bounds_is_refused(setting: dict[str, float], bounds: Bounds, words: str) -> None:
    with pytest.raises(Refused, match=words):
        Sweep((setting,)).decide(seen(line(6.0), bounds), forget)


def test_a_setting_of_other_losses_is_refused() -> None:
    with pytest.raises(Refused, match="Did you mean 'gan'"):
        Sweep(({"gam": 0.1},)).decide(seen(line(6.0), FREE), forget)
    with pytest.raises(Refused, match="l1:perceptual:gan"):
        Sweep(("l1:gan=1:0.1",)).decide(seen(line(6.0), FREE), forget)
    with pytest.raises(Refused, match="proxy metric"):
        Sweep().decide(seen(line(6.0), goal=Goal(wish="no plastic skin")), forget)


def drawn(bounds: Bounds, seed: int, count: int = 6) -> list[Weights]:
    """The settings that a run under ``seed`` tries beside the initial weights."""
    view = seen(line(6.0), bounds, seed=seed)
    found: list[Weights] = []
    states = list(view.trajectory.states)
    for _ in range(count - 1):
        decision = Sweep(count=count).decide(view, forget)
        assert decision.restart_from == 0
        found.append(decision.weights)
        states.append(made(len(states), decision, niqe(7.5)))
        view = replace(view, trajectory=replace(view.trajectory, states=tuple(states), head_id=len(states) - 1))
    return found


def made(number: int, decision: Decision, feedback: Feedback) -> State:
    report = line(6.0).states[1].report
    return State(id=number, parent=decision.restart_from, depth=1, decision=decision, report=report, feedback=feedback)


def test_drawn_settings_fill_the_range_and_depend_on_the_seed_alone() -> None:
    one, two = drawn(FREE, 0), drawn(FREE, 1)
    assert one == drawn(FREE, 0)
    assert one != two
    for settings in (one, two):
        assert {w["l1"] for w in settings} == {1.0}
        for name in ("perceptual", "gan"):
            at = sorted(math.log(w[name] / W[name], 16) for w in settings)
            fifths = [math.floor((x + 1) / 2 * 5) for x in at]
            assert fifths == [0, 1, 2, 3, 4]  # one in each fifth: a Latin hypercube


def test_a_trust_region_narrows_the_draw() -> None:
    for w in drawn(Bounds(trust=2.0), 0):
        assert all(0.4999 <= w[name] / W[name] <= 2.0001 for name in W.names)


def test_a_winner_that_was_pruned_is_trained_again_from_the_start_on_other_data() -> None:
    stages = [(0, W, niqe(6.0)), (0, Weights.parse(A), niqe(4.0)), (0, Weights.parse(B), niqe(5.0))]
    trajectory = grow(stages)
    agent = Sweep(LISTED[:2])
    assert agent.decide(seen(trajectory, FREE), forget).restart_from == 2
    gone = change_state(trajectory, 2, restorable=False)
    decision = agent.decide(seen(gone, FREE), forget)
    assert (decision.restart_from, str(decision.weights), decision.replicate) == (0, A, 1)
    assert decision.adjusted_by == ()
    assert "Setting 2 of 3" in decision.thoughts
    assert "checkpoint of what it led to is gone" in decision.thoughts
    # The second result, however bad, changes nothing of which setting won.
    states = (*gone.states, made(4, decision, niqe(9.0)))
    after = agent.decide(seen(replace(gone, states=states, head_id=4), FREE), forget)
    assert (after.restart_from, str(after.weights), after.replicate) == (4, A, 0)


def kept_run(agent: Sweep, stages: int, start: float, scores: Mapping[int, float], by_hand: int = 0) -> Trajectory:
    """A run that keeps S_0, the best state and the newest one; a person sets the weights after state ``by_hand``."""
    log = MemoryLog()
    steering = Steering(
        agent=agent, goal=GOAL, initial=W, stages=stages, log=log, metrics={"niqe": NIQE}, can_restart=True
    )
    steering.tell(0, feedback=niqe(start))
    while stage := steering.ask():
        steering.tell(stage.state, feedback=niqe(scores.get(stage.state, 5.0)))
        best = min((0, *range(1, stage.state + 1)), key=lambda i: start if i == 0 else scores.get(i, 5.0))
        for state in steering.trajectory.states:
            if state.restorable and state.id not in {0, best, stage.state}:
                steering.book.append(Pruned(state=state.id))
        if stage.state == by_hand:
            request = NextWeights(author="Ann", weights={"l1": 1.0, "perceptual": 0.2, "gan": 0.02})
            steering.book.append(Requested(letter="a", request=request))
    return steering.trajectory


def test_where_the_untouched_network_is_the_best_the_winner_is_still_the_best_setting() -> None:
    """The checkpoints of all trials but the last are gone: it must not win for that."""
    trajectory = kept_run(Sweep(count=4), 8, start=4.0, scores={1: 5.0, 2: 6.0, 3: 7.0, 4: 8.0})
    assert [(s.parent, s.decision.replicate) for s in trajectory.states[5:] if s.decision] == [
        (0, 1), (5, 0), (6, 0), (7, 0)
    ]  # fmt: skip
    assert all(s.weights == W for s in trajectory.states[5:])


def test_a_trial_that_a_person_s_stage_interrupts_starts_again_once() -> None:
    trajectory = kept_run(Sweep(count=2, trial=2), 9, start=4.0, scores={6: 4.5}, by_hand=3)
    two = trajectory.weights_at(3)
    assert two != W
    made = [(s.parent, s.weights, s.decision.replicate) for s in trajectory.states[5:] if s.decision]
    assert made[:2] == [(0, two, 1), (5, two, 0)]
    assert [parent for parent, _, _ in made[2:]] == [6, 7, 8]


def test_from_a_state_that_a_person_chose_its_own_setting_is_trained_on() -> None:
    other = weights(1.0, 0.3, 0.03)
    stages = [(0, W, niqe(6.0)), (0, Weights.parse(A), niqe(4.0)), (0, Weights.parse(B), niqe(5.0)), (2, other, None)]
    trajectory = grow(stages)
    agent = Sweep(LISTED[:2])

    def at(state: int, whole: Trajectory = trajectory) -> Decision:
        view = replace(seen(whole, FREE), head=whole.states[state], pinned=True)
        return agent.decide(view, forget)

    third = at(3)
    assert (third.restart_from, str(third.weights)) == (3, B)
    assert "Setting 3 of 3" in third.thoughts
    fourth = at(4)
    assert (fourth.restart_from, fourth.weights) == (4, other)
    assert "no setting" in fourth.thoughts
    again = at(0)  # all were tried from there: the best one once more
    assert (again.restart_from, str(again.weights), again.replicate) == (0, A, 1)
    due = at(0, grow(stages[:2]))
    assert (due.restart_from, str(due.weights), due.replicate) == (0, B, 0)


def test_a_person_s_stage_is_neither_counted_nor_undone() -> None:
    other = weights(1.0, 0.3, 0.03)
    stages = [(0, W, niqe(6.0)), (1, other, niqe(1.0))]
    decision = Sweep(LISTED[:1]).decide(seen(grow(stages), FREE), forget)
    assert (decision.restart_from, str(decision.weights)) == (0, A)
    stages.append((0, Weights.parse(A), niqe(5.0)))
    assert Sweep(LISTED[:1]).decide(seen(grow(stages), FREE), forget).restart_from == 3


def test_initial_weights_outside_the_bounds_walk_into_them() -> None:
    bounds = Bounds(per_loss={"gan": (0.1, 1.0)}, trust=4.0)
    trajectory = steer(Sweep(({"gan": 0.04},), trial=2), likes_gan, 5, bounds)
    # 0.01, then what the bounds make of it: towards 0.1 by factors of 4
    assert [s.weights["gan"] for s in trajectory.states[1:3] if s.weights] == pytest.approx([0.01, 0.04])
    assert [s.parent for s in trajectory.states[1:]] == [0, 1, 0, 3, 4]


def test_with_one_loss_it_is_plain_training() -> None:
    one = Weights.of({"l1": 1.0})
    trajectory = grow([(0, one, niqe(6.0)), (1, one, niqe(6.5))])
    decision = Sweep().decide(seen(trajectory), forget)
    assert (decision.restart_from, decision.weights) == (2, one)


@pytest.mark.parametrize(
    "wrong",
    [
        {"settings": []},
        {"settings": ["l1=much"]},
        {"settings": [{"gan": -1.0}]},
        {"settings": [{"gan": math.inf}]},
        {"settings": [{"gan": 0.1}], "count": 3},
        {"settings": [{"gan": 0.1}], "range": 4.0},
        {"count": 1},
        {"trial": 0},
        {"range": 1.0},
        {"rollback": True},
        {"rollback": {"tolerance": {"niqe": 0.1}}},
    ],
)
def test_what_is_no_sweep_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SweepSettings.model_validate(wrong)


def test_the_agent_refuses_too() -> None:
    with pytest.raises(Refused, match="count"):
        Sweep(count=1)
    with pytest.raises(Refused, match="trial"):
        Sweep(trial=0)
    with pytest.raises(Refused, match="range"):
        Sweep(range=math.nan)


def test_the_page_s_examples_are_experiments(tmp_path: Path) -> None:
    adapter: TypeAdapter[SweepSettings] = TypeAdapter(AgentSettings)
    blocks = [yaml.safe_load(b) for b in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    assert blocks
    for block in blocks:
        chosen = parse(experiment(tmp_path) | block).agent
        assert isinstance(chosen, SweepSettings)
        assert adapter.validate_json(adapter.dump_json(chosen)) == chosen
        assert isinstance(create(chosen), Sweep)


def test_the_page_names_every_setting() -> None:
    for name in SweepSettings.model_fields:
        if name not in {"kind", "rollback"}:
            assert f"| `{name}` |" in PAGE, name
