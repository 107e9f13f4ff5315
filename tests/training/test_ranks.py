"""Two processes with half batches do what one does with the whole batch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import two_ranks
import yaml

from lossagent.errors import Diverged, Failed, Interrupted, Refused
from lossagent.runs import canonical, read_events, read_trajectory
from lossagent.training import checkpoints
from lossagent.training.ranks import Ranks, Verdict
from tiny import experiment

ROOT = Path(__file__).resolve().parents[2]
CLI = "from lossagent.cli import main; main()"


def surroundings(root: Path) -> dict[str, str]:
    paths = [str(ROOT / "src"), str(ROOT / "tests"), str(ROOT / "tests" / "training")]
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(paths), "LOSSAGENT_HOME": str(root / "home")}


def launched(root: Path, *arguments: object) -> subprocess.Popen[str]:
    """Two processes on this machine, over gloo."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    return subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=surroundings(root),
        cwd=root,
    )


def lossagent(root: Path, *arguments: object) -> subprocess.Popen[str]:
    return launched(root, "--no-python", sys.executable, "-c", CLI, *arguments)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind."""
    root = tmp_path_factory.mktemp("ranks")
    process = launched(root, ROOT / "tests" / "training" / "two_ranks.py", root)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return root


def differences(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> dict[str, float]:
    assert ours.keys() == theirs.keys()
    return {name: float((ours[name] - theirs[name]).abs().max()) for name in ours}


@pytest.mark.parametrize(("kind", "norm"), two_ranks.CASES)
def test_two_ranks_with_half_batches_equal_one_with_the_whole_batch(both: Path, kind: str, norm: str) -> None:
    one = two_ranks.trained(Ranks(), kind, norm)
    two = torch.load(both / f"{kind}-{norm}.pt", weights_only=True)
    found = differences(one, two)
    if kind == "ragan":
        # Relative logits do not depend on the last bias: its gradient is rounding, which Adam makes into full steps.
        last = "discriminator-gan/model.4.bias"
        assert float(one["optimizer-gan/5.exp_avg"].abs().max()) < 1e-7
        del found[last]
    assert {name: value for name, value in found.items() if value > 1e-6} == {}


@pytest.mark.parametrize("kind", ["vanilla", "lsgan"])
def test_micro_batches_equal_the_whole_batch(kind: str) -> None:
    whole = two_ranks.trained(Ranks(), kind, "none")
    for accumulate in (2, 4):
        assert max(differences(whole, two_ranks.trained(Ranks(), kind, "none", accumulate)).values()) < 2e-5


def test_images_are_restored_in_shares_and_come_back_in_their_order(both: Path) -> None:
    whole = two_ranks.restored(Ranks())
    with np.load(both / "images.npz") as files:
        assert list(files) == list(whole)
        assert all(np.array_equal(files[name], whole[name]) for name in whole)


def test_what_fails_on_one_process_ends_all(both: Path) -> None:
    assert (both / "error-1").read_text() == "ValueError: something of process 1"
    assert (both / "error-0").read_text() == "Failed: process 1: ValueError: something of process 1"


def test_a_verdict_keeps_the_exit_status_of_an_error() -> None:
    for error in (Refused("no"), Failed("broke"), Diverged("nan"), Interrupted("stop")):
        assert type(Verdict.of(error).error(2)) is type(error)
    assert isinstance(Verdict.of(KeyboardInterrupt()).error(0), Interrupted)
    assert isinstance(Verdict.of(ZeroDivisionError()).error(0), Failed)


def test_a_batch_that_does_not_divide_is_refused() -> None:
    assert Ranks(rank=2, size=4).share(32, 2) == (16, 8)
    with pytest.raises(Refused, match=r"4 process\(es\) x training.accumulate 2 = 8; found 12"):
        Ranks(size=4).share(12, 2)


def test_a_single_process_passes_everything_through() -> None:
    alone = Ranks()
    value = torch.ones(2)
    assert alone.mean(value) is value
    assert alone.broadcast("x") == "x"
    assert alone.gather(3) == alone.collect(3) == [3]
    assert alone.from_main(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError), alone.together():
        raise ZeroDivisionError


# -- whole runs -------------------------------------------------------------------------------------------


def written(root: Path) -> None:
    data = experiment(root)
    data["training"]["iterations"] = 40
    (root / "experiment.yaml").write_text(yaml.safe_dump(data, sort_keys=False))


def finished(process: subprocess.Popen[str], status: int | None = 0) -> str:
    said, _ = process.communicate(timeout=240)
    assert status is None or process.returncode == status, said
    return said


def interrupted(root: Path, name: str, number: signal.Signals) -> str:
    """A run that is told to stop in its second stage; what it said."""
    process = lossagent(root, "run", "experiment.yaml", "--out", name)
    log = root / name / "losses.jsonl"
    while process.poll() is None and (not log.exists() or '"state": 2, "iteration": 3' not in log.read_text()):
        time.sleep(0.02)
    process.send_signal(number)
    return finished(process, None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an uninterrupted run on two processes, called "whole"."""
    root = tmp_path_factory.mktemp("runs")
    written(root)
    finished(lossagent(root, "run", "experiment.yaml", "--out", "whole"))
    return root


def states(root: Path, name: str) -> list[object]:
    return [canonical(state) for state in read_trajectory(root / name).states]


@pytest.mark.slow
def test_a_run_on_two_processes_equals_one_on_one(whole: Path) -> None:
    # Few iterations: rounding that differs is amplified by Adam until chaotic scores such as the lattice peak see it.
    arguments = ["run", "experiment.yaml", "training.iterations=6", "--out"]
    finished(lossagent(whole, *arguments, "two"))
    command = [sys.executable, "-c", CLI, *arguments, "one"]
    subprocess.run(command, cwd=whole, env=surroundings(whole), check=True, capture_output=True, timeout=240)
    for ours, theirs in zip(read_trajectory(whole / "two").states, read_trajectory(whole / "one").states, strict=True):
        assert ours.feedback is not None
        assert theirs.feedback is not None
        assert ours.feedback.scores.keys() == theirs.feedback.scores.keys()
        for metric, scores in ours.feedback.scores.items():
            assert list(scores) == list(theirs.feedback.scores[metric])
        assert ours.feedback.means() == pytest.approx(theirs.feedback.means(), rel=1e-3)
        tensors = [checkpoints.load(whole / run / "checkpoints" / ours.name)[0] for run in ("two", "one")]
        for file, group in tensors[0].items():
            assert all(value < 1e-5 for value in differences(group, tensors[1][file]).values())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_resumes_bit_exact_on_two_processes(whole: Path, number: signal.Signals) -> None:
    name = f"stopped-{number.name}"
    said = interrupted(whole, name, number)
    assert said.count("Interrupted: stopped after iteration") == 2, said
    assert (whole / name / "checkpoints" / "partial").exists()
    finished(lossagent(whole, "resume", name))
    assert states(whole, name) == states(whole, "whole")


@pytest.mark.slow
def test_a_run_resumes_on_one_process_and_says_so(whole: Path) -> None:
    interrupted(whole, "other", signal.SIGINT)
    command = [sys.executable, "-c", CLI, "resume", "other"]
    subprocess.run(command, cwd=whole, env=surroundings(whole), check=True, capture_output=True, timeout=240)
    warned = [e.text for e in read_events(whole / "other") if e.kind == "warned"]
    assert any("resumed with ranks 1; the run began with 2: not bit-exact" in text for text in warned)
    assert not any("with device" in text for text in warned)
    assert len(read_trajectory(whole / "other").scored) == 4


@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_the_run_resumes(whole: Path) -> None:
    process = lossagent(whole, "run", "experiment.yaml", "--out", "killed")
    log = whole / "killed" / "losses.jsonl"
    while process.poll() is None and (not log.exists() or '"state": 2, "iteration": 3' not in log.read_text()):
        time.sleep(0.02)
    os.kill(process_of_rank(process.pid, 1), signal.SIGKILL)
    began = time.monotonic()
    finished(process, None)
    assert process.returncode != 0
    assert time.monotonic() - began < 40
    finished(lossagent(whole, "resume", "killed"))
    assert states(whole, "killed") == states(whole, "whole")


def process_of_rank(launcher: int, rank: int) -> int:
    for folder in Path("/proc").iterdir():
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) if folder.name.isdigit() else 0
            if parent == launcher and f"\0RANK={rank}\0" in "\0" + (folder / "environ").read_text():
                return int(folder.name)
        except OSError:
            continue
    raise AssertionError("no such process")


@pytest.mark.slow
def test_what_is_refused_on_process_0_ends_all(whole: Path) -> None:
    said = finished(lossagent(whole, "run", "experiment.yaml", "training.batch=3", "--out", "refused"), 1)
    assert said.count("must divide by 2 process(es)") >= 2, said
    assert "exitcode  : 2" in said
    assert not (whole / "refused").exists()
