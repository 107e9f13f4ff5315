"""Runs with other data, networks and agents than the usual ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lossagent.data.degradations import bicubic
from lossagent.experiment import parse
from lossagent.records import State
from lossagent.report import write_report
from lossagent.runs import canonical, read_events
from lossagent.session import Session
from tiny import experiment

pytestmark = pytest.mark.usefixtures("no_assets")


def run(data: dict[str, Any], folder: Path) -> tuple[State, ...]:
    session = Session.start(parse(data), folder)
    session.run()
    assert session.steering.trajectory.finished is not None
    return session.steering.trajectory.states


def reduced(source: Path, target: Path) -> Path:
    target.mkdir()
    for file in source.glob("*.png"):
        Image.fromarray(bicubic(np.asarray(Image.open(file)), 4)).save(target / f"{file.stem}x4.png")
    return target


def test_your_own_network_by_import_path(tmp_path: Path) -> None:
    data = experiment(tmp_path, restorer={"network": "tiny:PlainSR", "arguments": {"scale": 4}})
    states = run(data, tmp_path / "run")
    assert len({s.report.checkpoint for s in states if s.report}) == 4


def test_ready_made_pairs_give_what_the_same_degradation_gives(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "fixed"})
    data["data"]["jitter"] = False
    made = run(data, tmp_path / "made")
    folder = tmp_path / "data"
    for name in ("train", "feedback"):
        data["data"][name] = {
            "images": [str(folder / name)],
            "low": str(reduced(folder / name, folder / f"{name}-low")),
        }
    given = run(data, tmp_path / "given")
    assert [s.report.checkpoint for s in made if s.report] == [s.report.checkpoint for s in given if s.report]
    assert [s.feedback for s in made] == [s.feedback for s in given]


def test_feedback_images_without_references_have_their_own_guards(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "random"})
    data["goal"] = {"targets": [{"metric": "lattice", "direction": "lower", "unit": 0.1}]}
    data["tolerance"] = {}
    data["data"]["feedback"] = {"images": [str(tmp_path / "data" / "feedback")], "reference": False}
    states = run(data, tmp_path / "run")
    assert states[-1].feedback is not None
    assert set(states[-1].feedback.scores) == {"lattice", "lr_consistency", "drift"}
    assert states[-1].feedback.mean("drift") is not None
    write_report([tmp_path / "run"], tmp_path / "run" / "report.html")


def test_a_recorded_run_is_replayed_without_its_model(tmp_path: Path) -> None:
    replies = [f"Weights: l1:mse:gan=1.0:{m}:0.1" for m in (0.3, 0.6, 0.9)] + ["no idea"]
    agent = {"kind": "llm", "rollback": True, "answer": "pattern", "query": "per_image"}
    first = run(experiment(tmp_path, agent=agent, chat={"kind": "scripted", "replies": replies}), tmp_path / "first")
    again = run(
        experiment(tmp_path, agent=agent, chat={"kind": "replay", "run": str(tmp_path / "first")}), tmp_path / "again"
    )
    assert [canonical(s) for s in first] == [canonical(s) for s in again]


def test_gray_and_alpha_photographs_are_taken_and_said(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "fixed"})
    for number, (file, mode) in enumerate(
        zip(sorted((tmp_path / "data" / "train").glob("*.png")), ("L", "RGBA"), strict=False)
    ):
        Image.open(file).convert(mode).save(file)
        assert number < 2
    run(data, tmp_path / "run")
    said = " ".join(e.text for e in read_events(tmp_path / "run") if e.kind == "warned")
    assert "pixel type L" in said
    assert "pixel type RGBA" in said


def test_a_goal_without_selection_images_keeps_the_last_state_and_says_so(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "random"})
    data["data"]["selection"] = None
    session = Session.start(parse(data), tmp_path / "run")
    session.run()
    finished = session.steering.trajectory.finished
    assert finished is not None
    assert finished.selected == 3
    assert "no selection set" in finished.rule


def test_a_declared_overlap_is_reported_image_by_image(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "fixed"})
    data["data"]["test"] = {"test": str(tmp_path / "data" / "feedback")}
    with pytest.raises(ValueError, match="overlap: declared"):
        Session.start(parse(data), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    data["data"]["overlap"] = "declared"
    session = Session.start(parse(data), tmp_path / "run")
    session.run()
    assert len(session.parts.sets.also_in("test")) == 2
