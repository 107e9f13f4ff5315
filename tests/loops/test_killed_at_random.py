"""A loop that is killed again and again, at any moment, ends where it would have without."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lossagent.runs import canonical, read_trajectory

LOOP = """
import sys, time
from pathlib import Path
import torch
from lossagent import Course, Every, Snapshots, WeightedSum, steer

folder = Path(sys.argv[1])
torch.manual_seed(0)
place = torch.nn.Linear(1, 2, bias=False)
optimizer = torch.optim.Adam(place.parameters(), lr=0.05)
goal = {"targets": [{"metric": "miss", "direction": "lower", "unit": 0.01}]}
steering = steer(folder, {"near": 1.0, "far": 0.1}, goal=goal, score="elsewhere", agent="random", stages=8)
criterion = WeightedSum(steering)
x = torch.ones(1, 1)


def score():
    time.sleep(0.02)
    return {"miss": float((place(x).detach() - 0.5).abs().mean())}


course = Course(
    steering, Every(steps=5), score=score, criterion=criterion,
    snapshots=Snapshots(folder / "checkpoints", net=place, optimizer=optimizer),
)
print("ready", flush=True)
with course:
    while not course.over:
        time.sleep(0.01)
        output = place(x)
        loss = criterion.combine({"near": output.square().mean(), "far": (output - 1).square().mean()}, output)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course.step()
"""


def started(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", LOOP, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_no_step_is_lost_or_doubled(tmp_path: Path) -> None:
    with started(tmp_path / "whole") as whole:
        assert whole.wait() == 0
    draws, kills = random.Random(0), 0
    for _ in range(60):
        with started(tmp_path / "cut") as cut:
            time.sleep(draws.uniform(0, 0.3))
            cut.kill()  # harmless where it has ended
            kills += cut.wait() != 0
        if read_trajectory(tmp_path / "cut").finished is not None:
            break
    assert kills >= 3
    expected, found = (read_trajectory(tmp_path / name) for name in ("whole", "cut"))
    assert found.finished is not None
    assert expected.finished is not None
    assert canonical(found.finished) == canonical(expected.finished)
    assert [canonical(s) for s in found.states] == [canonical(s) for s in expected.states]
