"""``lossagent steer``: one call a stage, for trainers of any language."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest

import lossagent.runs
from command_line import command
from lossagent.commands.steer import shell_lines
from lossagent.errors import Refused
from lossagent.letters import GoOn, Pause, Rating, StopRun
from lossagent.loops import read_settings, steer
from lossagent.mailbox import post
from lossagent.runs import canonical, read_events, read_trajectory
from tiny import pictures

MISS = "{score: elsewhere, goal: {targets: [{metric: miss, direction: lower, unit: 0.01}]}}"
OPENING = ("--losses", "near=1,far=0.1", "--config", MISS, "--agent", "random", "--stages", 3)


class Trainer:
    """A trainer in another language, as far as the command sees it."""

    def __init__(self, root: Path) -> None:
        self.root, self.run = root, root / "run"

    def call(self, *arguments: object):
        return command("steer", "--folder", self.run, *arguments)

    def answer(self, *arguments: object):
        """What a call answers; nothing else is on the standard output."""
        found = self.call(*arguments)
        assert found.status == 0, found.err
        return json.loads(found.out)

    def scores(self, miss: object, name: str = "scores.json") -> Path:
        (self.root / name).write_text(json.dumps({"miss": miss}))
        return self.root / name


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return Trainer(tmp_path)


@pytest.fixture(scope="module")
def restored(tmp_path_factory) -> list[Path]:
    root = tmp_path_factory.mktemp("restored")
    return [pictures(root / str(seed), 2, seed=seed) for seed in range(3)]


def named_alike(folders: list[Path], root: Path) -> Path:
    """A folder whose images are of one state after the other."""
    place = root / "out"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for number, file in enumerate(sorted(folders[0].iterdir())):
        shutil.copy(file, place / f"{number}.png")
    return place


def test_images_of_each_state_are_answered_with_the_next_weights(trainer, restored):
    opening = ("--losses", "l1=1,gan=0.01", "--metric", "niqe", "--agent", "random", "--stages", 2)
    first = trainer.answer(*opening, "--images", named_alike(restored, trainer.root))
    assert first == {
        "done": False, "state": 1, "stage": 1, "of": 2, "start_from": 0, "weights": {"l1": 1.0, "gan": 0.01}
    }  # fmt: skip
    place = named_alike(restored[1:], trainer.root)
    second = trainer.answer("--images", place, "--raw", "l1=0.03,gan=0.7", "--iterations", 50)
    assert (second["state"], second["start_from"]) == (2, 1)
    assert second["weights"] != first["weights"]
    last = trainer.answer("--state", 2, "--images", named_alike(restored[2:], trainer.root))
    states = read_trajectory(trainer.run).states
    assert states[1].report.losses == {"l1": 0.03, "gan": 0.7}
    assert states[1].report.iterations == 50
    best = min((1, 2, 0), key=lambda i: states[i].feedback.mean("niqe"))
    assert last == {"done": True, "state": 2, "of": 2, "best": best}
    assert sorted(p.name for p in (trainer.run / "images").iterdir()) == ["state-0000", "state-0001", "state-0002"]


def test_a_call_that_is_repeated_changes_nothing(trainer):
    opening = (*OPENING, "--state", 0, "--scores", trainer.scores(1.0))
    first = trainer.answer(*opening)
    assert trainer.answer(*opening) == first
    assert trainer.answer() == first
    assert trainer.answer("--state", 0) == first
    tell = ("--state", 1, "--scores", trainer.scores(0.5))
    second = trainer.answer(*tell)
    again = trainer.call(*tell)
    assert json.loads(again.out) == second
    assert "told before" in again.err
    assert [s.id for s in read_trajectory(trainer.run).scored] == [0, 1]
    assert "resumed" not in {event.kind for event in read_events(trainer.run)}


def test_a_repeated_call_that_names_no_state_is_refused_and_not_taken_for_the_next_stage(trainer, restored):
    trainer.answer(*OPENING, "--scores", trainer.scores({"b": 1.0, "a": 2.0}))
    repeated = trainer.call(*OPENING, "--scores", trainer.scores({"a": 2.0, "b": 1.0}))
    assert repeated.status == 2
    assert "add --state 0; if they are of state 1, add --state 1" in repeated.err
    assert [s.id for s in read_trajectory(trainer.run).scored] == [0]
    trainer.answer("--state", 1, "--scores", trainer.scores({"b": 1.0, "a": 2.0}))
    pictured = Trainer(trainer.root / "other")
    (trainer.root / "other").mkdir()
    place = named_alike(restored, pictured.root)
    pictured.answer("--losses", "l1=1,gan=0.1", "--metric", "niqe", "--agent", "random", "--images", place)
    assert "exactly these images" in pictured.call("--images", place).err


def test_scores_come_from_a_file_or_the_standard_input(trainer, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO('{"miss": {"a": 1.0, "b": null}}'))
    trainer.answer(*OPENING, "--scores", "-")
    assert read_trajectory(trainer.run).start.feedback.scores == {"miss": {"a": 1.0, "b": None}}


def test_asking_before_the_start_is_told_answers_state_0(trainer):
    pending = trainer.answer(*OPENING)
    assert pending["state"] == pending["stage"] == 0
    assert pending["start_from"] is None
    assert trainer.answer("--state", 0, "--scores", trainer.scores(1.0))["state"] == 1


def test_training_that_lost_states_goes_back_under_the_same_weights(trainer):
    trainer.answer(*OPENING, "--scores", trainer.scores(1.0))
    answers = [trainer.answer("--state", state, "--scores", trainer.scores(1.0 / (1 + state))) for state in (1, 2)]
    assert trainer.answer("--state", 1) == answers[0]
    assert trainer.answer("--scores", trainer.scores(1 / 3))["state"] == 3
    assert trainer.call("--state", 7).status == 2
    assert trainer.answer("--state", 3, "--scores", trainer.scores(0.1))["best"] == 3


def test_a_trainer_that_keeps_its_states_may_be_sent_back(trainer):
    guarded = ("--can-restart", "--agent", "{kind: random, rollback: true}")
    answer = trainer.answer(*OPENING[:4], *guarded, "--stages", 3, "--scores", trainer.scores(1.0))
    sent = []
    while not answer["done"]:
        sent.append(answer["start_from"])
        answer = trainer.answer("--state", answer["state"], "--scores", trainer.scores(1.0 + len(sent)))
    assert sent == [0, 0, 0]
    assert answer["best"] == 0


def killed_after(events: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the process end after so many events were recorded."""
    write, left = lossagent.runs.append_line, iter(range(events))

    def append(path: Path, line: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(path, line)

    monkeypatch.setattr(lossagent.runs, "append_line", append)


@pytest.mark.parametrize("events", [1, 2])
def test_no_step_is_lost_or_doubled_wherever_a_call_is_killed(tmp_path, events):
    def driven(trainer: Trainer) -> list[object]:
        """A script that starts from the top whenever a call fails."""
        for _ in range(60):
            found = trainer.call(*OPENING)
            while found.status == 0 and not (answer := json.loads(found.out))["done"]:
                state = answer["state"]
                with pytest.MonkeyPatch.context() as patched:
                    if trainer.root.name == "cut":
                        killed_after(events, patched)
                    found = trainer.call("--state", state, "--scores", trainer.scores(1.0 / (1 + state)))
            if found.status == 0:
                return [canonical(state) for state in read_trajectory(trainer.run).states]
        raise AssertionError("it never came to an end")

    (tmp_path / "cut").mkdir()
    (tmp_path / "whole").mkdir()
    assert driven(Trainer(tmp_path / "cut")) == driven(Trainer(tmp_path / "whole"))


def test_people_hold_and_stop_it_and_the_exit_status_says_so(trainer, restored):
    people = "{people: {ask: rating}, goal: {targets: [{metric: rating}]}}"
    place = named_alike(restored, trainer.root)
    tell = ("--losses", "l1=1,gan=0.1", "--config", people, "--agent", "random", "--state", 0, "--images", place)
    waiting = trainer.call(*tell)
    assert (waiting.status, waiting.out) == (4, "")
    assert "2 answers of people" in waiting.err
    for task in read_trajectory(trainer.run).panel.open:
        post(trainer.run, Rating(task=task.id, rater="Ann", rating=3))
    post(trainer.run, Pause(author="Ann"))
    assert trainer.call(*tell).status == 4
    post(trainer.run, GoOn(author="Ann"))
    post(trainer.run, StopRun(author="Ann"))
    stopped = trainer.call()
    assert stopped.status == 3
    assert "Ann stopped the run" in stopped.err
    assert trainer.answer()["state"] == 1


def test_a_shell_reads_the_answer(trainer):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    opening = ("--losses", "l1=1,fft-loss=0.5,1x=0", *OPENING[2:])
    lines = trainer.call(*opening, "--scores", trainer.scores(1.0), "--format", "shell").out
    script = 'eval "$1"; echo "$done $state $stage $of $start_from [$best] $weights $weight_fft_loss $weight_1x"'
    said = subprocess.run([bash, "-euc", script, "sh", lines], capture_output=True, text=True, check=True)
    assert said.stdout == "false 1 1 3 0 [] l1=1.0,fft-loss=0.5,1x=0.0 0.5 0.0\n"
    assert shell_lines({"done": True, "state": 3, "of": 3, "best": 2})[0] == "done=true"
    with pytest.raises(Refused, match="--format json"):
        shell_lines({"weights": {"a-b": 1.0, "a_b": 1.0}})


def test_a_run_that_was_begun_in_python_goes_on(trainer):
    goal = {"targets": [{"metric": "miss", "direction": "lower", "unit": 0.01}]}
    with steer(trainer.run, {"near": 1.0, "far": 0.1}, goal=goal, score="elsewhere", agent="random") as steering:
        steering.tell(0, scores={"miss": 1.0})
    assert trainer.answer()["state"] == 1
    assert read_settings(trainer.run).by_calls is False


def test_what_a_metric_prints_does_not_spoil_the_answer(trainer, restored):
    (trainer.root / "loud.py").write_text("def loud(image):\n    print('loud')\n    return float(image.mean())\n")
    loud = {
        "kind": "python",
        "file": str(trainer.root / "loud.py"),
        "function": "loud",
        "direction": "lower",
        "unit": 1,
    }
    own = json.dumps({"metrics": {"loud": loud}})
    place = named_alike(restored, trainer.root)
    answer = trainer.answer(
        "--losses", "a=1,b=1", "--metric", "loud", "--config", own, "--agent", "random", "--images", place
    )
    assert answer["state"] == 1
    assert read_trajectory(trainer.run).start.feedback.mean("loud") > 0


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--losses", "l1"), "--losses must be NAME=NUMBER"),
        (("--losses", "l1=1,l1=2"), "names 'l1' twice"),
        (("--losses", "l1=one"), "found 'l1=one'"),
        (("--losses", "l1=-1", "--metric", "niqe"), "losses.l1.weight"),
        (("--losses", "l1=1"), "exactly one of metric and goal"),
        (("--metric", "niqe"), "no run yet"),
        ((), "no run yet"),
        (("--losses", "l1=1", "--metric", "niqo"), "Did you mean 'niqe'"),
        (("--losses", "l1=1", "--metric", "niqe", "--config", "{goal: {}}"), "give one of them"),
        (("--losses", "l1=1", "--metric", "niqe", "--config", "nowhere.yaml"), "--config must be a file of settings"),
        (("--losses", "l1=1", "--metric", "niqe", "--config", "{guard: [psnr]}"), "Did you mean 'guards'"),
        (("--losses", "l1=1", "--metric", "niqe", "--agent", "clim"), "agent: kind must be one of"),
        (("--losses", "l1=1", "--metric", "niqe", "--images", "nowhere"), "is no folder"),
        (("--losses", "l1=1", "--metric", "niqe", "--scores", "nowhere.json"), "cannot be read"),
        (("--images", "here", "--scores", "-"), "give one of them"),
        (("--raw", "l1=1"), "go with --images or --scores"),
        (("--losses", "l1=1", "--metric", "psnr_y"), "references"),
        (("--losses", "l1=1", "--metric", "niqe", "--state", 3), "holds no run yet, and state 0"),
        (("--losses", "a-b=1,a_b=1", "--metric", "niqe", "--format", "shell"), "not told apart"),
        (("--losses", "l1=1", "--metric", "niqe", "--images", "HERE", "--raw", "l2=1"), "loss of --raw 'l2'"),
        (("--losses", "l1=1", "--metric", "niqe", "--agent", "{kind: climb, rollback: true}"), "can_restart"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(trainer, restored, arguments, what):
    found = trainer.call(*(restored[0] if one == "HERE" else one for one in arguments))
    assert found.status == 2, found.err
    assert what in found.err
    assert found.out == ""
    assert not trainer.run.exists()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[1]", "must be metric -> score"),
        ("{}", "must be metric -> score"),
        ("{", "is no JSON"),
        ('{"miss": "low"}', "found 'low'"),
        ('{"miss": {"a": [1]}}', "found [1]"),
        ('{"miss": {}}', "has no scores"),
        ('{"other": 1}', "'miss'"),
    ],
)
def test_scores_that_are_none_are_refused(trainer, text, what):
    trainer.answer(*OPENING)
    (trainer.root / "bad.json").write_text(text)
    found = trainer.call("--scores", trainer.root / "bad.json")
    assert (found.status, found.out) == (2, "")
    assert what in found.err


def test_settings_may_be_said_again_but_not_changed(trainer):
    trainer.answer(*OPENING, "--scores", trainer.scores(1.0))
    changed = trainer.call("--stages", 4, "--seed", 2)
    assert changed.status == 2
    assert "other settings: seed, stages" in changed.err
    assert trainer.answer("--stages", 3)["state"] == 1


def test_scores_told_in_the_place_of_images_bring_the_guards_too(trainer):
    trainer.answer("--losses", "l1=1", "--metric", "niqe", "--agent", "random", "--config", "{guards: [brisque]}")
    (trainer.root / "niqe.json").write_text('{"niqe": 5.0}')
    found = trainer.call("--scores", trainer.root / "niqe.json")
    assert found.status == 2
    assert "no 'brisque', which this run measures" in found.err
