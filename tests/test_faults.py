"""What goes wrong while a run goes on: the language model, the disk, a wish to stop."""

from __future__ import annotations

import errno
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import fault_server as fs
from command_line import command, written
from fault_server import FaultServer
from lossagent.chat import Scripted
from lossagent.experiment import parse
from lossagent.objectives.guarded import Guarded
from lossagent.records import Exchange
from lossagent.runs import canonical, read_exchanges, read_trajectory
from lossagent.session import Session
from lossagent.training import checkpoints, pictures
from lossagent.trajectory import Trajectory
from tiny import experiment

pytestmark = pytest.mark.usefixtures("no_assets")

Data = dict[str, Any]
SECRET = "sk-secret-1234567890"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def asking(root: Path, url: str, agent: Data | None = None, chat: Data | None = None) -> Data:
    """The smallest run in which a language model behind a server is asked once, for state 2."""
    data = experiment(
        root,
        agent={"kind": "llm", "answer": "json", "retries": 1, "deadline": 0.5, "total": 1.2} | (agent or {}),
        chat={"kind": "server", "base_url": url, "model": "m", "key_env": None, "answer_mode": "none", "retries": 1}
        | (chat or {}),
    )
    del data["losses"]["gan"], data["data"]["selection"]
    data["data"]["test"] = {}
    data["bounds"] = {"trust": 4.0}
    data["training"] |= {"stages": 2, "iterations": 2, "warmup": 0, "evidence_batches": 0}
    return data


def asked(root: Path, data: Data) -> tuple[Trajectory, list[Exchange], float]:
    """Carries out a run; (trajectory, exchanges of state 2, seconds of its questions)."""
    session = Session.start(parse(data), root / "run")
    began = time.monotonic()
    session.run()
    spent = time.monotonic() - began
    trajectory = read_trajectory(root / "run")
    assert len(trajectory.scored) == 3, "the run goes on to its end"
    assert trajectory.finished is not None
    return trajectory, list(read_exchanges(root / "run", 2)), spent


def usable(l1: float = 2.0, mse: float = 0.25) -> str:
    return json.dumps({"thoughts": "less mse", "l1": l1, "mse": mse})


def said(text: str) -> fs.Act:
    return fs.answer(text)


FAULTS: dict[str, tuple[fs.Act, str]] = {
    "401": (fs.status(401, f"wrong key {SECRET}"), "401.*key"),
    "429 for long": (fs.status(429, headers={"retry-after": "30"}), "429.*30"),
    "500": (fs.status(500), "500"),
    "hang": (fs.hang, "no whole answer"),
    "dropped": (fs.drop, "connection broke"),
    "slow drip": (fs.drip, "no whole answer"),
    "slow drip of headers": (fs.drip_headers, "no whole answer"),
    "empty body": (fs.raw(b""), "answered 200, but"),
    "empty answer": (said(""), "empty"),
    "no answer": (fs.answer(None), "."),  # pyright: ignore[reportArgumentType]
    "truncated": (fs.cut, "connection broke"),
    "cut off": (fs.answer('{"thoughts": "so', finish="length"), "cut off"),
    "non-JSON body": (fs.raw(b"<html>hello</html>"), "answered 200, but"),
    "non-JSON answer": (said("I would lower the second one."), "no JSON object"),
    "extra keys": (said('{"thoughts": "x", "l1": 1, "mse": 1, "tv": 1}'), "'tv'"),
    "missing keys": (said('{"thoughts": "x", "l1": 1}'), "missing: mse"),
    "NaN": (said('{"l1": NaN, "mse": 1}'), "finite"),
    "1e999": (said('{"l1": 1e999, "mse": 1}'), "finite"),
    "negative": (said('{"l1": -1, "mse": 1}'), "finite number from 0"),
    "all zero": (said('{"l1": 0, "mse": 0}'), "above 0"),
    "1 MB": (fs.flood(1 << 20), "more than 256 KB"),
    "1 MB of undeclared length": (fs.flood(1 << 20, declared=False), "more than 256 KB"),
}


RARER = {"slow drip of headers", "dropped", "no answer", "cut off", "missing keys", "negative", "all zero"}


@pytest.mark.parametrize("fault", [pytest.param(f, marks=[pytest.mark.slow] * (f in RARER)) for f in FAULTS])
def test_a_server_in_trouble_leaves_the_weights_as_they_were(tmp_path: Path, server: FaultServer, fault: str) -> None:
    act, words = FAULTS[fault]
    server.play(act)
    trajectory, exchanges, spent = asked(tmp_path, asking(tmp_path, server.url))
    decision = trajectory.states[2].decision
    assert decision is not None
    assert "fallback" in decision.adjusted_by
    assert decision.weights == trajectory.initial
    assert decision.asked == decision.failed == len(exchanges) >= 1
    assert list(decision.exchanges) == [e.key for e in exchanges]
    for exchange in exchanges:
        assert exchange.problem is not None
        assert re.search(words, exchange.problem, re.DOTALL | re.IGNORECASE), exchange.problem
        assert exchange.messages
        assert exchange.weights is None
    assert spent < 1.2 + 4.0, "bounded by the total of a decision, beside a small run"
    recorded = "".join(p.read_text() for p in (tmp_path / "run" / "exchanges").iterdir())
    assert len(recorded) < 200_000, "a flood is not kept"


def test_nobody_listens(tmp_path: Path) -> None:
    trajectory, exchanges, _ = asked(tmp_path, asking(tmp_path, f"http://127.0.0.1:{fs.closed_port()}/v1"))
    decision = trajectory.states[2].decision
    assert decision is not None
    assert "fallback" in decision.adjusted_by
    assert decision.weights == trajectory.initial
    assert all("Is the server running?" in (e.problem or "") for e in exchanges)


def test_the_fallback_is_said_by_the_command_and_in_the_report(tmp_path: Path, server: FaultServer) -> None:
    server.play(said("no idea"))
    ran = command("run", written(asking(tmp_path, server.url), tmp_path), "--out", tmp_path / "run")
    assert ran.status == 0, ran.err
    assert "[fallback]" in ran.out
    assert "2 of 2 answers unusable" in ran.out
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "fallback" in page
    assert "no idea" in page


def test_a_key_never_reaches_the_disk(tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSAGENT_TEST_KEY", SECRET)
    server.play(fs.status(400, f"your key {SECRET} is odd"))
    data = asking(tmp_path, server.url, chat={"key_env": "LOSSAGENT_TEST_KEY"})
    ran = command("run", written(data, tmp_path), "--out", tmp_path / "run")
    assert ran.status == 0, ran.err
    assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in ran.out + ran.err
    files = [p for p in (tmp_path / "run").rglob("*") if p.is_file()]
    assert [p for p in files if SECRET.encode() in p.read_bytes()] == []


def test_an_unusable_answer_is_asked_for_again_with_the_problem_quoted(tmp_path: Path, server: FaultServer) -> None:
    server.play(said('{"l1": NaN, "mse": 1}'), said(usable()))
    trajectory, exchanges, _ = asked(tmp_path, asking(tmp_path, server.url))
    decision = trajectory.states[2].decision
    assert decision is not None
    assert decision.adjusted_by == ()
    assert (decision.asked, decision.failed) == (2, 1)
    assert decision.weights.values() == {"l1": 2.0, "mse": 0.25}
    first, second = exchanges
    assert first.problem is not None
    assert "finite" in first.problem
    assert second.problem is None
    again = server.requests[1].body["messages"]
    assert again[-2]["content"].replace(" ", "") == '{"l1":NaN,"mse":1}'
    assert "Numbers must be finite" in again[-1]["content"]


@pytest.mark.parametrize("trouble", [fs.status(429, headers={"retry-after": "0"}), fs.status(503), fs.drop])
def test_passing_trouble_passes(tmp_path: Path, server: FaultServer, trouble: fs.Act) -> None:
    server.play(trouble, said(usable()))
    trajectory, exchanges, _ = asked(tmp_path, asking(tmp_path, server.url, {"deadline": 1.5}))
    assert trajectory.states[2].weights is not None
    assert trajectory.states[2].weights.values() == {"l1": 2.0, "mse": 0.25}
    assert [e.problem for e in exchanges] == [None]


def test_foreign_keys_around_an_answer_do_no_harm(tmp_path: Path, server: FaultServer) -> None:
    server.play(fs.answer(usable(), reasoning={"a": [1]}, usage={"prompt_tokens": 1, "completion_tokens": 2, "x": 3}))
    trajectory, exchanges, _ = asked(tmp_path, asking(tmp_path, server.url))
    assert trajectory.states[2].weights is not None
    assert trajectory.states[2].weights["mse"] == 0.25
    assert (exchanges[0].prompt_tokens, exchanges[0].completion_tokens) == (1, 2)


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("pattern", "Weights: l1:mse=1.5:0.25\nThoughts: less of the second", {"l1": 1.5, "mse": 0.25}),
        ("json", usable(1.5, 0.25), {"l1": 1.5, "mse": 0.25}),
        ("moves", '{"thoughts": "up", "mse": "raise"}', {"l1": 1.0, "mse": 1.0}),
        ("pattern", "Weights: l1:mse=1:9\nThoughts: far beyond the trust region", {"l1": 1.0, "mse": 2.0}),
    ],
)
def test_a_good_server_steers_a_run(
    tmp_path: Path, server: FaultServer, form: str, text: str, expected: dict[str, float]
) -> None:
    server.play(said(text))
    trajectory, exchanges, _ = asked(tmp_path, asking(tmp_path, server.url, {"answer": form}))
    decision = trajectory.states[2].decision
    assert decision is not None
    assert decision.weights.values() == pytest.approx(expected)
    assert decision.failed == 0
    assert exchanges[0].raw == text
    assert exchanges[0].prompt_tokens == 7
    assert decision.adjusted_by == (("bounds",) if "beyond" in text else ())


def test_each_feedback_image_is_asked_about_and_failures_are_left_out(tmp_path: Path, server: FaultServer) -> None:
    server.play(said(usable(2.0, 0.25)), said("no"), said("still no"))
    data = asking(tmp_path, server.url, {"query": "per_image", "total": 5.0})
    trajectory, exchanges, _ = asked(tmp_path, data)
    decision = trajectory.states[2].decision
    assert decision is not None
    assert (decision.asked, decision.failed) == (3, 2)
    assert {e.image for e in exchanges} == {"p1-0", "p1-1"}
    assert decision.weights.values() == {"l1": 2.0, "mse": 0.25}
    assert "fallback" not in decision.adjusted_by


# -- the disk ---------------------------------------------------------------------------------------------


def record(folder: Path) -> object:
    """All of a trajectory that may not depend on interruptions."""
    trajectory = read_trajectory(folder)
    assert trajectory.finished is not None
    return [canonical(state) for state in trajectory.states], trajectory.finished.selected


def scripted(root: Path) -> Data:
    replies = [f"Weights: l1:mse:gan=1.0:{m}:0.1\nThoughts: go" for m in (0.3, 0.6)]
    return experiment(
        root,
        agent={"kind": "llm", "rollback": True, "answer": "pattern", "retries": 1},
        chat={"kind": "scripted", "replies": replies},
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an experiment file and an undisturbed run called "whole"."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("faults")
        patch.setenv("LOSSAGENT_HOME", str(root / "home"))
        assert command("run", written(scripted(root), root), "--out", root / "whole").status == 0
    return root


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def full_at(name: str, inner: Callable[..., None], place: int) -> Callable[..., None]:
    """A writer that finds the disk full as soon as a path of that name is to be written."""

    def write(*arguments: Any, **options: Any) -> None:
        if name in str(arguments[place]):
            full()
        inner(*arguments, **options)

    return write


def test_a_full_disk_ends_the_run_with_the_last_good_checkpoint(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = whole / "full"
    with monkeypatch.context() as patch:
        inner = checkpoints.save_file

        def write(tensors: dict[str, torch.Tensor], path: Path) -> None:
            if "state-0002" in str(path) and "ema" in path.name:
                path.write_bytes(b"half a file")
                full()
            inner(tensors, path)

        patch.setattr(checkpoints, "save_file", write)
        failed = command("run", whole / "experiment.yaml", "--out", folder)
    assert failed.status == 1
    assert failed.err.startswith("Failed: ")
    assert "the disk is full" in failed.err
    assert f"lossagent resume {folder}" in failed.err
    assert "Traceback" not in failed.err
    assert sorted(p.name for p in (folder / "checkpoints").glob("state-*")) == ["state-0000", "state-0001"]
    checkpoints.verify(folder / "checkpoints" / "state-0001")
    assert read_trajectory(folder).last.report is None
    resumed = command("resume", folder)
    assert resumed.status == 0, resumed.err
    assert record(folder) == record(whole / "whole")


def test_a_disk_that_fills_up_inside_a_stage_loses_nothing_either(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = whole / "full-inside"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_file", full_at("partial", checkpoints.save_file, 1))
        failed = command("run", whole / "experiment.yaml", "--out", folder)
    assert failed.status == 1
    assert "the disk is full" in failed.err
    assert command("resume", folder).status == 0
    assert record(folder) == record(whole / "whole")


def test_a_disk_that_fills_up_while_images_are_written(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = whole / "full-images"
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "write_images", full_at("state-0002", pictures.write_images, 1))
        failed = command("run", whole / "experiment.yaml", "--out", folder)
    assert failed.status == 1
    assert "No space left" in failed.err or "disk is full" in failed.err
    assert f"lossagent resume {folder}" in failed.err
    assert command("resume", folder).status == 0
    assert record(folder) == record(whole / "whole")


def test_a_disk_that_fills_up_while_an_event_is_written(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lossagent import runs

    folder = whole / "full-events"
    calls = iter(range(10_000))
    inner = runs.append_line

    def write(path: Path, line: str) -> None:
        if path.name == "events.jsonl" and next(calls) == 5:
            with path.open("a", encoding="utf-8") as file:
                file.write(line[: len(line) // 2])
            full()
        inner(path, line)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "append_line", write)
        failed = command("run", whole / "experiment.yaml", "--out", folder)
    assert failed.status == 1
    assert "No space left" in failed.err or "disk is full" in failed.err
    assert f"lossagent resume {folder}" in failed.err
    assert command("resume", folder).status == 0
    assert record(folder) == record(whole / "whole")


# -- a wish to stop ---------------------------------------------------------------------------------------


def interrupting(inner: Callable[..., Any], after: int) -> Callable[..., Any]:
    """A function in which Ctrl-C is pressed at a later call."""
    calls = iter(range(10_000))

    def wrapped(*arguments: Any, **options: Any) -> Any:
        if next(calls) == after:
            raise KeyboardInterrupt
        return inner(*arguments, **options)

    return wrapped


@pytest.mark.parametrize(
    ("moment", "owner", "name", "after"),
    [("scoring", Guarded, "answer", 4), ("question", Scripted, "complete", 1)],
)
def test_ctrl_c_outside_training_stops_at_once_and_can_be_resumed(
    whole: Path, monkeypatch: pytest.MonkeyPatch, moment: str, owner: type, name: str, after: int
) -> None:
    folder = whole / f"stopped-{moment}"
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupting(getattr(owner, name), after))
        stopped = command("run", whole / "experiment.yaml", "--out", folder)
    assert stopped.status == 3
    assert stopped.err.startswith("Interrupted")
    assert f"lossagent resume {folder}" in stopped.err
    assert "Traceback" not in stopped.err
    assert read_trajectory(folder).finished is None
    resumed = command("resume", folder)
    assert resumed.status == 0, resumed.err
    assert record(folder) == record(whole / "whole")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_finishes_the_step_saves_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    data = scripted(tmp_path)
    data["training"] |= {"stages": 2, "iterations": 60, "log_every": 1, "partial_every": 1000}
    file, folder = written(data, tmp_path), tmp_path / "run"
    assert command("run", file, "--out", tmp_path / "whole").status == 0
    process = subprocess.Popen(
        [sys.executable, "-c", "from lossagent.cli import main; main()", "run", str(file), "--out", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    log = folder / "losses.jsonl"
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        if log.exists() and '"state": 1,' in log.read_text():
            break
        time.sleep(0.005)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, (out, err)
    assert err.startswith("Interrupted")
    assert f"lossagent resume {folder}" in err
    where = re.search(r"stopped (after iteration \d+ of 60|at the end) of state-0001; saved", err)
    assert where, err
    checkpoints.verify(folder / "checkpoints" / ("partial" if where[1].startswith("after") else "state-0001"))
    resumed = command("resume", folder)
    assert resumed.status == 0, resumed.err
    assert record(folder) == record(tmp_path / "whole")
