"""A metric as a loss in an experiment: the baseline that steering is compared with."""

from __future__ import annotations

from pathlib import Path

from lossagent.experiment import parse
from lossagent.session import Session
from tiny import experiment


def test_a_run_may_optimise_a_metric_directly(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "fixed"})
    data["losses"]["likeness"] = {"kind": "metric", "metric": "ssim", "weight": 0.2}
    data["training"]["stages"] = 1
    session = Session.start(parse(data), tmp_path / "run")
    session.run()
    report = session.steering.trajectory.states[1].report
    assert report is not None
    assert report.evidence.image_norms["likeness"] > 0
