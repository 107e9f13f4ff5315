"""``lossagent simulate``: from a study folder to a model, its fidelity, and a simulated study."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from truth import study_folder

from command_line import command
from lossagent.experiment import parse
from lossagent.feedback import POOLED
from lossagent.session import Session
from lossagent.simulator import read_model, read_recorded
from lossagent.study.outcome import read_outcomes, write_outcome
from tiny import experiment

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study and its model."""
    root = tmp_path_factory.mktemp("simulate")
    study_folder(root, seeds=3, stages=6)
    fitted = command("simulate", "fit", root / "study", "--out", root / "model.json")
    assert fitted.status == 0, fitted.err
    return root


def test_fit_writes_a_model_and_shows_its_responses(root: Path, tmp_path: Path) -> None:
    shown = command("simulate", "fit", root / "study", "--out", tmp_path / "model.json")
    assert shown.status == 0, shown.err
    assert "Fitted to 15 runs" in shown.out
    assert "feedback/niqe" in shown.out
    assert read_model(tmp_path / "model.json").setting.objective == "niqe"


def test_compare_writes_a_study_that_says_it_is_simulated(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "simulated"
    shown = command(
        "simulate", "compare", root / "model.json", "--arms", root / "study" / "study.yaml", "--arms", "climb",
        "--arms", "random", "--arms", "llm", "--seeds", 6, "--jobs", 1, "--out", out,
    )  # fmt: skip
    assert shown.status == 0, shown.err
    assert "arm 'llm' is left out" in shown.out
    assert "--chat SETTINGS" in shown.out
    outcomes = read_outcomes(out)
    arms = {"fixed", "random", "random-2", "climb", "fixed@gan", "fixed@perceptual", "fixed@little"}
    assert {(o.arm, o.seed) for o in outcomes} == {(arm, seed) for arm in arms for seed in range(6)}
    assert all(set(f.scores["niqe"]) == {POOLED} for o in outcomes for f in o.selection.values())
    gan = next(o for o in outcomes if o.arm == "fixed@gan")
    assert {s.weights["gan"] for s in gan.states if s.weights is not None} == {0.05}
    told = json.loads((out / "simulated.json").read_text(encoding="utf-8"))
    assert told["fitted to"].startswith("15 recorded runs")
    assert set(told["share of stages beyond the recorded weights"]) == arms
    page = (out / "page.html").read_text(encoding="utf-8")
    assert "Simulated" in page
    assert "tuned-fixed" in page


def test_two_processes_find_what_one_finds(root: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        ran = command(
            "simulate", "compare", root / "model.json", "--arms", "random", "--seeds", 3, "--jobs", jobs,
            "--out", tmp_path / str(jobs),
        )  # fmt: skip
        assert ran.status == 0, ran.err
    one, two = (read_outcomes(tmp_path / jobs) for jobs in ("1", "2"))
    assert one == two
    assert {o.arm for o in one} == {"fixed", "random"}


def test_a_language_model_is_asked_where_one_is_named(root: Path, tmp_path: Path) -> None:
    chat = "{kind: scripted, replies: ['Weights: l1:perceptual:gan=1.0:0.1:0.02']}"
    ran = command(
        "simulate", "compare", root / "model.json", "--arms", "{kind: llm, answer: pattern}", "--seeds", 1,
        "--chat", chat, "--out", tmp_path / "out",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    asked = next(o for o in read_outcomes(tmp_path / "out") if o.arm == "llm")
    assert asked.cost.questions > 0


def simulated(root: Path, tmp_path: Path, plan: dict[str, Any], seeds: int) -> str:
    """What the command prints about a study file; the study is in ``out``."""
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    ran = command(
        "simulate", "compare", root / "model.json", "--arms", tmp_path / "plan.yaml", "--seeds", seeds, "--jobs", 1,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    return ran.out


def test_a_primary_comparison_goes_along_with_its_arms(root: Path, tmp_path: Path) -> None:
    plan = yaml.safe_load((root / "study" / "study.yaml").read_text(encoding="utf-8"))
    plan["primary"] = {"arm": "random", "against": "fixed", "metric": "niqe", "set": "BSD"}
    plan["arms"]["longer"] = {"agent": {"kind": "fixed"}, "training": {"iterations": 1}}
    told = simulated(root, tmp_path, plan, 6)
    assert "Left out: arm 'longer' changes training" in told
    assert "Primary comparison" in (tmp_path / "out" / "page.html").read_text(encoding="utf-8")


def test_a_primary_comparison_with_the_best_full_run_goes_along(root: Path, tmp_path: Path) -> None:
    plan = yaml.safe_load((root / "study" / "study.yaml").read_text(encoding="utf-8"))
    best = f"tuned-fixed ({1 + len(plan['tuned']['full'])}x)"
    plan["primary"] = {"arm": "random", "against": best, "metric": "niqe", "set": "BSD"}
    told = simulated(root, tmp_path, plan, 3)
    assert "left out with its arm" not in told
    assert yaml.safe_load((tmp_path / "out" / "study.yaml").read_text(encoding="utf-8"))["primary"]["against"] == best


def test_bounds_and_tolerances_are_the_fixed_arms(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "study", tmp_path / "study")
    file = tmp_path / "study" / "study.yaml"
    plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    plan["arms"] = {
        "a-narrow": {"agent": {"kind": "random"}, "bounds": {"trust": 1.1}, "tolerance": {"niqe": 9}}
    } | plan["arms"]
    file.write_text(yaml.safe_dump(plan), encoding="utf-8")
    for one in read_outcomes(tmp_path / "study"):
        if one.arm == "random":
            write_outcome(tmp_path / "study", one.model_copy(update={"arm": "a-narrow"}))
    before = read_recorded([root / "study"]).setting
    after = read_recorded([tmp_path / "study"]).setting
    assert (after.bounds, after.tolerance) == (before.bounds, before.tolerance)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--arms", "climbb"], "arm 'climbb'"),
        (["--arms", "none.yaml"], "there is no file"),
        (["--arms", "{kind: random, spread: 0.1}"], "agent.spread"),
    ],
    ids=str,
)
def test_arms_that_cannot_be_are_refused(root: Path, tmp_path: Path, words: list[str], said: str) -> None:
    refused = command("simulate", "compare", root / "model.json", *words, "--out", tmp_path / "out")
    assert refused.status == 2
    assert said in refused.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_not_written_over(root: Path) -> None:
    refused = command("simulate", "compare", root / "model.json", "--arms", "random", "--out", root)
    assert refused.status == 2
    assert "exists already" in refused.err


def test_simulated_runs_are_not_fitted_to(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "study", tmp_path / "study")
    (tmp_path / "study" / "simulated.json").write_text("{}", encoding="utf-8")
    refused = command("simulate", "fit", tmp_path / "study", "--out", tmp_path / "model.json")
    assert refused.status == 2
    assert "fitted to real runs alone" in refused.err


def test_folders_without_runs_are_refused(tmp_path: Path) -> None:
    refused = command("simulate", "fit", tmp_path)
    assert refused.status == 2
    assert "must be a study folder" in refused.err


def test_the_page_shows_what_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "studies").mkdir()
    shutil.copytree(root / "study", tmp_path / "studies" / "classical-niqe")
    shutil.copy(root / "study" / "study.yaml", tmp_path / "study.yaml")
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^lossagent (simulate .*)$", PAGE, re.MULTILINE)
    assert [line.split()[1] for line in lines] == ["check", "fit", "compare"]
    for line in lines:
        words = shlex.split(line.replace("--seeds 200", "--seeds 2 --jobs 1"))
        ran = command(*words)
        assert ran.status == 0, ran.err
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(program, {})


@pytest.mark.slow
@pytest.mark.usefixtures("no_assets")
def test_finished_run_folders_do_as_well(tmp_path: Path) -> None:
    for seed in range(3):
        for kind in ("random", "fixed"):
            data = experiment(tmp_path, seed=seed, agent={"kind": kind})
            data["training"]["stages"] = 4
            Session.start(parse(data), tmp_path / f"{kind}-{seed}").run()
    runs = [tmp_path / f"{kind}-{seed}" for seed in range(3) for kind in ("random", "fixed")]
    fitted = command("simulate", "fit", *runs, "--out", tmp_path / "model.json")
    assert fitted.status == 0, fitted.err
    model = read_model(tmp_path / "model.json")
    keys = {c.key for c in model.channels}
    assert {"feedback/psnr_y", "selection/psnr_y", "loss/l1", "raw/gan", "image-norm/l1", "layer-norm/mse"} <= keys
    words = ["--arms", "random", "--seeds", 2, "--jobs", 1, "--out", tmp_path / "out"]
    ran = command("simulate", "compare", tmp_path / "model.json", *words)
    assert ran.status == 0, ran.err
