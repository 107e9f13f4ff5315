"""Runs of people's own loops in the pages, the replay and the commands that need an experiment."""

from __future__ import annotations

import re
from html import unescape

import pytest
import torch
from little_loop import Loop

import lossagent
from command_line import command
from lossagent import Every, Snapshots
from lossagent.agents import Random
from lossagent.chat import Scripted
from lossagent.dashboard.finding import Runs
from lossagent.data.images import list_images, read
from lossagent.goal import Goal, Target
from lossagent.report import write_report
from lossagent.report.reading import read_run
from lossagent.runs import RunFolder
from lossagent.steering import Steering
from lossagent.weights import Weights
from tiny import pictures

ANSWERS = ["Weights: l1:gan=1.0:0.2\nThoughts: more", "Weights: l1:gan=1.0:0.05\nThoughts: less"]
OWN_GOAL = Goal(targets=(Target(metric="miss", direction="lower", unit=0.01),))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("shown") / "photos", 2)


@pytest.fixture(scope="module")
def told(tmp_path_factory, photos):
    """A run told image by image, without iterations, whose language model was an object of the loop's."""
    run = tmp_path_factory.mktemp("told") / "run"
    plain = {i.name: torch.from_numpy(read(i.path)).permute(2, 0, 1) / 255 for i in list_images(photos)}
    steering = lossagent.steer(
        run,
        {"l1": 1.0, "gan": 0.1},
        metric="psnr_y",
        agent={"kind": "llm", "answer": "pattern"},
        chat=Scripted(ANSWERS),
        stages=3,
        references=photos,
        settings={"guards": ["niqe"], "by_calls": True},
    )
    with steering:
        steering.tell(0, images={name: image * 0.8 for name, image in plain.items()})
        for by in (0.9, 0.95):
            losses = {"l1": 1 - by, "gan": 0.5}
            steering.tell(steering.ask().state, images={n: i * by for n, i in plain.items()}, losses=losses)
    return run


def page_of(run, out):
    return write_report([run], out / "report.html").read_text(encoding="utf-8")


def text_of(html):
    """The words of a page, without marks and pictures."""
    return " ".join(unescape(re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)).split())


def test_the_report_says_what_was_asked_and_shows_the_images(told, tmp_path):
    text = text_of(page_of(told, tmp_path))
    for said in (
        "Raise psnr_y (a change of 0.1 counts one point).",
        "l1 1, gan 0.1 are the weights of the first stage",
        "3 stages; 2 of them were trained",
        "training and restoring are the loop's own",
        "2 feedback (the agent saw these).",
        "Unweighted, one mean a stage, as the loop told them.",
        "No selection or test images were scored",
        "The run is not finished: 2 of 3 stages are scored.",
        "lossagent is licensed under Apache-2.0.",
        "started again with this folder, it goes on where it stopped",
        "guard, lower wanted",
    ):
        assert said in text
    assert {"loss-l1.png", "loss-gan.png", "crops.png", "weights-gan.png"} <= {
        p.name for p in (tmp_path / "figures").iterdir()
    }
    assert "ground truth" in text


def test_the_report_claims_nothing_of_files_that_such_a_run_has_not(told, tmp_path):
    text = text_of(page_of(told, tmp_path))
    for misleading in (
        "losses.jsonl",
        "evaluation.json",
        "experiment.yaml",
        "lossagent resume",
        "0 iterations",
    ):
        assert misleading not in text


def test_a_course_tells_iterations_and_shares(tmp_path):
    loop = Loop(tmp_path / "run")
    loop.run(Every(steps=4), snapshots=Snapshots(tmp_path / "run" / "checkpoints", net=loop.net))
    text = text_of(page_of(tmp_path / "run", tmp_path))
    assert "4 stages; 16 iterations were trained" in text
    assert "best by the goal on the feedback images, which it was steered by" in text
    assert "on training batches of the stage as they came" in text
    assert "not finished" not in text
    assert any(p.name.startswith("shares-") for p in (tmp_path / "figures").iterdir())


def test_a_steering_by_itself_recorded_what_the_report_needs(tmp_path):
    with RunFolder.at(tmp_path / "run") as folder:
        steering = Steering(
            agent=Random(), goal=OWN_GOAL, initial=Weights.of({"a": 1.0, "b": 1.0}), stages=1, log=folder
        )
        steering.tell(0, scores={"miss": 1.0})
        steering.tell(steering.ask().state, scores={"miss": 0.5})
    run = read_run(tmp_path / "run")
    assert run.own_loop
    text = text_of(page_of(tmp_path / "run", tmp_path))
    assert "Lower miss" in text
    assert "losses.jsonl" not in text


def test_the_dashboard_knows_its_settings_and_images(told):
    runs = Runs(told.parent)
    (glance,) = runs.all()
    assert (glance["agent"], glance["status"], glance["stages"]) == ("llm", "between", 3)
    summary = runs.run(glance["id"]).summary()
    assert summary["goal"]["targets"][0]["metric"] == "psnr_y"
    assert summary["losses"] == ["l1", "gan"]
    assert summary["metrics"]["niqe"]["role"] == "guard"
    assert summary["metrics"]["niqe"]["direction"] == "lower"
    assert summary["references"] is True
    assert summary["images"] == ["p0-0", "p0-1"]
    assert summary["warnings"] == []
    assert summary["status"] == "between"


def test_a_replay_needs_no_agent_where_its_settings_are_known(told):
    found = command("replay", told)
    assert found.status == 0, found.out
    assert "2 of 2 decisions are the same" in found.out
    assert command("replay", told, "--agent", "random").status == 0


def test_a_replay_of_an_agent_that_was_an_object_wants_it_named(tmp_path):
    goal = OWN_GOAL.model_dump()
    with lossagent.steer(
        tmp_path / "run", {"a": 1.0, "b": 1.0}, goal=goal, score="elsewhere", agent=Random()
    ) as steering:
        steering.tell(0, scores={"miss": 1.0})
        steering.ask()
    found = command("replay", tmp_path / "run")
    assert found.status == 2
    assert "is an object of yours" in found.err


@pytest.mark.parametrize(
    "words", ["resume RUN", "restore RUN PHOTOS y", "export RUN --out z", "export RUN --schedule s.yaml"]
)
def test_what_needs_an_experiment_says_whose_run_it_is(told, photos, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    found = command(*({"RUN": told, "PHOTOS": photos}.get(word, word) for word in words.split()))
    assert found.status == 2, found.err
    assert "is the run of a loop of your own" in found.err


def test_an_experiment_does_not_take_its_folder(told, tmp_path):
    found = command("run", told / "loop.yaml", "--out", told)
    assert found.status == 2
