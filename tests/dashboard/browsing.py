"""A headless browser for tests of the pages: found on this machine, or a reason to skip."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STATES = 4
"""States of the run that the tests look at."""
HELD = 3500
"""Milliseconds after which an answer is surely on its way."""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@contextmanager
def headless() -> Iterator[Any]:
    """A browser of this machine, or playwright's own; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        found = next(filter(None, map(shutil.which, NAMES)), None) or started.chromium.executable_path
        if not Path(found).exists():
            pytest.skip("no Chromium was found, and playwright has none of its own (playwright install chromium)")
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Watch:
    """What a page complained of, and what it asked for."""

    def __init__(self, page: Any) -> None:
        self.complaints: list[str] = []
        self.addresses: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.addresses.append(request.url))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")


def letters_in(run: Path) -> list[dict[str, Any]]:
    """The letters in a mailbox, in the order of their names."""
    return [json.loads(path.read_text()) for path in sorted((run / "mailbox").glob("*.json"))]


def first_letter(run: Path, page: Any, count: int = 1, seconds: float = 8.0) -> list[dict[str, Any]]:
    """The letters of a mailbox once there are so many; the browser goes on meanwhile."""
    for _ in range(int(seconds * 20)):
        if len(found := letters_in(run)) >= count:
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"{len(letters_in(run))} of {count} letters after {seconds} s")


def layer(chart: str, name: str) -> str:
    return f'[data-chart="{chart}"] [data-layer="{name}"]'


def count_of(page: Any, chart: str, name: str) -> int:
    return int(page.locator(layer(chart, name)).get_attribute("data-points"))


def vertices(page: Any, chart: str, name: str) -> int:
    return page.locator(layer(chart, name)).get_attribute("d").count(",")


def drawn(page: Any, chart: str, name: str, points: int) -> None:
    """Waits until a layer has so many points."""
    page.locator(f'{layer(chart, name)}[data-points="{points}"]').wait_for(state="attached")
