"""examples/steer.sh: a trainer that is another program, steered from the shell."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lossagent.runs import canonical, read_events, read_trajectory
from tiny import pictures

ROOT = Path(__file__).resolve().parents[2]
BASH = "/bin/bash"

pytestmark = pytest.mark.skipif(not Path(BASH).exists(), reason="there is no /bin/bash")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, and a PATH on which `python` and `lossagent` are those of these tests."""
    root = tmp_path_factory.mktemp("shell")
    pictures(root / "photos", 2)
    (root / "bin").mkdir()
    for name, words in (("python", '"$@"'), ("lossagent", '-c "from lossagent.cli import main; main()" "$@"')):
        file = root / "bin" / name
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}\n')
        file.chmod(0o755)
    return root


def started(place: Path, run: str, stages: int) -> subprocess.Popen[str]:
    paths = {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [BASH, str(ROOT / "examples" / "steer.sh"), "photos", run, str(stages)],
        cwd=place,
        env=os.environ | paths,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    return out


def test_it_steers_its_trainer_through_the_stages(place: Path) -> None:
    said = ended(started(place, "run", 1))
    trajectory = read_trajectory(place / "run")
    assert [s.depth for s in trajectory.scored] == [0, 1]
    assert trajectory.last.report.losses.keys() == {"mse", "smooth"}
    assert set(trajectory.start.feedback.scores) == {"niqe", "psnr_y"}
    assert trajectory.last.feedback.mean("psnr_y") > trajectory.start.feedback.mean("psnr_y")
    best = trajectory.finished.selected
    assert said == f"Best of 1: state {best}, run/nets/{best}.npy\n"
    nets = [np.load(place / "run" / "nets" / f"{state}.npy") for state in (0, 1)]
    assert not np.array_equal(*nets)


@pytest.mark.slow
def test_killed_at_random_moments_it_goes_on_without_a_lost_or_doubled_step(place: Path) -> None:
    began = time.monotonic()
    ended(started(place, "whole", 3))
    length = time.monotonic() - began
    rng = random.Random(0)
    kills = 0
    while kills < 6:
        process = started(place, "cut", 3)
        try:
            process.wait(rng.uniform(0.1, 0.6) * length)
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
    assert kills
    ended(started(place, "cut", 3))
    whole, cut = ([canonical(state) for state in read_trajectory(place / run).states] for run in ("whole", "cut"))
    assert cut == whole
    assert not {"retold", "rewound", "resumed"} & {event.kind for event in read_events(place / "cut")}
