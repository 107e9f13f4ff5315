"""One call that opens the steering of a loop, or goes on with it."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import yaml
from little_loop import GOAL, LOSSES

import lossagent
from lossagent.agents import Random
from lossagent.data.images import list_images, read
from lossagent.errors import Failed, Refused, RunBusy, UnknownName, Waiting
from lossagent.letters import Rating
from lossagent.loops import read_settings
from lossagent.mailbox import post
from lossagent.runs import RunFolder, read_events, read_trajectory
from lossagent.steering.telling import feedback_of
from tiny import pictures

HELD = """
import sys, filelock
lock = filelock.FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def opened(folder, **more):
    return lossagent.steer(folder, LOSSES, goal=GOAL, score="elsewhere", **{"agent": "random", "stages": 3, **more})


def here(folder, metric="niqe", **more):
    """A steering that scores images itself."""
    return lossagent.steer(folder, LOSSES, metric=metric, agent="random", stages=2, **more)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("steer") / "photos", 2)


def test_it_begins_and_goes_on_where_it_was(tmp_path):
    whole = opened(tmp_path / "whole")
    whole.tell(0, scores={"miss": 1.0})
    while stage := whole.ask():
        whole.tell(stage.state, scores={"miss": 1.0 / (1 + stage.state)}, losses={"near": 0.5})
    for state in range(4):  # opened anew for each call, as after a crash
        with opened(tmp_path / "cut") as asked:
            stage = asked.ask() if state else None
        with lossagent.steer(tmp_path / "cut") as told:
            assert told.pending.state == state
            losses = {"near": 0.5} if state else None
            told.tell(state, scores={"miss": 1.0 / (1 + state)}, losses=losses)
        assert stage is None or stage.weights == whole.trajectory.states[state].weights
    assert [s.feedback for s in told.trajectory.states] == [s.feedback for s in whole.trajectory.states]
    assert told.trajectory.last.report.losses == {"near": 0.5}


def test_the_end_is_recorded_with_the_best_state_and_may_be_said_otherwise(tmp_path):
    steering = opened(tmp_path / "run")
    for state, miss in enumerate((1.0, 0.2, 0.6, 0.4)):
        assert state == 0 or steering.ask().state == state
        steering.tell(state, scores={"miss": miss})
    assert steering.trajectory.finished is None
    assert steering.ask() is None
    assert steering.trajectory.finished.selected == 1
    steering.finish(3, "best on my own test images")
    assert steering.ask() is None
    assert read_trajectory(tmp_path / "run").finished.rule == "best on my own test images"
    with pytest.raises(Refused, match="selected=9"):
        steering.finish(9, "no such state")
    assert steering.ask(at=2).state == 3  # the loop lost its last stage: nothing is finished any more
    assert steering.trajectory.finished is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"stages": 5}, "stages"),
        ({"stages": 10}, "stages"),  # the usual, and named
        ({"can_restart": True}, "can_restart"),
        ({"agent": "climb"}, "agent"),
        ({"seed": 1, "bounds": {"low": 0.5}}, "seed, bounds"),
        ({"settings": {"tolerance": {"miss": 0.1}}}, "tolerance"),
    ],
)
def test_other_settings_than_the_folders_are_refused_by_their_keys(tmp_path, change, named):
    opened(tmp_path / "run").close()
    with pytest.raises(Refused, match=f"other settings: {named}. Take"):
        opened(tmp_path / "run", **change)
    with pytest.raises(Refused, match=f"other settings: {named}. Take"):
        lossagent.steer(tmp_path / "run", **change)
    assert lossagent.steer(tmp_path / "run", stages=3).trajectory.stages == 3


def test_what_is_named_twice_is_refused(tmp_path):
    with pytest.raises(Refused, match="once more what stands beside them: goal, stages"):
        opened(tmp_path / "run", settings={"stages": 4, "goal": GOAL, "iterations": 5})
    assert not (tmp_path / "run").exists()


def test_a_folder_may_move(tmp_path):
    opened(tmp_path / "run").close()
    (tmp_path / "run").rename(tmp_path / "other")
    with opened(tmp_path / "other"):
        assert read_settings(tmp_path / "other").name == "run"


def test_a_cell_that_is_run_again_takes_the_folder_over(tmp_path):
    first = opened(tmp_path / "run")
    first.tell(0, scores={"miss": 1.0})
    second = opened(tmp_path / "run")
    assert second.newest == 0
    with pytest.raises(Refused, match="closed"):
        first.ask()
    assert second.ask().state == 1
    with pytest.raises(Refused, match="replaced by a later steer"):  # else a WeightedSum would train on by it
        _ = first.weights


def test_a_start_that_is_told_again_with_other_scores_is_spoken_of(tmp_path):
    steering = opened(tmp_path / "run")
    steering.tell(0, scores={"miss": 1.0})
    steering.tell(steering.ask(), scores={"miss": 0.5})
    with pytest.warns(UserWarning, match=r"state 0 was told before, with other scores.*ask\(at=\.\.\.\)"):
        steering.tell(0, scores={"miss": 0.5})
    assert steering.ask().state == 1
    assert steering.ask(at=1).state == 2


def test_stages_and_images_may_stand_by_their_places(tmp_path, photos):
    with here(tmp_path / "run") as steering:
        steering.tell(0, photos)
        assert steering.tell(steering.ask(), photos).id == 1
        with pytest.raises(Refused, match="state 7 was never asked for; known: 0 to 1"):
            steering.tell(7, photos)


def test_scores_that_teach_nothing_are_spoken_of(tmp_path, photos):
    steering = opened(tmp_path / "run")
    with pytest.warns(UserWarning, match="state 0 has no score of 'miss'"):
        steering.tell(0, scores={"miss": None})
    other = opened(tmp_path / "other")
    other.tell(0, scores={"miss": {"a": 1.0, "b": 2.0}})
    with pytest.warns(UserWarning, match=r"other images than S_0 \(b, c\)"):
        other.tell(other.ask(), scores={"miss": {"a": 1.0, "c": 2.0}})
    small = here(tmp_path / "small")
    with pytest.warns(UserWarning, match="no score of 'niqe'.*: "):
        small.tell(0, images={"x": torch.zeros(3, 8, 8)})


@pytest.mark.parametrize(
    ("scores", "what"),
    [
        ({}, "scores must be metric -> score"),
        (1.0, r"found 1\.0 \(float\)"),
        ({"miss": "good"}, "scores: miss must be a number; found 'good'"),
        ({"miss": True}, "must be a number"),
        ({"miss": [1.0]}, "must be a number"),
        ({"miss": {0: 1.0}}, "names that are words; found 0"),
        ({"miss": {}}, "has no scores"),
        ({1: 2.0}, "1 is no metric"),
    ],
)
def test_what_is_no_score_is_refused(scores, what):
    with pytest.raises(Refused, match=what):
        feedback_of(scores)


def test_limits_and_guards_are_told_too(tmp_path, photos):
    goal = {**GOAL, "constraints": [{"metric": "psnr_y", "at_least": -0.3, "relative_to": "start", "unit": 0.1}]}
    with lossagent.steer(tmp_path / "run", LOSSES, goal=goal, score="elsewhere") as steering:
        with pytest.raises(Refused, match="no 'psnr_y', which the goal is about"):
            steering.tell(0, scores={"miss": 1.0})
        steering.tell(0, scores={"miss": 1.0, "psnr_y": 30.0})
    with (
        here(tmp_path / "guarded", settings={"guards": ["brisque"]}) as steering,
        pytest.raises(Refused, match="no 'brisque', which this run measures"),
    ):
        steering.tell(0, scores={"niqe": 5.0})


def test_a_steering_says_why_it_is_not_pickled(tmp_path):
    with opened(tmp_path / "run") as steering, pytest.raises(Refused, match="cannot be pickled"):
        pickle.dumps(lossagent.WeightedSum(steering))


def test_another_process_that_writes_the_folder_is_left_alone(tmp_path):
    opened(tmp_path / "run").close()
    other = subprocess.Popen(
        [sys.executable, "-c", HELD, str(tmp_path / "run" / "lease")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunBusy):
            opened(tmp_path / "run")
        other.communicate()
    opened(tmp_path / "run").close()


def test_folders_of_other_things_are_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "net.pt").touch()
    with pytest.raises(Refused, match=r"no run folder\. Choose another folder"):
        opened(tmp_path / "mine")
    RunFolder.at(tmp_path / "bare").close()
    with pytest.raises(Refused, match="did not begin"):
        opened(tmp_path / "bare")
    with pytest.raises(Refused, match="no run yet"):
        lossagent.steer(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_images_are_scored_kept_and_explained(tmp_path, photos):
    tensors = {i.name: torch.from_numpy(read(i.path)).permute(2, 0, 1) / 255 for i in list_images(photos)}
    means = []
    for name, images in (("tensors", tensors), ("files", photos)):
        with here(tmp_path / name, settings={"guards": ["brisque"]}) as steering:
            feedback = steering.tell(0, images=images).feedback
            means.append(feedback.means())
            assert steering.told.guards == ("brisque",)
    assert means[0] == means[1]
    assert set(means[0]) == {"niqe", "brisque"}
    for image in list_images(photos):
        kept = read(tmp_path / "tensors" / "images" / "state-0000" / f"{image.name}.png")
        assert (kept == read(image.path)).all()
    recorded = json.loads((tmp_path / "files" / "environment.json").read_text())
    assert recorded["metrics"]["niqe"]["direction"] == "lower"
    assert "torch" in recorded["versions"]


def test_references_are_looked_up_by_name(tmp_path, photos):
    with pytest.raises(Refused, match="references"):
        here(tmp_path / "none", "psnr_y")
    assert not (tmp_path / "none").exists()
    plain = {i.name: torch.from_numpy(read(i.path)).permute(2, 0, 1) / 255 for i in list_images(photos)}
    dark, dim = ({name: image * by for name, image in plain.items()} for by in (0.8, 0.98))
    with here(tmp_path / "run", "psnr_y", references=photos) as steering:
        first = steering.tell(0, images=dark).feedback.mean("psnr_y")
        steering.ask()
        assert steering.tell(1, images=dim).feedback.mean("psnr_y") > first + 5
    assert len(list((tmp_path / "run" / "images" / "reference").iterdir())) == 2
    with here(tmp_path / "run", "psnr_y", references=photos) as steering:
        steering.ask()
        with pytest.raises(Refused, match="unknown is not among p0-0, p0-1"):
            steering.tell(2, images={"unknown": next(iter(plain.values()))})


def test_a_metric_of_ones_own_is_explained_by_the_goal(tmp_path):
    with pytest.raises(Refused, match="which way is better"):
        lossagent.steer(tmp_path / "run", LOSSES, metric="miss", score="elsewhere")
    with pytest.raises(Refused, match="Unknown metric 'miss'"):
        lossagent.steer(tmp_path / "run", LOSSES, metric="miss")
    with opened(tmp_path / "run") as steering:
        assert steering.metrics["miss"].direction == "lower"
        with pytest.raises(Refused, match="no objective"):
            steering.tell(0, images={"a": torch.zeros(3, 8, 8)})
        with pytest.raises(Refused, match="'miss'"):
            steering.tell(0, scores={"other": 1.0})
        steering.tell(0, scores={"miss": {"a": 1.0, "b": None}})
        steering.ask()
        with pytest.raises(UnknownName, match="nearest"):
            steering.tell(1, scores={"miss": 1.0}, losses={"nearest": 1.0})


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"stagez": 3}, "Did you mean 'stages'"),
        ({"agent": {"kind": "random", "spred": 1}}, "agent.spred: unknown key. Did you mean 'spread'"),
        ({"agent": {"kind": "rendom"}}, "agent: kind must be one of"),
        ({"bounds": {"frozen": ["l2"]}}, "'l2'"),
        ({"guards": ["psnr"]}, "look at images"),
        ({"tolerance": {"psnr": 1}}, "tolerance"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_written(tmp_path, settings, what):
    with pytest.raises(Refused, match=what):
        opened(tmp_path / "run", **(settings if "agent" in settings else {"settings": settings}))
    assert not (tmp_path / "run").exists()


def test_an_agent_that_is_an_object_is_given_again(tmp_path):
    with opened(tmp_path / "run", agent=Random(spread=2.0)) as steering:
        steering.tell(0, scores={"miss": 1.0})
    assert yaml.safe_load((tmp_path / "run" / "loop.yaml").read_text())["agent"] == "own"
    with pytest.raises(Refused, match="agent object"):
        lossagent.steer(tmp_path / "run")
    with lossagent.steer(tmp_path / "run", agent=Random(spread=2.0)) as steering:
        assert steering.ask().state == 1


def test_people_and_words_judge_a_loop(tmp_path, photos):
    people = {"people": {"ask": "rating"}, "reviewers": {"eye": {"kind": "describer"}}}
    with pytest.raises(Refused, match=r"reviewers\.eye"):
        here(tmp_path / "run", "rating", settings=people)
    steering = here(tmp_path / "run", "rating", settings={**people, "inputs": str(photos)})
    with pytest.raises(Waiting, match="2 answers"):
        steering.tell(0, images=photos)
    for task in steering.trajectory.panel.open:
        post(tmp_path / "run", Rating(task=task.id, rater="Ann", rating=4))
    feedback = steering.tell(0, images=photos).feedback
    assert feedback.mean("rating") == 4
    assert {remark.author for remark in feedback.remarks} == {"describer"}
    steering.close()


def test_a_loop_that_comes_by_calls_was_not_interrupted(tmp_path):
    for state in range(3):
        with opened(tmp_path / "run", settings={"by_calls": True}) as steering:
            assert state == 0 or steering.ask().state == state
            steering.tell(state, scores={"miss": 1.0})
    kinds = [event.kind for event in read_events(tmp_path / "run")]
    assert "resumed" not in kinds
    with opened(tmp_path / "once", settings={"by_calls": False}) as steering:
        steering.tell(0, scores={"miss": 1.0})
    opened(tmp_path / "once").close()
    assert Path(tmp_path / "once" / "events.jsonl").read_text().count('"resumed"') == 1


def test_a_disk_that_is_full_for_a_while_spoils_no_record(tmp_path):
    resource = pytest.importorskip("resource", reason="this system has no limits of file sizes")
    steering = opened(tmp_path / "run")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / "run" / "events.jsonl").stat().st_size
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, hard))  # the line stops in its middle
        with pytest.raises(Failed, match=r"events\.jsonl cannot be written: .*make room"):
            steering.tell(0, scores={"miss": 1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    steering.tell(0, scores={"miss": 1.0})
    steering.close()
    with opened(tmp_path / "run") as again:
        assert again.newest == 0


def test_a_run_is_the_folders_and_not_a_threads(tmp_path):
    steering = lossagent.steer(tmp_path / "run", LOSSES, goal=GOAL, score="elsewhere")
    with ThreadPoolExecutor(1) as other:
        other.submit(steering.tell, 0, scores={"miss": 1.0}).result()
        other.submit(steering.close).result()
    with pytest.raises(Refused, match="closed"):
        steering.ask()
    with RunFolder.open(tmp_path / "run") as folder:
        assert folder.events[-1].kind == "scored"
