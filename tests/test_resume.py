"""Killed at any moment and resumed, a run ends as if nothing had happened."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from lossagent.runs import canonical, read_trajectory
from tiny import experiment

DRIVER = """
import os, signal, sys
from pathlib import Path
from lossagent.experiment import load
from lossagent.session import Session

folder, settings, moment, count = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])

def die(at, after=False):
    left = [count]
    def wrap(inner):
        def wrapped(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0 and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = inner(*args, **kwargs)
            if left[0] < 0 and after:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return wrapped
    owner, name = at
    setattr(owner, name, wrap(getattr(owner, name)))

from lossagent.chat import Scripted
from lossagent.objectives.guarded import Guarded
from lossagent.steering import Steering
from lossagent.training import checkpoints
from lossagent.training.pictures import Pictures
from lossagent.training.step import Stepper
from lossagent.training.trainer import Trainer
moments = {
    "training": ((Stepper, "restorer_step"), False),
    "scoring": ((Guarded, "answer"), False),
    "question": ((Scripted, "complete"), True),
    "checkpoint": ((checkpoints, "save_file"), True),
    "pictures": ((Pictures, "write"), True),
    "decided": ((Trainer, "start_from"), False),
}
if moment in moments:
    die(*moments[moment])
session = Session.resume(folder) if folder.exists() else Session.start(load(settings), folder)
session.run()
"""


def settings(root: Path) -> Path:
    data = experiment(
        root,
        agent={"kind": "llm", "rollback": True, "answer": "pattern", "query": "per_image", "retries": 2},
        chat={
            "kind": "scripted",
            "replies": [f"Weights: l1:mse:gan=1.0:{m}:{g}\\nThoughts: go" for m in (0.3, 0.6) for g in (0.05, 0.2)]
            + ["I do not know."],
        },
    )
    file = root / "experiment.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    (root / "driver.py").write_text(DRIVER)
    return file


def drive(root: Path, name: str, moment: str, count: int = 0) -> int:
    command = [
        sys.executable,
        str(root / "driver.py"),
        str(root / name),
        str(root / "experiment.yaml"),
        moment,
        str(count),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode


def record(root: Path, name: str) -> object:
    trajectory = read_trajectory(root / name)
    return [canonical(s) for s in trajectory.states], trajectory.finished and trajectory.finished.selected


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an uninterrupted run called "whole"."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("resume")
        patch.setenv("LOSSAGENT_HOME", str(root / "home"))
        settings(root)
        assert drive(root, "whole", "never") == 0
    return root


@pytest.mark.usefixtures("no_assets")
def test_killed_at_one_moment_after_another_it_ends_the_same(whole: Path) -> None:
    # One run that is killed in training, scoring, a question, a checkpoint, between images and event, and between
    # decision and stage, and resumed each time.
    for moment, count in [
        ("training", 3),
        ("scoring", 1),
        ("decided", 0),
        ("question", 1),
        ("checkpoint", 2),
        ("pictures", 0),
    ]:
        assert drive(whole, "killed", moment, count) == -9, moment
    assert drive(whole, "killed", "never") == 0
    assert record(whole, "killed") == record(whole, "whole")


@pytest.mark.slow
@pytest.mark.usefixtures("no_assets")
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_moments_it_ends_the_same(whole: Path, seed: int) -> None:
    name, rng = f"random-{seed}", random.Random(seed)
    command = [
        sys.executable,
        str(whole / "driver.py"),
        str(whole / name),
        str(whole / "experiment.yaml"),
        "never",
        "0",
    ]
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (whole / name / "events.jsonl").exists() and process.poll() is None:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 2.5))
        process.kill()
        process.wait()
    assert drive(whole, name, "never") == 0
    assert record(whole, name) == record(whole, "whole")
