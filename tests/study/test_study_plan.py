"""What a study file means, what is refused, and what is written down before the first run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from study_kit import ARMS, written

from lossagent.errors import Refused
from lossagent.experiment import read_yaml
from lossagent.study.deriving import merged
from lossagent.study.jobs import Job
from lossagent.study.plan import Study, parse
from lossagent.study.registering import plan_of, read_registration, register
from lossagent.weights import Weights

BOTH = {"arm": "random", "against": "fixed", "metric": "psnr_y", "set": "test"}


def loaded(root: Path, base: dict[str, Any] | None = None, overrides: tuple[str, ...] = (), **changes: Any) -> Study:
    return Study.load(written(root, base, **changes), overrides)


def test_jobs_are_whole_seeds_with_the_fixed_arm_first(tmp_path: Path) -> None:
    arms = {"random": {**ARMS["random"], "seeds": {"first": 1, "count": 2}}, "fixed": ARMS["fixed"]}
    study = loaded(tmp_path, arms=arms, seeds=[1, 0], objectives={"a": {}, "b": {}})
    assert [job.key for job in study.jobs] == [
        "a/fixed/seed-0000",
        "b/fixed/seed-0000",
        "a/fixed/seed-0001",
        "a/random/seed-0001",
        "b/fixed/seed-0001",
        "b/random/seed-0001",
        "a/random/seed-0002",
        "b/random/seed-0002",
    ]


def test_an_arm_is_the_experiment_with_its_changes(tmp_path: Path) -> None:
    study = loaded(
        tmp_path,
        changes={"training": {"stages": 2}},
        overrides=("training.iterations=5",),
        objectives={"sharp": {"goal": {"targets": [{"metric": "niqe"}]}, "tolerance": {}}},
    )
    found = study.experiment_of(Job("random", "sharp", 7))
    assert (found.training.stages, found.training.iterations, found.seed) == (2, 5, 7)
    assert found.goal.targets[0].metric == "niqe"
    assert found.agent.kind == "random"
    assert found.agent.rollback is False, "an arm that names its agent means the same whatever the experiment's is"


def test_a_study_keeps_every_candidate_and_one_thread_a_run(tmp_path: Path) -> None:
    tiny = {"training": {"stages": 3, "iterations": 6, "batch": 2, "keep": 1, "ema": 0.5}}
    study = loaded(tmp_path, tiny)
    training = study.experiment_of(study.jobs[0]).training
    assert (training.keep, training.threads) == (None, 1)
    assert (
        Study.load(tmp_path / "study.yaml", ("training.threads=2",)).experiment_of(study.jobs[0]).training.threads == 2
    )


def test_only_agents_that_ask_get_a_language_model(tmp_path: Path) -> None:
    chat = {"kind": "scripted", "replies": ["l1:mse:gan=1:1:1"]}
    arms = {**ARMS, "llm": {"agent": {"kind": "llm"}}}
    study = loaded(tmp_path, {"chat": chat}, arms=arms)
    asked = {job.arm: study.experiment_of(job).chat is not None for job in study.jobs}
    assert asked == {"fixed": False, "random": False, "llm": True}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"agent": {"kind": "fixed"}}, {"agent": {"kind": "fixed"}, "training": {"stages": 3, "batch": 2}}),
        ({"agent": {"spread": 2}}, {"agent": {"kind": "random", "spread": 2}, "training": {"stages": 3, "batch": 2}}),
        ({"training": {"stages": 9}}, {"agent": {"kind": "random"}, "training": {"stages": 9, "batch": 2}}),
        ({"training": {}}, {"agent": {"kind": "random"}, "training": {}}),
        ({"agent": None}, {"agent": None, "training": {"stages": 3, "batch": 2}}),
    ],
)
def test_merging(change: dict[str, Any], expected: dict[str, Any]) -> None:
    base = {"agent": {"kind": "random"}, "training": {"stages": 3, "batch": 2}}
    assert merged(base, change) == expected
    assert base["training"] == {"stages": 3, "batch": 2}


def test_full_runs_train_under_their_weights_from_the_first_stage(tmp_path: Path) -> None:
    study = loaded(tmp_path, tuned={"full": {"low": {"gan": 0.02}, "off": {"mse": 0, "gan": 0.3}}})
    assert study.names == ("fixed", "random", "fixed@low", "fixed@off")
    assert study.best_of_full == "tuned-fixed (3x)"
    low, off = (study.experiment_of(Job(f"fixed@{name}", "goal", 0)) for name in ("low", "off"))
    assert low.initial == Weights.of({"l1": 1.0, "mse": 0.5, "gan": 0.02})
    assert off.initial == Weights.of({"l1": 1.0, "mse": 0.0, "gan": 0.3})
    assert low.agent.kind == "fixed"


def test_limits_relative_to_the_fixed_arm_make_it_the_first(tmp_path: Path) -> None:
    limit = {"metric": "ssim_y", "at_least": -0.1, "relative_to": "fixed"}
    goal = {"targets": [{"metric": "psnr_y"}], "constraints": [limit]}
    study = loaded(tmp_path, {"goal": goal}, tuned={"full": {"low": {"gan": 0.02}}})
    fixed = study.experiment_of(Job("fixed", "goal", 0))
    assert fixed.goal.constraints == ()
    assert "ssim_y" in fixed.guards, "the fixed arm measures what limits are about"
    for arm in ("random", "fixed@low"):
        assert study.needs(Job(arm, "goal", 1)) == Job("fixed", "goal", 1)
    assert study.needs(Job("fixed", "goal", 1)) is None


def test_every_arm_may_know_the_fixed_run(tmp_path: Path) -> None:
    study = loaded(tmp_path, know_fixed=True)
    assert study.needs(Job("random", "goal", 1)) == Job("fixed", "goal", 1)
    assert loaded(tmp_path).needs(Job("random", "goal", 1)) is None


def test_a_recipe_in_place_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump({"name": "s", "recipe": "classical-sr-small", "arms": ARMS}), encoding="utf-8")
    assert Study.load(file).experiment_of(Job("fixed", "goal", 0)).training.iterations == 150
    file.write_text(yaml.safe_dump({"name": "s", "recipe": "classical", "arms": ARMS}), encoding="utf-8")
    with pytest.raises(Refused, match=r"Unknown recipe 'classical'"):
        Study.load(file)


LIMIT = {"metric": "psnr_y", "at_least": -0.3, "relative_to": "fixed"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "demo"}, "exactly one of experiment .* found experiment, recipe"),
        ({"experiment": None}, "exactly one of experiment .* found none"),
        ({"experiment": "gone.yaml"}, "experiment .*gone.yaml cannot be read"),
        ({"arm": {}}, "arm: unknown key. Did you mean 'arms'"),
        ({"seeds": {"first": 0}}, "seeds.*count: Field required"),
        ({"seeds": [-1]}, "seeds.* greater than or equal to 0; found -1"),
        ({"arms": {}}, "arms: .*at least 1 item"),
        ({"arms": {"a b": {}}}, "arms.a b.*pattern"),
        (
            {"arms": {"fixed": {"agent": {"kind": "fixde"}}}},
            r"arm 'fixed' of objective 'goal'.*\n.*agent: kind must be",
        ),
        ({"arms": {**ARMS, "long": {"training": {"stages": 4}}}}, "same budget .* fixed: 8, 2, 2; long: 16, 2, 2"),
        ({"arms": {**ARMS, "wide": {"training": {"batch": 4}}}}, "same budget"),
        (
            {"arms": {**ARMS, "p": {"people": {"ask": "rating"}}}},
            r"arm 'p': people would be waited for .* people: null",
        ),
        ({"arms": {**ARMS, "f": {"fixed_run": "x"}}}, "leave fixed_run out"),
        ({"arms": {**ARMS, "t": {"data": {"test": {"other": "x"}}}}}, "data.test: arms 'fixed' and 't'"),
        ({"arms": {"random": ARMS["random"]}, "know_fixed": True}, "there is no arm 'fixed' of that objective"),
        (
            {"arms": {**ARMS, "r": {"seeds": [5], "goal": {"targets": [{"metric": "niqe"}], "constraints": [LIMIT]}}}},
            "arm 'r', seed 5: it has to know the fixed weights",
        ),
        (
            {"know_fixed": True, "arms": {**ARMS, "s": {"training": {"stages": 4, "iterations": 2}}}},
            "4 stages of 2 iterations cannot be set against the fixed arm's 2 of 4",
        ),
        ({"tuned": {"full": {"low": {"gna": 0.1}}}}, "arm 'fixed@low'"),
        ({"primary": {**BOTH, "arm": "respond"}}, "Unknown arm of primary.arm 'respond'"),
        ({"primary": {**BOTH, "against": "random"}}, "compared with itself"),
        ({"primary": {**BOTH, "metric": "niqe"}}, "Unknown metric of primary, for arm 'fixed'"),
        ({"primary": {**BOTH, "set": "Set5"}}, "Unknown test set of primary.set 'Set5'"),
        ({"primary": BOTH, "seeds": [3]}, "at least 2 seeds in common"),
        ({"primary": BOTH, "objectives": {"a": {}, "b": {}}}, "primary.objective: wanted one of a, b"),
        ({"primary": {**BOTH, "test": "sign"}}, "primary.test: .* found sign"),
        ({"primary": {**BOTH, "guards": [{"metric": "psnr_y"}]}}, "exactly one of at_least and at_most"),
        ({"primary": {**BOTH, "guards": [{"metric": "x", "at_most": 2, "times": True}]}}, "relative_to: absolute"),
    ],
)
def test_what_is_refused_before_anything_runs(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=f"(?s){message}"):
        loaded(tmp_path, **changes)


def test_a_primary_comparison_with_the_best_of_full_runs(tmp_path: Path) -> None:
    primary = {
        **BOTH,
        "against": "tuned-fixed (2x)",
        "guards": [{"metric": "lattice", "at_most": 1.5, "relative_to": "start", "times": True}],
    }
    study = loaded(tmp_path, tuned={"full": {"low": {"gan": 0.02}}}, primary=primary)
    assert study.primary is not None
    assert study.primary.guards[0].times


def test_the_derived_arm_has_the_seeds_that_every_full_run_has(tmp_path: Path) -> None:
    tuned = {"full": {"low": {"gan": 0.02}}, "seeds": [7, 8]}
    with pytest.raises(Refused, match=r"2 seeds in common.*tuned-fixed \(2x\) has those of fixed, fixed@low alike"):
        loaded(tmp_path, tuned=tuned, primary={**BOTH, "against": "tuned-fixed (2x)"})


def registered(root: Path, folder: Path, **changes: Any) -> Study:
    file = written(root, **changes)
    study = Study.load(file)
    register(file, study, folder)
    return study


def test_a_study_is_written_down_once(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    study = registered(tmp_path, folder)
    before = (folder / "registered.json").read_bytes()
    registered(tmp_path, folder)
    assert (folder / "registered.json").read_bytes() == before
    assert set(json.loads(before)) >= {"sha256", "when"}
    inside = Study.load(folder / "study.yaml")
    assert inside.jobs == study.jobs
    assert [inside.experiment_of(j) for j in study.jobs] == [study.experiment_of(j) for j in study.jobs]


def test_arms_and_seeds_may_be_added_and_it_is_recorded(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    registered(tmp_path, folder)
    first = read_registration(folder)
    registered(
        tmp_path,
        folder,
        seeds={"first": 0, "count": 3},
        arms={**ARMS, "calm": {"agent": {"kind": "random", "spread": 1.5}}},
    )
    entry = read_registration(folder)
    assert (entry.sha256, entry.when) == (first.sha256, first.when)
    assert entry.later[0].added == ("fixed: seeds 2", "random: seeds 2", "arm calm")
    assert len(parse(read_yaml(folder / "study.yaml", "study")).jobs) == 9


def test_the_plan_that_was_written_is_registered_by_its_hash(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    registered(tmp_path, folder)
    first = read_registration(folder)
    assert first.plan == hashlib.sha256((folder / "study.yaml").read_bytes()).hexdigest()
    assert plan_of(folder, first) == "kept"
    before = (folder / "study.yaml").read_text(encoding="utf-8")
    registered(tmp_path, folder, seeds=[0, 1, 2])
    grown = read_registration(folder)
    assert grown.later[0].plan == hashlib.sha256((folder / "study.yaml").read_bytes()).hexdigest()
    assert (plan_of(folder, grown), plan_of(folder, first)) == ("kept", "changed")
    unknown = first.model_copy(update={"plan": None, "later": grown.later})
    assert plan_of(folder, unknown) == "unknown"
    # A sitting that ended between the two files: the registration has grown, the plan has not.
    (folder / "study.yaml").write_text(before, encoding="utf-8")
    registered(tmp_path, folder, seeds=[0, 1, 2])
    assert read_registration(folder) == grown
    assert plan_of(folder, grown) == "kept"


def test_nothing_is_added_to_a_plan_that_was_changed_by_hand(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    registered(tmp_path, folder, primary=BOTH)
    text = (folder / "study.yaml").read_text(encoding="utf-8")
    (folder / "study.yaml").write_text(text.replace("test: permutation", "test: t") + "\n", encoding="utf-8")
    with pytest.raises(Refused, match=r"study\.yaml was changed after it was registered"):
        registered(tmp_path, folder, primary=BOTH, seeds=[0, 1, 2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"changes": {"training": {"learning_rate": 5e-4}}}, "base.training.learning_rate was 0.001 and is 0.0005"),
        ({"seeds": [0]}, r"arm 'fixed' was registered with seeds \[1\]"),
        ({"arms": {"fixed": ARMS["fixed"]}}, "an arm 'random', which the file has no more"),
        (
            {"arms": {**ARMS, "random": {"agent": {"kind": "random", "spread": 3}}}},
            "arm 'random' was registered otherwise: agent.spread",
        ),
        ({"primary": BOTH}, "primary is new"),
    ],
)
def test_what_was_registered_stays(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    folder = tmp_path / "out"
    registered(tmp_path, folder)
    with pytest.raises(Refused, match=message):
        registered(tmp_path, folder, **changes)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("do not touch", encoding="utf-8")
    with pytest.raises(Refused, match="is no study folder"):
        registered(tmp_path, tmp_path / "out")
