"""Steering: somebody else's loop, durability, rewinding."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lossagent.agents.base import Recall, View
from lossagent.errors import Refused, RunBusy
from lossagent.events import Rewound, Warned
from lossagent.goal import Goal, Target
from lossagent.records import Decision, Exchange
from lossagent.runs import MemoryLog, RunFolder, canonical, read_events, read_trajectory
from lossagent.steering import Steering
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights

GOAL = Goal(targets=(Target(metric="niqe", direction="lower", unit=0.1),))
INITIAL = Weights.of({"l1": 1.0, "gan": 0.1})


@dataclass(frozen=True)
class Doubling:
    """Doubles the weight of gan; asks one question a decision."""

    name: str = "doubling"
    needs_restart: bool = False
    needs_utility: bool = False
    restart: Callable[[View], int] | None = None

    def decide(self, view: View, recall: Recall) -> Decision:
        exchange = recall("pooled/0", lambda: Exchange(key="pooled/0", author="test", raw=str(view.next_id)))
        start = self.restart(view) if self.restart else view.head.id
        base = view.trajectory.weights_at(min(start, view.head.id))
        weights = Weights.of({"l1": 1.0, "gan": base["gan"] * 2})
        return Decision(
            author=self.name, proposed=weights, weights=weights, restart_from=start, exchanges=(exchange.key,), asked=1
        )


def scores(value: float) -> dict[str, dict[str, float | None]]:
    return {"niqe": {"a": value, "b": value + 1}}


def steering(log: MemoryLog | RunFolder, agent: Doubling | None = None, **changes: object) -> Steering:
    return Steering(
        agent=agent or Doubling(),
        goal=GOAL,
        initial=INITIAL,
        stages=4,
        log=log,
        can_restart=bool(changes.get("can_restart", False)),
        bounds=Bounds.none(),
    )


def test_first_stage_runs_under_the_initial_weights_and_later_ones_under_the_answers() -> None:
    steer = steering(MemoryLog())
    steer.tell(0, scores=scores(7.0))
    seen = []
    while stage := steer.ask():
        assert stage.weights is not None
        seen.append(stage.weights["gan"])
        steer.tell(stage.state, scores=scores(7.0 - stage.state))
    assert seen == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert [s.feedback.mean("niqe") for s in steer.trajectory.scored if s.feedback] == [7.5, 6.5, 5.5, 4.5, 3.5]


def test_asking_twice_gives_the_same_stage_and_decides_once() -> None:
    steer = steering(MemoryLog())
    steer.tell(0, scores=scores(7.0))
    assert steer.ask() == steer.ask()
    assert len(steer.trajectory.states) == 2


def test_ask_before_the_start_is_told_is_refused() -> None:
    with pytest.raises(Refused, match=r"tell\(0"):
        steering(MemoryLog()).ask()


def test_a_second_tell_returns_the_first_record_and_logs_the_difference() -> None:
    log = MemoryLog()
    steer = steering(log)
    first = steer.tell(0, scores=scores(7.0))
    assert steer.tell(0, scores=scores(7.0)) == first
    before = len(log.events)
    assert steer.tell(0, scores=scores(6.0)) == first
    assert len(log.events) == before + 1
    assert "6.5" in log.events[-1].model_dump_json()


def test_being_behind_is_a_recorded_rewind_over_the_same_weights(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run", {}, {}) as folder:
        steer = steering(folder)
        steer.tell(0, scores=scores(7.0))
        for _ in range(3):
            stage = steer.ask()
            assert stage is not None
            steer.tell(stage.state, scores=scores(5.0))
        # The loop lost its checkpoint of states 2 and 3 and comes back with 1.
        again = steer.ask(at=1)
        assert again is not None
        assert (again.state, again.weights) == (2, steer.trajectory.states[2].weights)
        assert any(isinstance(e, Rewound) for e in folder.events)
        steer.tell(2, scores=scores(5.0))
        third = steer.ask(at=2)
        assert third is not None
        assert third.state == 3
        steer.tell(3, scores=scores(5.0))
        last = steer.ask(at=3)
        assert last is not None
        assert last.state == 4
        steer.tell(4, scores=scores(5.0))
        assert steer.ask(at=4) is None


def test_an_agent_that_restarts_is_refused_where_the_trainer_cannot() -> None:
    with pytest.raises(Refused, match="can_restart"):
        steering(MemoryLog(), Doubling(needs_restart=True))


def test_a_wish_has_no_utility() -> None:
    with pytest.raises(Refused, match="proxy metric"):
        Steering(agent=Doubling(needs_utility=True), goal=Goal(wish="no plastic skin"), initial=INITIAL, stages=2)


def test_a_restart_from_an_unknown_state_is_refused() -> None:
    steer = steering(MemoryLog(), Doubling(restart=lambda view: 99, needs_restart=True), can_restart=True)
    steer.tell(0, scores=scores(7.0))
    stage = steer.ask()
    assert stage is not None
    steer.tell(stage.state, scores=scores(6.0))
    with pytest.raises(Refused, match="cannot be restored"):
        steer.ask()


def test_a_repeated_sibling_goes_on_from_the_state_that_is_there() -> None:
    steer = steering(
        MemoryLog(), Doubling(restart=lambda view: min(1, view.head.id), needs_restart=True), can_restart=True
    )
    steer.tell(0, scores=scores(7.0))
    parents = []
    while stage := steer.ask():
        parents.append(stage.parent)
        steer.tell(stage.state, scores=scores(6.0))
    assert parents[:3] == [0, 1, 2]
    decided = steer.trajectory.states[3].decision
    assert decided is not None
    assert "repeated" in decided.adjusted_by


def test_the_trajectory_is_a_fold_of_the_log(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run", {"name": "x"}, {}) as folder:
        steer = steering(folder)
        steer.tell(0, scores=scores(7.0))
        stage = steer.ask()
        assert stage is not None
        assert Trajectory.fold(folder.events) == steer.trajectory == read_trajectory(folder.path)
        assert len(folder.exchanges(1)) == 0
        steer.tell(1, scores=scores(6.0))
        steer.ask()
        assert list(folder.exchanges(2)) == ["pooled/0"]


def test_a_torn_last_line_is_dropped_and_said(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with RunFolder.create(path, {}, {}) as folder:
        steering(folder).tell(0, scores=scores(7.0))
        kept = len(folder.events)
    with (path / "events.jsonl").open("a") as file:
        file.write('{"kind":"decided","state":1,"deci')
    with RunFolder.open(path) as folder:
        assert len(folder.events) == kept + 1
        assert isinstance(folder.events[-1], Warned)
    assert len(read_events(path)) == kept + 1


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run", {}, {}), pytest.raises(RunBusy, match="another process"):
        RunFolder.open(tmp_path / "run")


def test_a_folder_that_exists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").write_text("x")
    with pytest.raises(Refused, match="exists already"):
        RunFolder.create(tmp_path / "run", {}, {})


def test_an_answered_question_is_not_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "run"
    asked = []

    @dataclass(frozen=True)
    class Fragile:
        name: str = "fragile"
        needs_restart: bool = False
        needs_utility: bool = False

        def decide(self, view: View, recall: Recall) -> Decision:
            def make() -> Exchange:
                asked.append(view.next_id)
                return Exchange(key="pooled/0", author="test", raw="0.5")

            answer = recall("pooled/0", make)
            if len(asked) == 1 and not (path / "second").exists():
                (path / "second").touch()
                raise KeyboardInterrupt  # killed between the answer and the decision
            weights = Weights.of({"l1": 1.0, "gan": float(answer.raw or "nan")})
            return Decision(author=self.name, proposed=weights, weights=weights, restart_from=view.head.id)

    def start(folder: RunFolder) -> Steering:
        return Steering(agent=Fragile(), goal=GOAL, initial=INITIAL, stages=3, log=folder, bounds=Bounds.none())

    with RunFolder.create(path, {}, {}) as folder:
        steer = start(folder)
        steer.tell(0, scores=scores(7.0))
        steer.ask()
        steer.tell(1, scores=scores(6.0))
        with pytest.raises(KeyboardInterrupt):
            steer.ask()
    with RunFolder.open(path) as folder:
        stage = start(folder).ask()
        assert stage is not None
        assert stage.weights == Weights.of({"l1": 1.0, "gan": 0.5})
    assert asked == [2]


LOOP = """
import json, os, signal, sys
from pathlib import Path
import torch
from lossagent import Bounds, Goal, Steering, Target, Weights
from lossagent.agents import Random
from lossagent.runs import RunFolder

run, own, kill_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
folder = RunFolder.at(run)
steering = Steering(agent=Random(), goal=Goal(targets=(Target(metric="error", direction="lower", unit=0.01),)),
                    initial=Weights.of({"l1": 1.0, "l2": 0.1}), stages=5, log=folder)
# ---- somebody else's training loop ----
torch.manual_seed(0)
x, y = torch.randn(64, 4), torch.randn(64, 1)
net = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
at = 0
if own.exists():
    saved = torch.load(own, weights_only=True)
    net.load_state_dict(saved["net"]); at = saved["at"]
score = lambda: {"error": {"all": float((net(x) - y).abs().mean())}}
if at == 0:
    steering.tell(0, scores=score())
while stage := steering.ask(at=at):
    if stage.state == kill_at: os.kill(os.getpid(), signal.SIGKILL)
    w = stage.weights.values()
    for _ in range(20):
        d = net(x) - y
        loss = w["l1"] * d.abs().mean() + w["l2"] * d.square().mean()
        optimizer.zero_grad(); loss.backward(); optimizer.step()
    at = stage.state
    torch.save({"net": net.state_dict(), "at": at}, own)
    steering.tell(at, scores=score())
print(json.dumps([w.tolist() for w in net.parameters()]))
"""


def test_a_plain_loop_killed_between_ask_and_tell_ends_where_it_would_have(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(textwrap.dedent(LOOP))

    def run(name: str, kill_at: int) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            str(tmp_path / "loop.py"),
            str(tmp_path / name),
            str(tmp_path / f"{name}.pt"),
            str(kill_at),
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    whole = run("whole", -1)
    assert whole.returncode == 0, whole.stderr
    killed = run("killed", 3)
    assert killed.returncode == -9
    resumed = run("killed", -1)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == whole.stdout
    first = [canonical(s) for s in read_trajectory(tmp_path / "whole").states]
    second = [canonical(s) for s in read_trajectory(tmp_path / "killed").states]
    assert first == second
