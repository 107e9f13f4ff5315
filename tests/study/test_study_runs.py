"""Studies carried out: shared by workers, killed, stopped and gone on with, failed runs and all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from study_kit import ARMS, results, timeless, written

import lossagent
from command_line import command
from lossagent.errors import Failed, Refused
from lossagent.runs import is_run, read_events, read_trajectory
from lossagent.session import Known, ScoreMemory, Session
from lossagent.study.carrying import Carrier
from lossagent.study.jobs import Job
from lossagent.study.outcome import ROWS, Outcome, place, read_outcome, read_outcomes, write_outcome
from lossagent.study.plan import Study
from lossagent.study.recording import outcome_of, short
from lossagent.study.registering import register
from lossagent.study.submitting import Resources, Submitted, submit
from lossagent.study.working import join_in

WORKER = """
import os, signal, sys
from lossagent.cli import main
from lossagent.training.step import Stepper

left, inner = [int(sys.argv.pop(1))], Stepper.restorer_step
def step(*args, **kwargs):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.{signal})
    return inner(*args, **kwargs)
Stepper.restorer_step = step
main()
"""
"""A worker that sends itself a signal at the N-th step of training."""


CLUSTER = """
import sys
from pathlib import Path
from lossagent.study.submitting import Resources, submit

jobs = submit(sys.argv[1:], Path(sys.argv[4]), 2, Resources(None, hours=0.5), cluster="local")
print([job.result() for job in jobs])
"""
"""Two workers as jobs of submitit on this machine."""


def carrier(file: Path, folder: Path, memory: bool = True, tidy: bool = False) -> Carrier:
    study = Study.load(file)
    register(file, study, folder)
    kept = folder / "memory" if memory else folder / f"memory-{time.monotonic_ns()}"
    return Carrier(study, folder, ScoreMemory(kept), tidy)


def alone(file: Path, folder: Path, tidy: bool = False) -> dict[str, dict[str, Any]]:
    """Outcomes of a study carried out by one worker in this process."""
    one = carrier(file, folder, tidy=tidy)
    assert join_in(one, one.study.jobs, None, 60.0, lambda line: None)
    return results(folder)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(lossagent.__file__).parents[1]), "OMP_NUM_THREADS": "1"}


def begin(number: str, steps: int, *arguments: object) -> subprocess.Popen[bytes]:
    """A worker process that signals itself."""
    words = [sys.executable, "-c", WORKER.replace("{signal}", number), str(steps), *map(str, arguments)]
    return subprocess.Popen(words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Outcomes of the plain study of one seed, by one worker."""
    root = tmp_path_factory.mktemp("single")
    return alone(written(root, seeds=[0]), root / "out")


def test_a_killed_workers_run_is_taken_over_and_nothing_differs(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]], single: dict[str, dict[str, Any]]
) -> None:
    file = written(tmp_path, seeds=[0])
    processes.append(begin("SIGKILL", 7, "compare", file, "--out", tmp_path / "shared", "--join"))
    assert processes[0].wait(timeout=200) == -signal.SIGKILL
    left = tmp_path / "shared" / "runs" / "goal" / "fixed" / "seed-0000"
    trained = len(read_trajectory(left).scored)
    assert trained >= 2, "it was killed in the middle of a run"
    found = alone(file, tmp_path / "shared")
    assert any(event.kind == "resumed" for event in read_events(left)), "its run was gone on with, not made again"
    assert found == single


@pytest.mark.slow
def test_two_workers_share_a_study_and_one_is_killed(tmp_path: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    limit = {"metric": "ssim_y", "at_least": -0.5, "relative_to": "fixed"}
    base = {"goal": {"targets": [{"metric": "psnr_y"}], "constraints": [limit]}}
    file = written(tmp_path, base, seeds=[0, 1, 2], tuned={"full": {"low": {"gan": 0.02}}})
    together = ["compare", file, "--out", tmp_path / "shared", "--join"]
    processes.append(begin("SIGKILL", 24, *together))
    processes.append(begin("SIGKILL", 10**9, *together))
    assert processes[0].wait(timeout=280) == -signal.SIGKILL
    assert processes[1].wait(timeout=280) == 0
    shared = results(tmp_path / "shared")
    assert len(shared) == 9
    assert shared == alone(file, tmp_path / "single")


def test_a_worker_that_is_stopped_says_how_to_go_on(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]], single: dict[str, dict[str, Any]]
) -> None:
    file = written(tmp_path, seeds=[0])
    out = tmp_path / "out"
    processes.append(begin("SIGINT", 7, "compare", file, "--out", out, "--join"))
    assert processes[0].wait(timeout=200) == 3
    assert read_outcomes(out) == ()
    assert is_run(out / "runs/goal/fixed/seed-0000")
    stopped = command("compare", file, "--out", out, "--join", "--limit", 0)
    assert stopped.status == 3
    assert f"Go on with: lossagent compare {file} --out {out}" in stopped.err
    assert alone(file, out) == single


def test_the_command_runs_workers_and_tells_of_every_run(tmp_path: Path) -> None:
    file = written(tmp_path, seeds=[0])
    out = tmp_path / "out"
    ended = command("compare", file, "training.stages=1", "--out", out, "--workers", 2)
    assert ended.status == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0] == "2 runs, 2 to do, 2 at a time."
    assert sorted(line.split(":")[0] for line in lines[1:3]) == ["fixed goal seed 0", "random goal seed 0"]
    assert "psnr_y" in lines[1]
    assert "none left" in lines[2]
    assert lines[-1] == f"Page: {out / 'page.html'}"
    again = command("compare", file, "training.stages=1", "--out", out)
    assert again.out.splitlines()[0] == "2 runs, 0 to do, 1 at a time."
    other = command("compare", file, "training.stages=3", "--out", out)
    assert other.status == 2
    assert "base.training.stages was 1 and is 3" in other.err


def until(wanted: Callable[[], bool], seconds: float = 200.0) -> bool:
    over = time.monotonic() + seconds
    while not wanted():
        if time.monotonic() > over:
            return False
        time.sleep(0.02)
    return True


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


def worker_of(out: Path) -> int:
    """Process id of the newest worker of a study."""
    leases = sorted((out / "workers").glob("*.lease"), key=lambda p: p.stat().st_mtime)
    return int(leases[-1].stem.rsplit("-", 2)[1])


@pytest.mark.slow
def test_ctrl_c_stops_the_workers_at_a_safe_point(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]], single: dict[str, dict[str, Any]]
) -> None:
    file, out = written(tmp_path, seeds=[0]), tmp_path / "out"
    processes.append(begin("SIGINT", 10**9, "compare", file, "--out", out, "--workers", 1))
    assert until(lambda: is_run(out / "runs/goal/fixed/seed-0000"))
    worker = worker_of(out)
    processes[0].send_signal(signal.SIGINT)
    assert processes[0].wait(timeout=200) == 3
    assert not alive(worker)
    assert alone(file, out) == single


@pytest.mark.slow
def test_workers_that_are_killed_are_replaced_and_end_with_their_leader(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]], single: dict[str, dict[str, Any]]
) -> None:
    file, out = written(tmp_path, seeds=[0]), tmp_path / "out"
    processes.append(begin("SIGINT", 10**9, "compare", file, "--out", out, "--workers", 1))
    assert until(lambda: is_run(out / "runs/goal/fixed/seed-0000"))
    first = worker_of(out)
    os.kill(first, signal.SIGKILL)
    assert until(lambda: worker_of(out) != first)
    assert until(lambda: (out / "runs/goal/random/seed-0000/events.jsonl").exists())
    second = worker_of(out)
    processes[0].kill()
    assert until(lambda: not alive(second), 60)
    assert alone(file, out) == single


@pytest.mark.slow
def test_workers_as_cluster_jobs(tmp_path: Path, single: dict[str, dict[str, Any]]) -> None:
    file, out = written(tmp_path, seeds=[0]), tmp_path / "out"
    carrier(file, out)
    words = [sys.executable, "-c", CLUSTER, *map(str, ("compare", file, "--out", out, "--join"))]
    ended = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=280, check=False)
    assert ended.stdout.splitlines()[-1:] == ["[0, 0]"], ended.stderr
    assert results(out) == single


def test_a_cluster_job_is_a_worker_and_is_submitted_again_when_its_time_is_up(tmp_path: Path) -> None:
    work = Submitted(("compare", "gone.yaml", "--join"), str(tmp_path))
    assert work.checkpoint().function == work
    with pytest.raises(Failed, match="the worker ended with status 2"):
        work()


def test_no_slurm_no_submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="no sbatch command"):
        submit(["compare"], tmp_path, 2, Resources("gpu"))


def test_some_arms_first(tmp_path: Path) -> None:
    file = written(tmp_path, seeds=[0], know_fixed=True, arms={**ARMS, "calm": ARMS["random"]})
    ended = command("compare", file, "training.stages=1", "--out", tmp_path / "out", "--join", "--only", "calm")
    assert ended.status == 0, ended.err
    assert list(results(tmp_path / "out")) == ["goal/calm/0", "goal/fixed/0"], "what calm has to know comes with it"
    assert command("compare", file, "--out", tmp_path / "out", "--only", "clam").status == 2


def test_a_failed_run_is_tried_twice_and_the_study_goes_on(tmp_path: Path) -> None:
    wild = {"agent": {"kind": "fixed"}, "training": {"learning_rate": 1e30, "max_skipped": 1}}
    file = written(tmp_path, seeds=[0], arms={"wild": wild, **ARMS})
    out = tmp_path / "out"
    ended = command("compare", file, "--out", out, "--join")
    assert ended.status == 1
    assert "1 of 3 runs failed" in ended.err
    assert "wild goal seed 0" in ended.err
    assert "tried once more" in ended.out
    assert sorted(results(out)) == ["goal/fixed/0", "goal/random/0"]
    assert command("compare", file, "--out", out, "--join").out == "", "it is not tried again unless asked to"
    assert "tried once more" in command("compare", file, "--out", out, "--join", "--again").out


def test_to_be_refused_is_no_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = written(tmp_path, seeds=[0], arms={"fixed": ARMS["fixed"]}), tmp_path / "out"
    faults: list[Exception] = [Refused("weights are missing"), OSError("no space left"), OSError("no space left")]

    def failing(self: Carrier, job: Job) -> Outcome:
        raise faults.pop(0)

    monkeypatch.setattr(Carrier, "carry_out", failing)
    first = command("compare", file, "--out", out, "--join")
    assert first.status == 1
    assert "weights are missing" in first.err
    assert "once more" not in first.out
    again = command("compare", file, "--out", out, "--join", "--again")
    assert again.status == 1
    assert again.out.count("tried once more") == 1
    assert faults == []


def test_what_cannot_work_is_refused_before_there_is_a_folder(tmp_path: Path) -> None:
    gone = {"agent": {"kind": "fixed"}, "data": {"train": str(tmp_path / "gone")}}
    ended = command("compare", written(tmp_path, arms={**ARMS, "gone": gone}), "--out", tmp_path / "out")
    assert ended.status == 2
    assert "arm 'gone' of objective 'goal': data.train" in ended.err
    asks = {"agent": {"kind": "llm"}}
    ended = command("compare", written(tmp_path, arms={**ARMS, "asks": asks}), "--out", tmp_path / "out")
    assert "arm 'asks' of objective 'goal': agent 'llm' asks a language model" in ended.err
    assert not (tmp_path / "out").exists()


def test_what_needs_a_failed_run_is_given_up(tmp_path: Path) -> None:
    wild = {"agent": {"kind": "fixed"}, "training": {"learning_rate": 1e30, "max_skipped": 1}}
    file = written(tmp_path, seeds=[0], know_fixed=True, arms={"fixed": wild, "random": ARMS["random"]})
    ended = command("compare", file, "--out", tmp_path / "out", "--join")
    assert ended.status == 1
    assert "random goal seed 0: fixed goal seed 0, which it has to know, failed." in ended.err


def test_the_same_weights_and_seed_give_the_same_states_in_every_arm(tmp_path: Path) -> None:
    weights = {"l1": 1.0, "mse": 0.5, "gan": 0.1}
    file = written(tmp_path, seeds=[3], tuned={"full": {"same": weights, "other": {**weights, "gan": 0.3}}})
    one = carrier(file, tmp_path / "out")
    runs = {arm: one.carry_out(Job(arm, "goal", 3)) for arm in ("fixed", "random", "fixed@same", "fixed@other")}
    sums = {arm: [s.report.checkpoint for s in o.states if s.report is not None] for arm, o in runs.items()}
    assert sums["fixed@same"] == sums["fixed"]
    assert timeless(runs["fixed@same"]) == timeless(runs["fixed"]) | {"arm": "fixed@same"}
    assert sums["random"][:2] == sums["fixed"][:2], "S_0 and the first stage are common to all arms"
    assert sums["fixed@other"][0] == sums["fixed"][0]
    assert sums["fixed@other"][1] != sums["fixed"][1]


def test_scores_from_the_memory_are_those_that_would_be_taken(tmp_path: Path) -> None:
    # "drift" compares with S_0's output, so the memory has to know which S_0 that was.
    file = written(tmp_path, {"guards": ["niqe", "drift"]}, seeds=[0])
    study = Study.load(file)
    jobs, folder = study.jobs, tmp_path / "memory"
    for job in jobs:
        for name in ("with", "without"):
            memory = ScoreMemory(folder) if name == "with" else None
            Session.start(study.experiment_of(job), tmp_path / name / job.key, known=Known(memory=memory)).run()
    for job in jobs:
        ran = [outcome_of(tmp_path / name / job.key, job, study.experiment_of(job)) for name in ("with", "without")]
        assert timeless(ran[0]) == timeless(ran[1])
        for picture in sorted((tmp_path / "without" / job.key / "images").rglob("*.png")):
            same = tmp_path / "with" / picture.relative_to(tmp_path / "without")
            assert same.read_bytes() == picture.read_bytes()
    kept = sorted(folder.iterdir())
    Session.start(study.experiment_of(jobs[0]), tmp_path / "third", known=Known(memory=ScoreMemory(folder))).run()
    assert sorted(folder.iterdir()) == kept, "nothing that another run had scored was scored again"


def test_limits_relative_to_the_fixed_arm_hold_run_by_run(tmp_path: Path) -> None:
    limit = {"metric": "psnr_y", "at_least": 1000.0, "relative_to": "fixed"}
    base = {"goal": {"targets": [{"metric": "psnr_y"}], "constraints": [limit]}}
    file = written(tmp_path, base, seeds=[0], tuned={"full": {"low": {"gan": 0.02}}})
    alone(file, tmp_path / "out")
    by_arm = {outcome.arm: outcome for outcome in read_outcomes(tmp_path / "out")}
    assert "none of them keeps the constraints" in by_arm["random"].rule
    assert "none of them keeps the constraints" in by_arm["fixed@low"].rule
    assert "constraints" not in by_arm["fixed"].rule


def test_a_finished_run_leaves_an_outcome_and_little_else(tmp_path: Path) -> None:
    file = written(tmp_path, seeds=[0], arms={"fixed": ARMS["fixed"]})
    alone(file, tmp_path / "out", tidy=True)
    run = tmp_path / "out" / "runs/goal/fixed/seed-0000"
    assert not (run / "checkpoints").exists()
    assert not list((run / "images").glob("state-*"))
    assert not (run / "images/test/last").exists()
    assert list((run / "images/test/selected").glob("*.png"))
    written_file = place(tmp_path / "out", "goal", "fixed", 0)
    assert str(tmp_path) not in written_file.read_text(encoding="utf-8")
    outcome = read_outcome(written_file)
    assert len(outcome.states) == 3
    assert outcome.cost.iterations == 2 * 4 + 2
    assert outcome.cost.wall_seconds >= outcome.cost.train_seconds > 0
    assert set(outcome.tests["test"]) == set(ROWS)
    assert set(outcome.selection) == {0, 1, 2}
    value = outcome.test("test", "selected", "psnr_y")
    assert value is not None
    assert all(short(v) == v for f in outcome.selection.values() for v in f.scores["psnr_y"].values() if v is not None)
    assert outcome.test("test", "selected", "fid") is None
    shutil.rmtree(tmp_path / "out" / "runs")
    assert alone(file, tmp_path / "out") == results(tmp_path / "out"), "a run with an outcome is done"
    assert not (tmp_path / "out" / "runs").exists()


def test_an_outcome_comes_back_as_it_was(tmp_path: Path) -> None:
    file = written(tmp_path, seeds=[0], arms={"fixed": ARMS["fixed"]})
    one = carrier(file, tmp_path / "out")
    outcome: Outcome = one.carry_out(one.study.jobs[0])
    assert read_outcome(write_outcome(tmp_path / "copy", outcome)) == outcome
    assert one.carry_out(one.study.jobs[0]) == outcome


def test_a_run_folder_with_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    file = written(tmp_path, seeds=[0], arms={"fixed": ARMS["fixed"]})
    one = carrier(file, tmp_path / "out")
    job = one.study.jobs[0]
    other = Study.load(file, ("training.learning_rate=0.01",)).experiment_of(job)
    Session.start(other, one.run_folder(job)).run()
    with pytest.raises(Refused, match=r"other settings: training\.learning_rate was 0\.01 and is 0\.001"):
        one.carry_out(job)


def test_images_that_change_during_a_study_are_noticed(tmp_path: Path) -> None:
    file = written(tmp_path, seeds=[0])
    one = carrier(file, tmp_path / "out")
    one.carry_out(one.study.jobs[0])
    first = next((tmp_path / "data" / "test").glob("*.png"))
    shutil.copy(next((tmp_path / "data" / "feedback").glob("*.png")), first)
    with pytest.raises(Refused, match="the images are not those that earlier runs of the study were made with"):
        one.carry_out(one.study.jobs[1])
