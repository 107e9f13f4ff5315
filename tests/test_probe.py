"""The probe: its arithmetic on made-up scores, its proposals, and tiny runs."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import yaml

from command_line import command, written
from lossagent.errors import Refused
from lossagent.experiment import parse
from lossagent.feedback import Feedback
from lossagent.goal import Constraint, Goal, Target
from lossagent.probe import Course, Findings, Plan, find, plan_of
from lossagent.probe.limits import broken_limits
from lossagent.probe.page import page_of, proposals
from lossagent.probe.settings import RANGE, spread_settings
from lossagent.probe.spread import changes_of, spread_of
from lossagent.weights import Bounds, Weights
from tiny import experiment

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "probe.md").read_text(encoding="utf-8")
INITIAL = Weights.of({"l1": 1.0, "mse": 0.5, "gan": 0.1})
IMAGES = tuple(f"image{i}" for i in range(12))


# -- settings ----------------------------------------------------------------------------------------------------


def test_settings_are_spread_over_the_bounds_around_the_initial_weights() -> None:
    settings = spread_settings(INITIAL, Bounds(per_loss={"gan": (0.05, 0.4)}), 9)
    assert settings[0] == INITIAL
    assert settings == spread_settings(INITIAL, Bounds(per_loss={"gan": (0.05, 0.4)}), 9)
    assert all(s["l1"] == 1.0 for s in settings)
    assert all(0.05 <= s["gan"] <= 0.4 for s in settings)
    assert all(0.5 / RANGE <= s["mse"] <= min(10.0, 0.5 * RANGE) for s in settings)
    for name, (low, high) in {"gan": (0.05, 0.4), "mse": (0.5 / RANGE, 8.0)}.items():
        places = sorted(math.log(s[name] / low) / math.log(high / low) for s in settings[1:])
        assert max(np.diff([0.0, *places, 1.0])) < 0.3  # no large hole


def test_losses_that_are_off_or_frozen_stay_as_they_are() -> None:
    initial = Weights.of({"l1": 1.0, "mse": 0.0, "gan": 0.1, "tv": 0.2})
    settings = spread_settings(initial, Bounds(frozen=frozenset({"tv"})), 4)
    assert {(s["mse"], s["tv"]) for s in settings} == {(0.0, 0.2)}
    assert len({s["l1"] for s in settings}) == 4  # the frozen loss is the anchor


def test_where_nothing_can_move_there_is_nothing_to_probe() -> None:
    with pytest.raises(Refused, match="nothing to steer"):
        spread_settings(Weights.of({"l1": 1.0}), Bounds(), 4)
    with pytest.raises(Refused, match="nothing to steer"):
        spread_settings(INITIAL, Bounds(per_loss={"mse": (0.5, 0.5), "gan": (0.1, 0.1)}), 4)
    with pytest.raises(Refused, match="at least 3"):
        spread_settings(INITIAL, Bounds(), 2)


# -- the arithmetic ----------------------------------------------------------------------------------------------


def made_up(
    rng: np.random.Generator, effect: float, training: float, image: float, k: int, r: int, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Changes of k settings and r repeats on n images."""
    easy = rng.normal(0, 3.0, n)

    def runs(count: int, means: np.ndarray) -> np.ndarray:
        luck = rng.normal(0, training, count)
        return (means + luck)[:, None] + easy + rng.normal(0, image, (count, n))

    return runs(k, rng.normal(0, effect, k)), runs(r, np.zeros(r))


def test_the_parts_of_the_variance_are_those_that_went_in(rng: np.random.Generator) -> None:
    settings, repeats = made_up(rng, effect=2.0, training=0.5, image=1.0, k=400, r=400, n=25)
    found = spread_of(settings, repeats, 1)
    assert found.spread == pytest.approx(2.0, rel=0.1)
    assert found.training == pytest.approx(0.5, rel=0.1)
    assert found.image == pytest.approx(1.0 / 5, rel=0.05)
    assert found.ratio == pytest.approx((4.0 + 0.25 + 0.04) / (0.25 + 0.04), rel=0.15)
    assert found.low < found.ratio < found.high
    assert found.exceeds


def test_the_ratio_is_the_f_of_a_table_by_hand() -> None:
    settings = np.array([[1.0, 3.0], [2.0, 6.0], [6.0, 6.0]])
    repeats = np.array([[0.0, 0.0], [1.0, 1.0]])
    found = spread_of(settings, repeats, 2)
    # means 2, 4, 6: variance 4; rest -+ 1/3, -+ 4/3, +- 5/3 about the additive fit, on 2 degrees of freedom
    rest = settings - settings.mean(axis=1, keepdims=True) - settings.mean(axis=0) + settings.mean()
    image = float((rest**2).sum()) / 2 / 2
    assert found.training**2 == pytest.approx(0.5)  # both images of a repeat changed alike
    assert found.image**2 == pytest.approx(image)
    assert found.ratio == pytest.approx(4.0 / (0.5 + image))
    assert found.spread**2 == pytest.approx(4.0 - 0.5 - image)
    # F(0.95; 2, 1) = 199.5, F(0.05; 2, 1) = 0.054 (tables)
    assert found.low == pytest.approx(found.ratio / 199.5, rel=1e-3)
    assert found.high == pytest.approx(found.ratio / 0.054, rel=1e-2)


def test_without_an_effect_hardly_any_probe_claims_one(rng: np.random.Generator) -> None:
    for training, image in [(0.5, 1.0), (0.5, 0.0), (0.0, 1.0)]:
        claims = sum(spread_of(*made_up(rng, 0.0, training, image, k=5, r=4, n=12), 1).exceeds for _ in range(400))
        assert claims / 400 <= 0.075  # 0.05 and what 400 trials leave open


def test_a_large_effect_is_found_nearly_always(rng: np.random.Generator) -> None:
    found = sum(spread_of(*made_up(rng, 5.0, 0.3, 0.6, k=6, r=4, n=12), 1).exceeds for _ in range(100))
    assert found >= 85


def test_the_images_asked_for_bring_the_image_noise_to_a_third_of_the_spread(rng: np.random.Generator) -> None:
    found = spread_of(*made_up(rng, 1.0, 0.05, 2.0, k=300, r=300, n=8), 1)
    wanted = found.images_for_a_third
    assert wanted is not None
    assert wanted == pytest.approx((3 * 2.0 / 1.0) ** 2, rel=0.25)
    assert spread_of(np.zeros((3, 4)), np.zeros((2, 4)), 1).images_for_a_third is None


def test_without_any_noise_a_difference_is_one() -> None:
    flat = np.ones((3, 4)) * np.array([[1.0], [2.0], [4.0]])
    assert spread_of(flat, np.zeros((2, 4)), 1).exceeds
    assert not spread_of(np.ones((3, 4)), np.zeros((2, 4)), 1).exceeds


def test_images_count_that_every_run_has_scores_of() -> None:
    def run(**scores: float | None) -> Mapping[int, Feedback]:
        return {0: Feedback(scores={"m": {"a": 1.0, "b": 1.0, "c": None}}), 1: Feedback(scores={"m": dict(scores)})}

    changes, known = changes_of([run(a=2.0, b=3.0, c=1.0), run(a=4.0, b=math.nan), {0: Feedback()}], "m", 1)
    assert changes.tolist() == [[1.0], [3.0]]
    assert known == [0, 1]


# -- proposals ---------------------------------------------------------------------------------------------------

Effect = Callable[[Weights, int], float]


def plan(root: Path, **changes: object) -> Plan:
    data = experiment(root, name="probed", bounds={"per_loss": {"gan": [0.01, 1.0]}, "trust": 3.0})
    data["goal"]["targets"] = [{"metric": "psnr_y", "direction": "higher", "unit": 1.0}]
    data["tolerance"] = {}
    return plan_of(parse(data | changes), settings=6, repeats=3, stages=3)


def courses(plan: Plan, effect: Effect, noise: float = 0.02) -> dict[str, Course]:
    """Runs whose scores change by an effect of the weights, with a little luck."""
    rng = np.random.default_rng(1)
    found: dict[str, Course] = {}
    for name, one in plan.runs.items():
        feedback = {0: Feedback(scores={"psnr_y": dict.fromkeys(IMAGES, 25.0), "lattice": dict.fromkeys(IMAGES, 1.0)})}
        for depth in range(1, plan.stages + 1):
            mean = 25.0 + effect(one.initial, depth) + float(rng.normal(0, noise))
            psnr = {i: mean + float(rng.normal(0, noise)) for i in IMAGES}
            feedback[depth] = Feedback(scores={"psnr_y": psnr, "lattice": dict.fromkeys(IMAGES, 1.0)})
        found[name] = Course(one.initial, feedback)
    return found


def gan(weights: Weights) -> float:
    return math.log(weights["gan"] / 0.1)


def test_an_effect_in_one_stage_is_something_to_steer(tmp_path: Path) -> None:
    made = plan(tmp_path)
    found = find(made, courses(made, lambda w, depth: 0.5 * gan(w) * depth))
    assert found.verdict == "something to steer"
    assert found.sentence.startswith("Something to steer: after one stage of 6 iterations")
    assert found.stage_iterations == 6
    assert found.spreads["utility"][0].exceeds
    assert found.spreads["utility"][0].spread == pytest.approx(found.spreads["psnr_y"][0].spread)
    assert found.trust is not None
    assert found.trust >= 1.5
    assert found.images is not None
    assert found.images >= 8


def test_an_effect_that_comes_late_asks_for_longer_stages(tmp_path: Path) -> None:
    made = plan(tmp_path)
    found = find(made, courses(made, lambda w, depth: 0.5 * gan(w) if depth == 3 else 0.0))
    assert found.verdict == "not at this stage length"
    assert found.stage_iterations == 18
    assert "about 18 iterations long" in found.sentence


def test_no_effect_is_nothing_shown_and_no_proof(tmp_path: Path) -> None:
    made = plan(tmp_path)
    found = find(made, courses(made, lambda w, depth: 0.0))
    assert found.verdict == "nothing shown"
    assert "no proof" in found.sentence
    assert (found.stage_iterations, found.trust, found.images) == (None, None, None)
    page = page_of(made, found)
    assert "longer than tried" in page
    assert "no move that was tried was clear of the noise" in page


def test_settings_that_break_something_narrow_the_bounds(tmp_path: Path) -> None:
    made = plan(tmp_path)

    def runs() -> dict[str, Course]:
        found = courses(made, lambda w, depth: 0.05 * gan(w))
        largest = max(made.settings, key=lambda name: made.settings[name]["gan"])
        smallest = min(made.settings, key=lambda name: made.settings[name]["gan"])
        grid = found[largest].feedback[3].scores["psnr_y"]
        spoiled = Feedback(scores={"psnr_y": grid, "lattice": dict.fromkeys(IMAGES, 1.8)})
        found[largest] = Course(made.settings[largest], {**found[largest].feedback, 3: spoiled})
        found[smallest] = Course(made.settings[smallest], {}, "diverged: 50 steps in a row")
        return found

    found = find(made, runs())
    weights = sorted(w["gan"] for w in made.settings.values())
    assert found.bounds["gan"] == (weights[1], weights[-2])
    said = " ".join(" ".join(s) for s in found.broken.values())
    assert "lattice 1.80, more than 1.5 times" in said
    assert "diverged" in said
    assert any("is left out: diverged" in note for note in found.notes)


def test_where_all_moves_break_something_no_bounds_are_proposed(tmp_path: Path) -> None:
    made = plan(tmp_path)
    found = courses(made, lambda w, depth: 0.05 * gan(w))
    for name, course in found.items():
        if made.runs[name].initial != made.settings["setting-0"]:
            grid = course.feedback[3].scores["psnr_y"]
            spoiled = Feedback(scores={"psnr_y": grid, "lattice": dict.fromkeys(IMAGES, 1.8)})
            found[name] = Course(course.weights, {**course.feedback, 3: spoiled})
    judged = find(made, found)
    assert judged.bounds == {}
    assert any("no bounds are proposed" in note for note in judged.notes)
    assert "none to propose" in " ".join(proposals(judged))


def test_limits_of_the_goal_and_a_loss_of_fidelity_are_seen() -> None:
    def course(psnr: float, niqe: float) -> Course:
        start = Feedback(scores={"psnr_y": {"a": 27.0}, "niqe": {"a": 7.0}})
        return Course(INITIAL, {0: start, 1: Feedback(scores={"psnr_y": {"a": psnr}, "niqe": {"a": niqe}})})

    goal = parse_goal(Constraint(metric="niqe", at_most=-0.5, relative_to="start"))
    assert broken_limits(goal, course(27.0, 6.0), course(27.1, 6.5), 1) == ()
    assert broken_limits(goal, course(26.5, 6.0), course(27.0, 6.5), 1) == (
        "psnr_y 26.50, more than 0.3 dB below 27.00 under the initial weights",
    )
    assert broken_limits(goal, course(27.0, 6.8), course(27.0, 6.5), 1) == ("niqe 6.8, at most 6.5 wanted",)
    beside = parse_goal(Constraint(metric="psnr_y", at_least=-1.0, relative_to="fixed"))
    assert broken_limits(beside, course(26.5, 6.0), course(27.0, 6.5), 1) == ()


def parse_goal(constraint: Constraint) -> Goal:
    return Goal(targets=(Target(metric="niqe", direction="lower", unit=0.1),), constraints=(constraint,))


def test_too_few_scores_are_refused(tmp_path: Path) -> None:
    made = plan(tmp_path)
    none = {name: Course(one.initial, {}, "not run") for name, one in made.runs.items()}
    with pytest.raises(Refused, match="too few runs"):
        find(made, none)


def test_a_plan_asks_nobody_and_scores_feedback_images_alone(tmp_path: Path) -> None:
    constraint = {"metric": "lattice", "at_most": 0.5, "relative_to": "fixed"}
    data = experiment(tmp_path, agent={"kind": "llm"}, chat={"kind": "scripted", "replies": ["x"]})
    data["goal"]["constraints"] = [constraint]
    made = plan_of(parse(data), settings=4, repeats=2, stages=2)
    assert list(made.runs) == ["setting-0", "setting-1", "setting-2", "setting-3", "repeat-1", "repeat-2"]
    assert [one.seed for one in made.runs.values()] == [0, 0, 0, 0, 1, 2]
    assert {one.dump()["agent"]["kind"] for one in made.runs.values()} == {"fixed"}
    assert all(one.chat is None and one.data.selection is None and not one.data.test for one in made.runs.values())
    assert all("lattice" in one.guards and not one.goal.constraints for one in made.runs.values())
    assert [one.initial for one in made.runs.values()][4:] == [made.experiment.initial] * 2
    assert made.iterations == 6 * (2 * 6 + 3)
    with pytest.raises(Refused, match="repeats must be at least 2"):
        plan_of(parse(data), repeats=1)
    wish = parse(experiment(tmp_path, goal={"wish": "no plastic skin"}, agent={"kind": "fixed"}, tolerance={}))
    with pytest.raises(Refused, match="a probe needs a number"):
        plan_of(wish)


# -- tiny runs ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_assets")
def test_the_command_runs_what_is_missing_and_writes_its_page(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["training"] |= {"iterations": 2, "warmup": 1}
    words = ["probe", written(data, tmp_path), "--settings", 3, "--repeats", 2, "--stages", 1, "--out", tmp_path / "p"]
    first = command(*words)
    assert first.status == 0, first.err
    found = Findings.model_validate_json((tmp_path / "p" / "probe.json").read_text(encoding="utf-8"))
    assert set(found.gains) == {"setting-0", "setting-1", "setting-2"}
    assert found.sentence in first.out
    assert found.sentence in (tmp_path / "p" / "probe.md").read_text(encoding="utf-8")
    assert {"utility", "psnr_y", "lattice"} <= set(found.spreads)
    events = {p: p.stat().st_mtime_ns for p in (tmp_path / "p").glob("*/events.jsonl")}
    assert len(events) == 5
    again = command(*words)
    assert again.status == 0, again.err
    assert {p: p.stat().st_mtime_ns for p in events} == events
    assert json.loads((tmp_path / "p" / "probe.json").read_text(encoding="utf-8"))["verdict"] == found.verdict
    (tmp_path / "p" / "setting-0.diverged").write_text("diverged: as it was then\n", encoding="utf-8")
    other = command(*words[:2], "losses.mse.weight=0.7", *words[2:])
    assert other.status == 2
    assert "holds a run with other settings" in other.err


@pytest.mark.usefixtures("no_assets")
def test_the_page_shows_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = experiment(tmp_path)
    data["training"] |= {"iterations": 1, "warmup": 1}
    written(data, tmp_path)
    monkeypatch.chdir(tmp_path)
    (line,) = re.findall(r"^lossagent (probe .*)$", PAGE, re.MULTILINE)
    ran = command(*shlex.split(line.replace("training.iterations=100", "training.iterations=1")), "--stages", 1)
    assert ran.status == 0, ran.err
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        parse(experiment(tmp_path) | yaml.safe_load(block))
