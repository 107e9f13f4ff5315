"""The site in a real browser, on a wide and a narrow window: nothing foreign is asked for, nothing sticks out, and the
search finds what is typed."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from reference.commands import command_line, commands_of

import lossagent
from docs.test_reference_pages import API, documented
from lossagent.metrics import METRICS
from lossagent.schema import FILES, schema

FIRST = 5
"""So many results are looked at."""
WAIT = 20
"""Milliseconds between two looks at the results."""
STICKING_OUT = """() => {
    const wide = all => [...all].filter(one => one.scrollWidth > one.clientWidth + 1);
    const longest = text => Math.max(...text.split("\\n").map(line => line.length));
    return {
        page: document.documentElement.scrollWidth > window.innerWidth,
        tables: wide(document.querySelectorAll(".md-typeset__scrollwrap")).map(one => one.innerText.slice(0, 60)),
        code: wide(document.querySelectorAll("article pre > code")).map(one => longest(one.innerText)),
    };
}"""
TABLES_ARE_WRAPPED = """() => !document.querySelector("article table:not([class])")
    || document.querySelector(".md-typeset__scrollwrap")"""


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
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        if path is None and not Path(driver.chromium.executable_path).is_file():
            pytest.skip("no Chromium here")
        opened = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


def test_every_page_fits_and_asks_for_nothing_foreign(browser: Any, site: Path, address: str) -> None:
    page = browser.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    broken: list[str] = []
    for name in sorted(str(file.relative_to(site)) for file in site.rglob("*.html")):
        page.set_viewport_size({"width": 1400, "height": 900})
        page.goto(address + name)
        page.wait_for_function(TABLES_ARE_WRAPPED)
        for width in (1400, 420):
            page.set_viewport_size({"width": width, "height": 900})
            found = page.evaluate(STICKING_OUT)
            cut = [length for length in found["code"] if width == 1400 and length <= 120]
            broken += [f"{name} at {width}: {found}"] if found["page"] or found["tables"] or cut else []
    assert broken == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert said == []
    page.close()


@pytest.fixture(scope="module")
def search(browser: Any, address: str) -> Iterator[Any]:
    """A page with the search open."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(f"{address}index.html")
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Control+k")
    page.wait_for_timeout(300)
    yield page
    page.close()


def results(page: Any, words: str, address: str) -> list[str]:
    """Puts words into the open search; the pages of what it lists, best first."""
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(words)
    before: list[str] | None = None
    for _ in range(200):
        page.wait_for_timeout(WAIT)
        listed = page.eval_on_selector_all("a[href*='?h=']", "all => all.map(a => a.href)")
        if listed and listed == before and all(parse_qs(urlsplit(link).query)["h"] == [words] for link in listed):
            break
        before = listed
    return [re.sub(r"[?#].*", "", link).removeprefix(address) for link in before or ()]


def missed(page: Any, address: str, wanted: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """words -> the first pages listed, of words for which none of the wanted pages is among them."""
    found = {words: results(page, words, address)[:FIRST] for words in wanted}
    return {words: listed for words, listed in found.items() if not wanted[words] & set(listed)}


def test_the_search_finds_names_of_the_package(search: Any, address: str) -> None:
    assert missed(search, address, {name: {"reference/api/lossagent.html"} for name in lossagent.__all__}) == {}


def test_the_search_finds_commands_and_metrics(search: Any, address: str) -> None:
    names = [" ".join(path) for path, _ in commands_of(command_line(), ())]
    commands = {words: {"reference/command-line.html"} for name in names for words in (name, f"lossagent {name}")}
    metrics = {name: {"metrics-builtin.html"} for name in METRICS}
    assert missed(search, address, commands) == {}
    assert missed(search, address, metrics) == {}


def test_the_search_finds_every_setting(search: Any, address: str) -> None:
    keys = {key for kind in FILES for part in (schema(kind), *schema(kind)["$defs"].values()) for key in keys_of(part)}
    assert len(keys) > 150
    assert missed(search, address, {key: {"reference/settings.html"} for key in sorted(keys)}) == {}


def keys_of(part: Mapping[str, Any]) -> set[str]:
    """The keys of a part of a file."""
    forms = (part, *part.get("anyOf", ()))
    return {key for form in forms for key in form.get("properties", {})}


@pytest.mark.slow
def test_the_search_finds_every_public_name(search: Any, address: str) -> None:
    names = {name for stem in API for name in documented(stem)}
    wanted = {name: {f"reference/api/{stem}.html" for stem in API if name in documented(stem)} for name in names}
    assert missed(search, address, wanted | {"plastic skin": {"reviewers.html"}}) == {}
