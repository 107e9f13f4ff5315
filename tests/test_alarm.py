"""The reward-hacking alarm: when it sounds, when it keeps silent, and where it is heard."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from agents.kit import GOAL, IMAGES, NIQE, grow, seen, weights
from lossagent.agents import LLM, LLMOptions, View
from lossagent.agents.lookouts import lookout_of
from lossagent.alarm import Lookout, alarm_of, alarms
from lossagent.chat.scripted import Scripted
from lossagent.console import Narrator
from lossagent.feedback import POOLED, Feedback, MetricFacts
from lossagent.goal import Constraint, Goal, Target
from lossagent.noise import paired_change
from lossagent.runs import MemoryLog
from lossagent.steering import Steering, Surroundings
from lossagent.trajectory import Trajectory

PSNR = NIQE.model_copy(update={"name": "psnr_y", "direction": "higher", "needs_reference": True})
LATTICE = NIQE.model_copy(update={"name": "lattice", "unit": 0.1})
DRIFT = PSNR.model_copy(update={"name": "drift"})
FACTS: Mapping[str, MetricFacts] = {m.name: m for m in (NIQE, PSNR, LATTICE, DRIFT)}
W = weights(1.0, 0.1, 0.01)
GUARDS = frozenset({"psnr_y", "lattice", "drift"})


def lookout(goal: Goal = GOAL, **changes: object) -> Lookout:
    return replace(Lookout(goal, FACTS, GUARDS), **changes)


def scores(niqe: float, psnr: float, noise: float = 0.05, seed: int = 0, images: tuple[str, ...] = IMAGES) -> Feedback:
    """Scores of images that differ much from each other, and from state to state by a little noise of their own."""
    base, own = np.random.default_rng(9).normal(0, 1, len(images)), np.random.default_rng(seed)
    return Feedback(
        scores={
            "niqe": {n: niqe + b + own.normal(0, noise) for n, b in zip(images, base, strict=True)},
            "psnr_y": {n: psnr + 2 * b + own.normal(0, noise) for n, b in zip(images, base, strict=True)},
        }
    )


def run(*later: Feedback, start: Feedback | None = None) -> Trajectory:
    return grow([(i, W, f) for i, f in enumerate(later)], start=start or scores(7.0, 27.5))


def test_the_objective_rises_while_a_guard_falls() -> None:
    found = alarms(run(scores(6.9, 27.5, seed=1), scores(5.8, 27.05, noise=0.02, seed=2)), lookout())
    assert set(found) == {2}
    (sentence,) = found[2]
    assert sentence.startswith("niqe improved by 1.2")
    assert " while psnr_y fell by 0.4" in sentence
    assert " dB (95 % interval -0." in sentence


@pytest.mark.parametrize(
    ("niqe", "psnr"),
    [
        (7.0, 27.4),  # only noise in the objective
        (7.3, 26.0),  # the objective fell too
        (5.8, 27.48),  # the guard moved by less than is worth speaking of
        (5.8, 28.4),  # the guard rose
    ],
)
def test_silence(niqe: float, psnr: float) -> None:
    assert alarms(run(scores(niqe, psnr, seed=1)), lookout()) == {}


def test_a_fall_within_the_noise_of_the_images_is_no_alarm() -> None:
    assert alarms(run(scores(5.8, 27.3, noise=0.6, seed=4)), lookout()) == {}


def test_the_sentence_has_the_interval_that_noise_gives() -> None:
    start, later = scores(7.0, 27.5), scores(5.8, 27.05, seed=2)
    change = paired_change(later, start, "psnr_y", 0.1, 0)
    assert change.low is not None
    assert change.high is not None
    (sentence,) = alarm_of(run(later).states[1], run(later).start, lookout())
    assert f"interval {change.low:.2f} to {change.high:.2f}" in sentence


def test_one_state_and_all_states_agree() -> None:
    trajectory = run(scores(5.8, 27.0, seed=1), scores(5.9, 27.5, seed=2), scores(5.0, 25.0, seed=3))
    watch = lookout(ceiling={"niqe": 5.4})
    found = alarms(trajectory, watch)
    assert found == {s.id: a for s in trajectory.states if (a := alarm_of(s, trajectory.start, watch))}
    assert set(found) == {1, 3}
    assert any("beyond the 5.40 of the ground truth itself" in s for s in found[3])


def test_a_target_beyond_the_ground_truth_where_it_did_not_start_there() -> None:
    beyond = lookout(ceiling={"niqe": 7.2})
    assert len(alarms(run(scores(6.5, 27.5, seed=1)), beyond)[1]) == 1
    assert alarms(run(scores(7.1, 27.5, seed=1), start=scores(6.9, 27.5)), beyond) == {}


def test_a_guard_under_a_constraint_may_fall_as_far_as_it_allows() -> None:
    limit = Constraint(metric="psnr_y", at_least=-0.5, relative_to="start")
    goal = Goal(targets=GOAL.targets, constraints=(limit,))
    assert alarms(run(scores(5.8, 27.2, seed=1)), lookout(goal)) == {}
    assert set(alarms(run(scores(5.8, 26.8, seed=1)), lookout(goal))) == {1}
    fixed = Goal(targets=GOAL.targets, constraints=(limit.model_copy(update={"relative_to": "fixed"}),))
    low = lookout(fixed, fixed={1: scores(6.0, 26.9)})
    assert alarms(run(scores(5.8, 26.8, seed=1)), low) == {}
    assert set(alarms(run(scores(5.8, 26.8, seed=1)), lookout(fixed))) == {1}  # not known: no permission


def test_few_images_and_scores_of_the_whole_set_go_by_tolerance_or_unit() -> None:
    few = ("a", "b")
    trajectory = run(scores(5.8, 27.2, 0.0, images=few), start=scores(7.0, 27.5, 0.0, images=few))
    assert alarms(trajectory, lookout()) == {1: ("niqe improved by 1.20 while psnr_y fell by 0.30 dB",)}
    assert alarms(trajectory, lookout(tolerance={"psnr_y": 0.4})) == {}
    assert alarms(trajectory, lookout(tolerance={"niqe": 1.5})) == {}
    whole = run(
        Feedback(scores={"niqe": {POOLED: 5.0}, "lattice": {POOLED: 1.9}}),
        start=Feedback(scores={"niqe": {POOLED: 7.0}, "lattice": {POOLED: 1.1}}),
    )
    assert alarms(whole, lookout()) == {1: ("niqe improved by 2.00 while lattice rose by 0.80",)}


def test_several_targets_speak_as_utility() -> None:
    targets = (*GOAL.targets, Target(metric="clipiqa", direction="higher", unit=0.01))
    later, start = scores(5.8, 27.0, seed=1), scores(7.0, 27.5)
    clip = {"clipiqa": dict.fromkeys(IMAGES, 0.5)}
    states = [f.model_copy(update={"scores": {**f.scores, **clip}}) for f in (start, later)]
    (sentence,) = alarms(run(states[1], start=states[0]), lookout(Goal(targets=targets)))[1]
    assert sentence.startswith("the utility rose by 1")
    assert "clipiqa improved by 0.000)" in sentence


def test_no_facts_no_scores_no_utility_no_alarm() -> None:
    # The distance from S_0's own output is infinite at S_0: nothing to compare with.
    start = scores(7.0, 27.5)
    start = start.model_copy(update={"scores": {**start.scores, "drift": dict.fromkeys(IMAGES, math.inf)}})
    later = scores(5.8, 27.5, seed=1)
    later = later.model_copy(update={"scores": {**later.scores, "drift": dict.fromkeys(IMAGES, 30.0)}})
    assert alarms(run(later, start=start), lookout()) == {}
    falling = run(scores(5.8, 26.0, seed=1))
    assert alarms(falling, lookout(metrics={"niqe": NIQE})) == {}
    assert alarms(falling, lookout(Goal(wish="no plastic skin"))) == {}
    lost = Feedback(scores={"niqe": dict.fromkeys(IMAGES), "psnr_y": falling.states[1].feedback.scores["psnr_y"]})
    assert alarms(run(lost), lookout()) == {}


def test_many_states_are_compared_at_once_where_there_is_a_faster_way() -> None:
    asked: list[int] = []

    def together(pairs, seed):
        asked.append(len(pairs))
        return [paired_change(*pair, seed) for pair in pairs]

    trajectory = run(*(scores(5.8, 27.0, seed=i) for i in range(5)), *(scores(7.5, 27.0, seed=i) for i in range(5)))
    assert alarms(trajectory, lookout(), together) == alarms(trajectory, lookout())
    assert asked == [5, 5]  # states whose objective did not rise are looked at no further


def prompt(view: View, options: LLMOptions) -> str:
    return "\n".join(m.content for m in LLM(Scripted([]), options).prompts(view))


def test_the_prompt_shows_it_and_the_papers_does_not() -> None:
    view = replace(seen(run(scores(5.8, 27.0, seed=2))), metrics=FACTS, guards=GUARDS)
    (sentence,) = alarm_of(view.head, view.trajectory.start, lookout_of(view))
    assert f"ALARM: since before training, {sentence}." in prompt(view, LLMOptions())
    assert "ALARM" not in prompt(view, LLMOptions.paper())
    off = LLMOptions().model_copy(update={"evidence": LLMOptions().evidence.model_copy(update={"alarm": False})})
    assert "ALARM" not in prompt(view, off)
    secret = LLMOptions(direction="all_off")  # it would tell which way is better
    assert "ALARM" not in prompt(view, secret)
    assert "ALARM" not in prompt(replace(view, guards=frozenset()), LLMOptions())


def test_progress_says_it_once_a_state() -> None:
    said = io.StringIO()
    narrator = Narrator(Console(file=said, width=200), "run", 3)
    from lossagent.agents import Fixed

    steering = Steering(
        agent=Fixed(),
        goal=GOAL,
        initial=W,
        stages=3,
        log=MemoryLog(),
        metrics=FACTS,
        surroundings=Surroundings(guards=GUARDS),
        on_event=narrator.event,
    )
    narrator.heed(steering)
    steering.tell(0, feedback=scores(7.0, 27.5))
    for i, psnr in enumerate((27.0, 27.5), 1):
        stage = steering.ask()
        assert stage is not None
        steering.tell(stage.state, feedback=scores(5.8, psnr, seed=i))
    lines = [line for line in said.getvalue().splitlines() if "ALARM: " in line]
    assert len(lines) == 1
    assert lines[0].startswith("run ALARM: since S_0, niqe improved by 1.")
    assert lines[0].endswith(").")
