"""A run that goes on, and files in any condition."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from served_run import FACTS, INITIAL, SETTINGS, feedback_of, make, names, stage, write

from beginnings import started
from lossagent.alarm import Lookout, alarms
from lossagent.dashboard.decisions import exchanges_of
from lossagent.dashboard.finding import Runs
from lossagent.dashboard.intervals import Pair, paired_changes
from lossagent.dashboard.lease import is_held
from lossagent.dashboard.live import LiveRun
from lossagent.dashboard.pictures import names_in
from lossagent.dashboard.reading import EventLog, Tail
from lossagent.errors import Refused
from lossagent.events import Finished, Pruned, Resumed, Scored, Warned
from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal
from lossagent.noise import paired_change
from lossagent.runs import read_trajectory


def live(run: Path) -> LiveRun:
    return LiveRun("id", run, run.name)


def ids(changes: dict) -> list[int]:
    return [s["id"] for s in changes["states"]]


def test_changes_bring_what_is_new_and_no_more(tmp_path: Path) -> None:
    run = make(tmp_path / "run", states=3)
    looked = live(run)
    revision = looked.summary()["revision"]
    nothing = looked.changes(revision)
    assert (nothing["changed"], ids(nothing), nothing["revision"]) == (False, [], revision)
    write(run, stage(3, 9)[:1])
    decided = looked.changes(revision)
    assert ids(decided) == [3]
    assert not decided["states"][0]["trained"]
    write(run, [*stage(3, 9)[1:], Pruned(state=1)])
    assert ids(looked.changes(decided["revision"])) == [1, 3]
    assert ids(looked.changes(revision)) == [1, 3]
    assert looked.changes(revision)["head"] == 3


def test_a_warning_alone_changes_the_revision_but_no_state(tmp_path: Path) -> None:
    run = make(tmp_path / "run", states=2)
    looked = live(run)
    revision = looked.summary()["revision"]
    write(run, [Warned(text="new")])
    changes = looked.changes(revision)
    assert changes["changed"]
    assert ids(changes) == []
    assert changes["warnings"][-1] == "new"


def test_a_revision_outlives_the_process(tmp_path: Path) -> None:
    run = make(tmp_path / "run", states=3)
    revision = live(run).summary()["revision"]
    again = live(run).changes(revision)
    assert (again["changed"], again["reset"], ids(again)) == (False, False, [])
    write(run, stage(3, 9))
    later = live(run).changes(revision)
    assert later["reset"]
    assert ids(later) == [0, 1, 2, 3]
    for odd in ("", "1", "x.y.z", f"{revision}9.9", "a.99999999999999999999.b", "²"):
        assert ids(live(run).changes(odd)) == [0, 1, 2, 3]


def test_a_run_that_is_begun_anew_replaces_the_old_one(tmp_path: Path) -> None:
    run = make(tmp_path / "run", states=4)
    looked = live(run)
    revision = looked.summary()["revision"]
    shutil.rmtree(run)
    make(run, states=2)
    (run / "events.jsonl").write_text("")
    write(run, [started(INITIAL, 3, "other", 5.0), *stage(0, 9), *stage(1, 9)])
    changes = looked.changes(revision)
    assert changes["reset"]
    assert ids(changes) == [0, 1]


def test_torn_and_damaged_lines_are_left_out_and_said(tmp_path: Path) -> None:
    run = make(tmp_path / "run", states=3)
    with (run / "events.jsonl").open("a") as file:
        file.write('{"kind": "nonsense"}\n\x00\xff garbage\n')
    write(run, [Scored(state=17, feedback=Feedback()), *stage(9, 9, parent=8), Finished(selected=40, rule="none")])
    with (run / "events.jsonl").open("a") as file:
        file.write('{"kind": "scored", "state": 2, "feed')
    old = time.time() - 60
    os.utime(run / "events.jsonl", (old, old))
    shown = live(run).summary()
    assert ids(shown) == [0, 1, 2]
    text = " ".join(shown["warnings"])
    assert "2 line(s) that are no events" in text
    assert "5 event(s) speak of states" in text
    assert "torn line" in text


def test_a_line_that_is_finished_later_is_read_then(tmp_path: Path) -> None:
    run = make(tmp_path / "run", states=2)
    looked = live(run)
    revision = looked.summary()["revision"]
    lines = "".join(e.model_dump_json() + "\n" for e in stage(2, 9))
    with (run / "events.jsonl").open("a") as file:
        file.write(lines[:-40])
    half = looked.changes(revision)
    assert half["states"][0]["trained"]
    assert not half["states"][0]["scored"]
    with (run / "events.jsonl").open("a") as file:
        file.write(lines[-40:])
    assert looked.changes(half["revision"])["states"][0]["scored"]


@pytest.mark.parametrize("name", ["experiment.yaml", "environment.json", "losses.jsonl", "mailbox", "images", "lease"])
def test_a_missing_part_is_no_failure(tmp_path: Path, name: str) -> None:
    run = make(tmp_path / "run", states=2)
    shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()
    looked = live(run)
    assert ids(looked.summary()) == [0, 1]
    looked.curves.points(None, 100)
    assert ids(looked.changes("")) == [0, 1]


@pytest.mark.parametrize(
    "name", ["experiment.yaml", "environment.json", "losses.jsonl", "events.jsonl", "exchanges/state-0001.jsonl"]
)
@pytest.mark.parametrize("make_odd", [os.mkfifo, Path.mkdir])
def test_pipes_and_folders_in_the_place_of_files_hold_nobody_up(
    tmp_path: Path, name: str, make_odd: Callable[[Path], None]
) -> None:
    run = make(tmp_path / "run", states=2)
    (run / name).unlink()
    make_odd(run / name)
    looked = live(run)
    if name == "events.jsonl":
        with pytest.raises(Refused, match="cannot be shown"):
            looked.summary()
    else:
        assert ids(looked.summary()) == [0, 1]
    assert bool(exchanges_of(run, 1)) == (name != "exchanges/state-0001.jsonl")
    looked.curves.points(None, 10)
    assert len(Runs(run).all()) == 1


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1, 2]",
        "goal: {targets: [1]}",
        "goal: 7\nagent: [[]]\nbounds: {low: -1}\nlosses: 3\nguards: x",
        "\x00",
        "&a [*a]",
    ],
)
def test_settings_in_any_condition(tmp_path: Path, content: str) -> None:
    run = make(tmp_path / "run", states=2)
    (run / "experiment.yaml").write_text(content)
    (run / "environment.json").write_text('{"metrics": {"niqe": {"direction": "sideways"}}}')
    (run / "evaluation.json").write_text('{"sets": [1]}')
    shown = live(run).summary()
    assert shown["metrics"]["niqe"]["role"] == "guard"
    assert shown["goal"]["targets"] == []
    assert any("niqe" in w for w in shown["warnings"])


def test_a_loss_log_in_any_condition(tmp_path: Path) -> None:
    run = make(tmp_path / "run", states=2)
    with (run / "losses.jsonl").open("a") as file:
        file.write('nonsense\n{"state": "x"}\n{"iteration": 7, "state": 1, "raw": [], "total": "x"}\n{"state": 1, "it')
    looked = live(run)
    points = looked.curves.points(1, 1000)
    assert points["iteration"] == [*range(50), 7]
    assert "2 unreadable" in " ".join(looked.summary()["warnings"])
    # A resume cuts the log back: it is written anew under the same name.
    lines = (run / "losses.jsonl").read_text().splitlines(keepends=True)[:20]
    (run / "new").write_text("".join(lines))
    os.replace(run / "new", run / "losses.jsonl")
    assert looked.curves.points(1, 1000)["iteration"] == [*range(20)]


def test_status(tmp_path: Path) -> None:
    run = make(tmp_path / "run", states=2)
    assert live(run).summary()["status"] == "stopped"
    with (run / "lease").open("w") as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)
        assert live(run).summary()["status"] == "running"
        assert Runs(run).all()[0]["status"] == "running"
    write(run, [Resumed(), Finished(selected=1, rule="the last one")])
    shown = live(run).summary()
    assert (shown["status"], shown["selected"], shown["rule"]) == ("finished", 1, "the last one")
    assert Runs(run).all()[0]["status"] == "finished"


def test_a_lease_is_looked_at_without_being_taken(tmp_path: Path) -> None:
    assert is_held(tmp_path / "none") is False
    (tmp_path / "lease").touch()
    assert is_held(tmp_path / "lease", locks=tmp_path / "no-list") is None
    assert is_held(tmp_path / "lease") is False


def test_intervals_of_many_are_those_of_each(rng) -> None:
    pairs = []
    for images, groups in ((0, 1), (1, 1), (7, 1), (8, 1), (30, 1), (12, 2), (30, 3)):
        for _ in range(3):
            some = [f"i{i}" for i in range(images)]
            conditions = {n: f"c{i % groups}" for i, n in enumerate(some)} if groups > 1 else {}
            scores = [{"m": dict(zip(some, rng.normal(0.1 * k, 1, images).tolist(), strict=True))} for k in (0, 1)]
            if images == 30:
                scores[0]["m"]["i3"] = None
                scores[1]["m"]["i4"] = float("inf")
            child, parent = (Feedback(scores=s, conditions=conditions) for s in scores)
            pairs.append(Pair(child, parent, "m", 0.2))
    for pair, found in zip(pairs, paired_changes(pairs, 7), strict=True):
        wanted = paired_change(pair.child, pair.parent, "m", 0.2, 7)
        assert (found.n, found.estimable, found.exceeds) == (wanted.n, wanted.estimable, wanted.exceeds)
        for name in ("mean", "low", "high"):
            assert getattr(found, name) == pytest.approx(getattr(wanted, name), abs=1e-12)


def test_a_tail_of_a_file_that_grows_shrinks_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = Tail(path)
    assert tail.read() == ([], False)
    path.write_bytes(b"a\nb\nc")
    assert tail.read() == ([b"a", b"b"], False)
    path.write_bytes(b"a\nb\ncd\n")
    assert tail.read() == ([b"cd"], False)
    path.write_bytes(b"x\n")
    assert tail.read() == ([b"x"], True)
    path.unlink()
    assert tail.read() == ([], True)
    assert tail.read() == ([], False)


def test_states_must_come_in_order(tmp_path: Path) -> None:
    write(tmp_path, [started(INITIAL, 1), *stage(2, 1), *stage(1, 1), *stage(2, 1)])
    log = EventLog(tmp_path / "events.jsonl")
    new, _ = log.read()
    assert [getattr(e, "state", None) for e in new] == [None, 1, 1, 1, 2, 2, 2]
    assert log.lost == 3


def test_names_of_pictures_are_of_plain_files(tmp_path: Path) -> None:
    run = make(tmp_path / "run", states=1)
    (run / "images" / "input" / "link.png").symlink_to(run / "events.jsonl")
    assert names_in(run, "input") == set(names(3))


@pytest.mark.slow
def test_training_is_not_imported() -> None:
    code = (
        "import lossagent, sys; before = set(sys.modules); import lossagent.dashboard.serving;"
        "new = [m for m in sys.modules if m.startswith('lossagent.') and m.split('.')[1] in"
        " ('training', 'experiment', 'build', 'session', 'data')]; print(*new, *({'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_alarm_is_that_of_the_run(tmp_path: Path) -> None:
    run = make(tmp_path / "run", states=1)
    start = feedback_of(0, 9)
    fallen = {"niqe": [-1.0, -2.0], "psnr": [-0.1, -2.0], "lattice": [0.0, 0.0]}
    for state in (1, 2):
        scores = {
            metric: {name: value + fallen[metric][state - 1] for name, value in values.items() if value is not None}
            for metric, values in start.scores.items()
        }
        decided, trained, _ = stage(state, 9)
        write(run, [decided, trained, Scored(state=state, feedback=Feedback(scores=scores))])
    facts = {name: {**FACTS, "name": name, "direction": d} for name, d in (("niqe", "lower"), ("psnr", "higher"))}
    (run / "environment.json").write_text(json.dumps({"metrics": facts, "ceiling": {"niqe": 5.5}}))
    states = live(run).summary()["states"]
    trajectory = read_trajectory(run)
    goal = Goal.model_validate(SETTINGS["goal"])
    metrics = {name: MetricFacts.model_validate(value) for name, value in facts.items()}
    wanted = alarms(trajectory, Lookout(goal, metrics, frozenset({"psnr"}), {"niqe": 0.1}, {"niqe": 5.5}, seed=3))
    assert set(wanted) == {2}
    assert [s["alarm"] for s in states] == [[], [], list(wanted[2])]
    assert any("psnr fell by 2.00 dB" in sentence for sentence in wanted[2])
    assert any("beyond the 5.50 of the ground truth" in sentence for sentence in wanted[2])


def test_the_run_under_fixed_weights_is_looked_at_for_constraints(tmp_path: Path) -> None:
    fixed = make(tmp_path / "fixed", states=2)
    run = make(tmp_path / "run", states=2)
    constraint = {"metric": "psnr", "at_least": -0.3, "relative_to": "fixed"}
    goal = {**SETTINGS["goal"], "constraints": [constraint]}
    for place, depths in ((str(fixed), {0, 1}), ("../fixed", {0, 1}), (str(tmp_path / "none"), set())):
        settings = {**SETTINGS, "goal": goal, "fixed_run": place}
        (run / "experiment.yaml").write_text(yaml.safe_dump(settings))
        looked = live(run)
        assert [s["id"] for s in looked.summary()["states"]] == [0, 1]
        assert set(looked.settings.fixed) == depths
