"""A person rates over the real HTTP interface of the dashboard while a run waits; the answers change what it does."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the dashboard is an extra")
pytest.importorskip("uvicorn", reason="the dashboard is an extra")

from lossagent.dashboard.serving import background
from lossagent.experiment import parse
from lossagent.report import write_report
from lossagent.runs import read_events, read_trajectory
from lossagent.session import Session
from tiny import experiment, pictures

HEADERS = {"X-Lossagent": "1"}


class Rater:
    """Looks at both pictures over HTTP and prefers the one that is (or is not) sharper."""

    def __init__(self, url: str, name: str, sharper: bool) -> None:
        self.client = httpx.Client(base_url=url, timeout=20)
        self.name, self.sharper, self.sent = name, sharper, 0

    def run(self, ended: threading.Event) -> None:
        while not ended.wait(0.2):
            for run in self.client.get("/api/runs").json():
                self.rate(run["id"])

    def rate(self, run: str) -> None:
        for task in self.client.get(f"/api/run/{run}/tasks", params={"rater": self.name}).json():
            left, right = (self.sharpness(run, task["id"], side) for side in ("left", "right"))
            verdict = "tie" if left == right else "left" if (left > right) == self.sharper else "right"
            letter = {"kind": "judgement", "task": task["id"], "rater": self.name, "verdict": verdict}
            answered = self.client.post(f"/api/run/{run}/letters", json=letter, headers=HEADERS)
            assert answered.status_code in (200, 409), answered.text  # 409: the list was older than the answer
            self.sent += 1

    def sharpness(self, run: str, task: str, side: str) -> float:
        answer = self.client.get(f"/api/run/{run}/task/{task}/{side}.png")
        assert answer.status_code == 200
        pixels = np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"), dtype=np.float64)
        return float(np.abs(np.diff(pixels)).mean())


@pytest.fixture
def asked(tmp_path: Path) -> dict[str, Any]:
    people = {"ask": "pairs", "patience": 120, "final": 2, "repeats": 0}
    goal = {"targets": [{"metric": "preference"}]}
    data = experiment(tmp_path, goal=goal, tolerance={}, people=people)
    # Eight answers that agree are more than noise; two are not, and change nothing.
    data["data"]["feedback"] = str(pictures(tmp_path / "eight", 8, seed=9))
    data["training"]["stages"] = 2
    return data


def rated(data: dict[str, Any], run: Path, sharper: bool) -> int:
    """Runs to the end with one rater at the dashboard; returns the number of answers."""
    session = Session.start(parse(data), run)
    ended = threading.Event()
    with background(run) as url:
        rater = Rater(url, "ann", sharper)
        thread = threading.Thread(target=rater.run, args=(ended,))
        thread.start()
        try:
            session.run()
        finally:
            ended.set()
            thread.join()
            rater.client.close()
    return rater.sent


def test_ratings_over_http_steer_a_run_and_have_the_last_word(tmp_path: Path, asked: dict[str, Any]) -> None:
    runs = {sharper: tmp_path / f"sharper-{sharper}" for sharper in (True, False)}
    for sharper, run in runs.items():
        assert rated(asked, run, sharper) >= 18, "eight images at each of two stages, and the last word"
    seen = {sharper: read_trajectory(run) for sharper, run in runs.items()}
    for trajectory in seen.values():
        assert trajectory.panel.raters == ("ann",)
        assert all(q.closed and not q.unanswered for q in trajectory.panel.questions)
        assert trajectory.states[2].decision is not None
        assert trajectory.states[2].decision.judged == 8
    one, other = (
        s.feedback.scores["preference"]["(all)"] for s in (seen[True].states[1], seen[False].states[1]) if s.feedback
    )
    assert one == pytest.approx(-(other or 0)), "opposite tastes give opposite strengths"
    parents = [{s.id: s.parent for s in t.states} for t in seen.values()]
    assert parents[0] != parents[1], "the answers decide whether a stage is taken back"
    page = write_report([runs[True]], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "What people said" in page
    assert not [e for e in read_events(runs[True]) if e.kind == "ignored"]
