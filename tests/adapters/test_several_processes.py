"""One steering for the processes of a framework."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lossagent.runs import read_trajectory

HERE = Path(__file__).parent
LAUNCH = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
CPUS = os.environ | {"ACCELERATE_USE_CPU": "1", "CUDA_VISIBLE_DEVICES": ""}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "command"),
    [("lightning", ["lightning_ddp.py"]), ("transformers", [*LAUNCH, "transformers_launched.py"])],
)
def test_two_processes_train_under_the_same_weights_and_go_back_together(tmp_path, package, command):
    pytest.importorskip(package, reason=f"{package} is not installed")
    subprocess.run([sys.executable, *command, str(tmp_path)], check=True, cwd=HERE, env=CPUS, timeout=1500)
    trajectory = read_trajectory(tmp_path / "run")
    assert [s.report.iterations for s in trajectory.scored] == [0, 4, 4, 4, 4, 4, 4]
    assert any(s.parent != s.id - 1 for s in trajectory.states[1:])
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert torch.equal(first["place"], second["place"])
    assert first["steps"] == second["steps"] == 24
