"""The site in a real browser, on a wide and a narrow window: nothing foreign is asked for, nothing sticks out."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from docs.test_reference_pages import API, public

pytestmark = pytest.mark.slow
PAGES = ("index", "start", "method", "honesty", "datasets", "reference/settings", "reference/api/lossagent", "studies")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that says nothing."""

    def log_message(self, *arguments: object) -> None:
        del arguments


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        if path is None and not Path(driver.chromium.executable_path).is_file():
            pytest.skip("no Chromium here")
        opened = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [1400, 390])
def test_pages_fit_and_ask_for_nothing_foreign(browser, address: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    for name in PAGES:
        page.goto(f"{address}{name}.html")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert said == []
    page.close()


def names() -> set[str]:
    """Every public name."""
    return {name for module in API.values() for name in public(module)}


def results(page, words: str) -> list[str]:
    """Types into the open search; the addresses that it lists, best first."""
    page.keyboard.press("Control+a")
    page.keyboard.type(words)
    listed: list[str] = []
    for _ in range(100):
        page.wait_for_timeout(50)
        listed = page.eval_on_selector_all("a[href*='?h=']", "all => all.map(a => a.href)")
        if listed and all(f"?h={quote(words)}" in link for link in listed):
            break
    return [re.sub(r"\?[^#]*", "", link) for link in listed]


def test_the_search_finds_each_public_name_and_what_else_is_looked_for(browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(f"{address}index.html")
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Control+k")
    page.wait_for_timeout(300)
    wanted = {name: {f"reference/api/{stem}.html" for stem in API if name in public(API[stem])} for name in names()}
    wanted |= {"partial_every": {"reference/settings.html"}, "plastic skin": {"reviewers.html"}}
    missed = [
        words
        for words, places in wanted.items()
        if not any(link.partition("#")[0].removeprefix(address) in places for link in results(page, words))
    ]
    assert missed == []
    page.close()
