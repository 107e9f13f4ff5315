"""Runs on the degradations of real-world super-resolution, from the command line to the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from command_line import command, written
from lossagent.runs import canonical, read_trajectory
from lossagent.training.step import Stepper
from tiny import experiment, pictures

pytestmark = pytest.mark.usefixtures("no_assets")

ON_DEVICE = {"kind": "real-esrgan", "on_device": True, "pool": 4}


def settings(root: Path, degradation: dict[str, Any]) -> dict[str, Any]:
    """Photographs that leave room for the surroundings of crops."""
    if not (root / "data").exists():
        for seed, (name, count) in enumerate({"train": 2, "feedback": 1, "selection": 1, "test": 1}.items()):
            pictures(root / "data" / name, count, side=192 if name == "train" else 96, seed=seed)
    data = experiment(root, agent={"kind": "random", "rollback": False})
    data["data"] |= {"degradation": degradation, "patch": 8}
    data["training"] |= {"stages": 1, "iterations": 4, "partial_every": 2}
    return data


def record(folder: Path) -> list[object]:
    return [canonical(state) for state in read_trajectory(folder).states]


@pytest.mark.parametrize(
    "degradation",
    [
        {"kind": "bsrgan"},
        {"kind": "real-esrgan"},
        {"kind": "real-esrgan", "sharpen": False},
        ON_DEVICE,
    ],
    ids=["bsrgan", "real-esrgan", "unsharpened", "on-device"],
)
def test_a_run_comes_to_its_end(tmp_path, degradation):
    file, folder = written(settings(tmp_path, degradation), tmp_path), tmp_path / "run"
    outcome = command("run", file, "--out", folder)
    assert outcome.status == 0, outcome.err
    trajectory = read_trajectory(folder)
    assert trajectory.finished is not None
    assert len(trajectory.states) == 2


def test_an_interrupted_run_on_the_device_goes_on_as_if_nothing_had_happened(tmp_path, monkeypatch):
    data = settings(tmp_path, ON_DEVICE)
    data["training"] |= {"iterations": 5, "partial_every": 1}  # blocks of 2 iterations: 3 is within one
    file = written(data, tmp_path)
    assert command("run", file, "--out", tmp_path / "whole").status == 0
    step, left = Stepper.restorer_step, [3]

    def interrupted(self, *arguments, **options):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return step(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "restorer_step", interrupted)
        try:
            status = command("run", file, "--out", tmp_path / "cut").status
        except KeyboardInterrupt:
            status = 130
    assert status != 0
    assert read_trajectory(tmp_path / "cut").finished is None
    assert command("resume", tmp_path / "cut").status == 0
    assert record(tmp_path / "cut") == record(tmp_path / "whole")
    assert read_trajectory(tmp_path / "cut").finished is not None


def test_a_pool_that_the_batch_does_not_divide_is_refused(tmp_path):
    data = settings(tmp_path, ON_DEVICE | {"pool": 5})
    outcome = command("run", written(data, tmp_path), "--out", tmp_path / "run")
    assert outcome.status != 0
    assert "pool must be a multiple of" in outcome.err
