"""A browser, a run, and its dashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import STATES, Watch, headless


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with headless() as found:
        yield found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    served = pytest.importorskip("served_run")
    return served.make(tmp_path / "run", states=STATES)


@pytest.fixture
def site(run: Path) -> Iterator[str]:
    serving = pytest.importorskip("lossagent.dashboard.serving", reason="the dashboard's packages are not installed")
    with serving.background(run) as address:
        yield address


@pytest.fixture
def open_page(browser: Any, site: str) -> Iterator[Any]:
    """Opens a page of the run; whatever it complained of fails the test."""
    contexts: list[Any] = []
    watches: list[Watch] = []

    def open_it(fragment: str = "", *, rater: str | None = "Ada", wait: str | None = None, **settings: Any) -> Any:
        context = browser.new_context(**settings)
        contexts.append(context)
        if rater is not None:
            context.add_init_script(f"localStorage.setItem('lossagent.name', {json.dumps(rater)})")
        page = context.new_page()
        page.set_default_timeout(8000)
        page.watch = Watch(page)
        watches.append(page.watch)
        run_id = context.request.get(f"{site}api/runs").json()[0]["id"]
        page.goto(f"{site}#/run/{run_id}{fragment}")
        if wait:
            page.wait_for_selector(wait)
        return page

    yield open_it
    for context in contexts:
        context.close()
    for watch in watches:
        assert watch.complaints == []
        assert all(address.startswith(site) for address in watch.addresses)
