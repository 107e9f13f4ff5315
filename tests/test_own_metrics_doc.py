"""What docs/own-metrics.md shows works as it stands."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from lossagent.build.scores import metric_of
from lossagent.experiment import parse
from lossagent.objectives import Scored, Scores
from tiny import experiment

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "own-metrics.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def pictures(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: rng.integers(0, 256, (24, 32, 3), dtype=np.uint8) for name in ("baboon", "bird")}


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    monkeypatch.chdir(tmp_path)
    # the script's `env python3` is this interpreter, as in an activated environment
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    function, program, script = blocks("python")
    Path("my_metric.py").write_text(function, encoding="utf-8")
    Path("score.py").write_text(script, encoding="utf-8")
    Path("score.py").chmod(0o755)
    data = experiment(tmp_path)
    for section in map(yaml.safe_load, blocks("yaml")):
        data["metrics"] = data.get("metrics", {}) | section.pop("metrics")
        data |= section
    data["tolerance"] = {}
    chosen = parse(data)
    assert chosen.goal.targets[0].direction == "higher"
    assert chosen.goal.targets[0].unit == 0.01
    metrics = {name: metric_of(name, 4, chosen.metrics) for name in ("sharpness", "levels")}
    restored = pictures(rng)
    feedback = Scores({name: Scored(metric) for name, metric in metrics.items()})(restored)
    assert feedback.problems == {}
    assert all(value is not None for scores in feedback.scores.values() for value in scores.values())
    names: dict[str, object] = {"restored": restored}
    exec(function + program, names)
    assert names["feedback"].scores["sharpness"] == feedback.scores["sharpness"]  # pyright: ignore[reportAttributeAccessIssue]
