"""Two processes share one steering."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import two_loops

from lossagent import Every
from lossagent.runs import read_events, read_trajectory
from lossagent.training.ranks import Ranks

HERE = Path(__file__).resolve().parent
PATHS = [str(HERE.parents[1] / "src"), str(HERE), str(HERE.parent)]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind."""
    root = tmp_path_factory.mktemp("shared")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launch, str(HERE / "two_loops.py"), str(root)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(PATHS), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def heard(both: Path, what: str) -> tuple[object, object]:
    first, second = (json.loads((both / f"rank-{rank}.json").read_text())[what] for rank in (0, 1))
    return first, second


@pytest.mark.parametrize("what", ["steps", "seconds", "cut", "back"])
def test_every_process_trains_under_the_same_weights_at_the_same_steps(both: Path, what: str) -> None:
    first, second = heard(both, what)
    assert first == second
    assert first


def test_it_is_the_run_of_one_process(both: Path, tmp_path: Path) -> None:
    alone = two_loops.trained(two_loops.begun(tmp_path / "run", ranks=Ranks()), Every(steps=4))
    assert alone == heard(both, "steps")[0]
    told = [event.kind for event in read_events(both / "steps")]
    assert told == [event.kind for event in read_events(tmp_path / "run")]


def test_processes_that_start_again_go_on_and_back_together(both: Path) -> None:
    trajectory = read_trajectory(both / "back")
    assert [s.report.iterations for s in trajectory.states if s.report is not None] == [0] + [4] * 8
    assert any(s.parent != s.id - 1 for s in trajectory.states[1:])


@pytest.mark.parametrize(("what", "said"), [("refused", "'miss'"), ("changed", "other settings: seed")])
def test_what_process_0_refuses_is_refused_on_all(both: Path, what: str, said: str) -> None:
    first, second = heard(both, what)
    assert said in str(first)
    assert str(second) == f"process 0: {first}"
