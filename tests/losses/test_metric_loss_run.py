"""A metric as a loss in an experiment: the baseline that steering is compared with. pyiqa is a stand-in here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import fake_pyiqa
from lossagent.experiment import parse
from lossagent.session import Session, Watch
from lossagent.trajectory import Trajectory
from tiny import experiment


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    fake_pyiqa.install(tmp_path, monkeypatch)
    yield
    fake_pyiqa.uninstall()


def test_a_run_may_optimise_a_metric_directly_and_says_whose_it_is(tmp_path: Path) -> None:
    data = experiment(tmp_path / "here", agent={"kind": "fixed"})
    data["losses"]["likeness"] = {"kind": "metric", "metric": "pyiqa:gap", "weight": 0.2}
    data["training"]["stages"] = 1
    said: list[str] = []
    session = Session.start(parse(data), tmp_path / "run", Watch(phase=said.append))
    session.run()
    trajectory: Trajectory = session.steering.trajectory
    report = trajectory.states[1].report
    assert report is not None
    assert report.evidence.image_norms["likeness"] > 0
    assert any("PolyForm Noncommercial" in text for text in said)
    recorded = json.loads((tmp_path / "run" / "environment.json").read_text(encoding="utf-8"))
    assert any("PolyForm Noncommercial" in text for text in recorded["notices"])
