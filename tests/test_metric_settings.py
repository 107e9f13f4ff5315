"""Metrics that an experiment names itself: settings, what a goal may leave out, refusals, and a run with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import command, written
from lossagent.build.scores import metric_of, try_own
from lossagent.build.sets import build_sets
from lossagent.errors import Refused, UnknownName
from lossagent.experiment import located, parse
from lossagent.experiment.metrics import completed_goal, facts_in
from lossagent.objectives.guarded import Guarded
from lossagent.runs import read_trajectory
from tiny import experiment

pytestmark = pytest.mark.usefixtures("no_assets")

SHARPNESS = """def sharpness(image):
    grey = image.astype(float).mean(axis=2)
    return abs(grey[1:] - grey[:-1]).mean()


def error(image, reference):
    return abs(image.astype(float) - reference).mean()
"""
WHOLE = "import json, sys; print(json.dumps({'value': len(sys.argv) - 1}))"


def own(root: Path, text: str = SHARPNESS) -> dict[str, Any]:
    """A section ``metrics`` with one of each kind that needs no other package."""
    (root / "my_metric.py").write_text(text, encoding="utf-8")
    python = {"kind": "python", "file": str(root / "my_metric.py"), "unit": 0.01}
    return {
        "sharpness": {**python, "function": "sharpness", "direction": "higher"},
        "error": {**python, "function": "error", "direction": "lower", "reference": True},
        "count": {"kind": "command", "command": [sys.executable, "-c", WHOLE], "direction": "higher", "unit": 1},
    }


def test_settings_survive_the_way_through_yaml(tmp_path: Path) -> None:
    metrics = own(tmp_path) | {"clip": {"kind": "pyiqa", "name": "clipiqa", "batch": 8, "unload": True, "unit": 0.02}}
    chosen = parse(experiment(tmp_path, metrics=metrics, guards=["sharpness"]))
    assert parse(yaml.safe_load(yaml.safe_dump(chosen.dump(), sort_keys=False))) == chosen


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("psnr", {}, "'psnr' is taken by a built-in metric"),
        ("preference", {}, "'preference' is taken"),
        ("pyiqa:niqe", {}, "pattern"),
        ("mine", {"direction": None}, r"metrics\.mine\.direction"),
        ("mine", {"unit": 0}, r"metrics\.mine\.unit"),
        ("mine", {"deadline": float("inf")}, r"metrics\.mine\.deadline"),
        ("mine", {"fuction": "f"}, r"metrics\.mine\.fuction: unknown key\. Did you mean 'function'"),
        ("mine", {"kind": "shell"}, r"metrics\.mine"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, name: str, change: dict[str, Any], message: str) -> None:
    settings = own(tmp_path)["sharpness"] | change
    with pytest.raises(Refused, match=message):
        parse(experiment(tmp_path, metrics={name: settings}))


def test_a_goal_may_leave_direction_and_unit_to_the_facts(tmp_path: Path) -> None:
    raw = {
        "targets": [
            {"metric": "sharpness"},
            {"metric": "niqe", "unit": 0.5},
            {"metric": "psnr", "direction": "lower", "unit": 3},
        ],
        "constraints": [
            {"metric": "lpips-alex", "at_most": 0.2},
            {"metric": "shifted-efficientnet-lite0", "at_most": 1},
        ],
        "proxy": [{"metric": "preference"}],
        "wish": "sharper",
    }
    goal = completed_goal(raw, facts_in(own(tmp_path)))
    assert goal["targets"] == [
        {"metric": "sharpness", "direction": "higher", "unit": 0.01},
        {"metric": "niqe", "direction": "lower", "unit": 0.5},
        {"metric": "psnr", "direction": "lower", "unit": 3},
    ]
    assert [c["unit"] for c in goal["constraints"]] == [0.005, 0.005]
    assert goal["proxy"] == [{"metric": "preference", "direction": "higher", "unit": 0.4}]
    assert goal["wish"] == "sharper"
    assert raw["targets"][0] == {"metric": "sharpness"}
    with pytest.raises(UnknownName, match=r"goal\.targets\.0: Unknown metric 'nique'. Did you mean 'niqe'"):
        completed_goal({"targets": [{"metric": "nique"}]}, facts_in(None))


@pytest.mark.parametrize("goal", [{"targets": 3}, {"targets": [3, {"metric": 4}]}, {"targets": [{}]}])
def test_a_goal_that_is_none_is_left_to_validation(goal: dict[str, Any]) -> None:
    assert completed_goal(goal, facts_in([])) == goal


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    metrics = own(Path())
    (tmp_path / "score.sh").write_text("#!/bin/sh\n")
    metrics["count"]["command"] = ["./score.sh", "--fast"]
    found = located(parse(experiment(tmp_path, metrics=metrics))).dump()["metrics"]
    assert found["sharpness"]["file"] == str(tmp_path / "my_metric.py")
    assert found["count"]["command"] == [str(tmp_path / "score.sh"), "--fast"]


def test_names_stand_for_guarded_metrics(tmp_path: Path) -> None:
    settings = parse(experiment(tmp_path, metrics=own(tmp_path))).metrics
    sharpness = metric_of("sharpness", 4, settings)
    assert isinstance(sharpness, Guarded)
    assert sharpness.deadline == 60.0
    assert sharpness.facts.name == "sharpness"
    with pytest.raises(UnknownName, match="Did you mean 'sharpness'"):
        metric_of("sharpnes", 4, settings)


def test_each_own_metric_is_tried_on_an_image_before_the_run(tmp_path: Path) -> None:
    fails = SHARPNESS.replace("grey = ", "grey = 1 / 0 + ")
    chosen = parse(experiment(tmp_path, metrics=own(tmp_path, fails)))
    metrics = {name: metric_of(name, 4, chosen.metrics) for name in ("error", "count", "sharpness")}
    feedback = build_sets(chosen).feedback
    message = r"metric sharpness: failed with ZeroDivisionError: division by zero \(my_metric\.py, line 2\) .* tried on"
    with pytest.raises(Refused, match=message):
        try_own(metrics, feedback)
    del metrics["sharpness"]
    try_own(metrics, feedback)


def test_a_broken_metric_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    data = experiment(tmp_path, metrics=own(tmp_path, "import nothing_of_that_name\n"), guards=["sharpness"])
    outcome = command("run", written(data, tmp_path), "--out", tmp_path / "run")
    assert outcome.status == 2, outcome
    message = " ".join(outcome.err.split())
    assert "metrics.sharpness" in message
    assert "my_metric.py, line 1" in message
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "__pycache__").exists()


def test_a_run_is_steered_by_an_own_metric_and_survives_one_that_breaks(tmp_path: Path) -> None:
    breaks = tmp_path / "breaks.py"
    breaks.write_text(
        "calls = []\n\n\ndef score(image):\n    calls.append(1)\n    return 1.0 if len(calls) < 4 else float('nan')\n",
        encoding="utf-8",
    )
    metrics = own(tmp_path) | {
        "breaks": {"kind": "python", "file": str(breaks), "function": "score", "direction": "higher", "unit": 1}
    }
    data = experiment(
        tmp_path,
        metrics=metrics,
        goal={"targets": [{"metric": "sharpness"}], "constraints": [{"metric": "error", "at_most": 60}]},
        guards=["count", "breaks"],
        tolerance={"sharpness": 0.01},
    )
    outcome = command("run", written(data, tmp_path), "--out", tmp_path / "run")
    assert outcome.status == 0, outcome
    scored = [s for s in read_trajectory(tmp_path / "run").states if s.feedback is not None]
    assert len(scored) == 4
    assert all(s.feedback.mean("sharpness") is not None for s in scored)
    assert [s.feedback.scores["count"] for s in scored] == [{"(all)": 2.0}] * 4
    problems = [s.feedback.problems.get("breaks") for s in scored]
    assert problems[-1] == "metric breaks: gave NaN for 2 of 2 images"
    assert scored[-1].feedback.mean("breaks") is None
