"""A run and a real browser: ratings and hand-set weights on the pages change what the run decides next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the dashboard is an extra")
pytest.importorskip("uvicorn", reason="the dashboard is an extra")

from browsing import Watch, headless

from lossagent.dashboard.serving import background
from lossagent.experiment import parse
from lossagent.letters import Rating
from lossagent.mailbox import post
from lossagent.runs import read_trajectory
from lossagent.session import Session
from lossagent.trajectory import Trajectory
from tiny import experiment, pictures

PAIRS = 8


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with headless() as found:
        yield found


def asked(root: Path) -> dict[str, Any]:
    people = {"ask": "pairs", "patience": 120, "final": 0, "repeats": 0}
    data = experiment(root, goal={"targets": [{"metric": "preference"}]}, tolerance={}, people=people)
    data["data"]["feedback"] = str(pictures(root / "eight", PAIRS, seed=9))
    data["training"]["stages"] = 2
    return data


def until(page: Any, run: Path, holds: Callable[[Trajectory], bool], seconds: float = 90) -> Trajectory:
    """The trajectory once something holds; the browser goes on meanwhile."""
    end = time.monotonic() + seconds
    while True:
        if (run / "events.jsonl").exists() and holds(trajectory := read_trajectory(run)):
            return trajectory
        assert time.monotonic() < end, "it did not come"
        page.wait_for_timeout(100)


def side_of_parent(trajectory: Trajectory, number: int) -> str:
    """Which side of a pair shows the earlier state."""
    task = trajectory.panel.open[number]
    assert task.right is not None
    return "left" if task.left < task.right else "right"


def test_ratings_on_the_page_take_a_stage_back(browser: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    session = Session.start(parse(asked(tmp_path)), run)
    thread = threading.Thread(target=session.run)
    context = browser.new_context()
    context.add_init_script("localStorage.setItem('lossagent.name', 'Ada')")
    page = context.new_page()
    page.set_default_timeout(20_000)
    watch = Watch(page)
    with background(run) as site:
        thread.start()
        try:
            first = until(page, run, lambda t: len(t.panel.open) == PAIRS)
            (about,) = context.request.get(f"{site}api/runs").json()
            page.goto(f"{site}#/run/{about['id']}/rate")
            for number in range(PAIRS):  # the state before is preferred every time, by key
                page.locator(".progress", has_text=f"{number + 1} of {PAIRS}").wait_for()
                page.keyboard.press({"left": "ArrowLeft", "right": "ArrowRight"}[side_of_parent(first, number)])
            page.get_by_text("Thank you, the run goes on").wait_for()
            page.goto(f"{site}#/run/{about['id']}")
            second = until(page, run, lambda t: len(t.states) == 3 and len(t.panel.questions) == 2)
            decision = second.states[2].decision
            assert decision is not None
            assert decision.judged == PAIRS
            assert second.states[2].parent == 0, "eight of eight preferred the state before: the stage is taken back"
            assert "rollback" in decision.adjusted_by
        finally:
            close(run, thread)
            context.close()
    assert watch.complaints == []


def close(run: Path, thread: threading.Thread) -> None:
    """Ends the run: whoever is asked still is answered by "tie"."""
    while thread.is_alive():
        panel = read_trajectory(run).panel
        for task in panel.open:
            if not panel.judged(task.id):
                post(run, Rating(task=task.id, rater="Bob", verdict="tie"))
        thread.join(1.0)


def test_weights_set_on_the_page_are_the_next_stage(browser: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    session = Session.start(parse(asked(tmp_path)), run)
    thread = threading.Thread(target=session.run)
    context = browser.new_context()
    context.add_init_script("localStorage.setItem('lossagent.name', 'Ada')")
    page = context.new_page()
    page.set_default_timeout(20_000)
    with background(run) as site:
        thread.start()
        try:
            until(page, run, lambda t: len(t.panel.open) == PAIRS)
            (about,) = context.request.get(f"{site}api/runs").json()
            page.goto(f"{site}#/run/{about['id']}/steer")
            page.locator('[data-weight="mse"]').fill("0.7")
            page.locator('[data-control="weights"]').click()
            page.locator("[data-confirm]").click()
            until(page, run, lambda t: bool(t.requests))
        finally:
            close(run, thread)
            context.close()
    decision = read_trajectory(run).states[2].decision
    assert decision is not None
    assert decision.author == "human"
    assert decision.weights["mse"] == 0.7
    assert "Ada" in decision.thoughts
