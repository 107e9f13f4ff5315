"""The built site: no warning, no dead link, nothing from another host, and a search that finds every public name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from docs.site_reading import Page, loaded_by_styles, read
from docs.test_docs_links import navigation
from docs.test_reference_pages import API, documented


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: read(file) for file in site.rglob("*.html")}


@pytest.fixture(scope="module")
def found(site: Path) -> list[dict[str, str]]:
    """The entries of the search."""
    return json.loads((site / "search.json").read_text(encoding="utf-8"))["items"]


def test_every_page_of_the_navigation_is_built_and_reached_from_the_first(site: Path, pages: dict[Path, Page]) -> None:
    wanted = {site / re.sub(r"README\.html$", "index.html", name.replace(".md", ".html")) for name in navigation()}
    assert wanted <= set(pages)
    reached = {(site / link.partition("#")[0]).resolve() for link in pages[site / "index.html"].links}
    assert {page.resolve() for page in wanted} <= reached


def test_every_link_and_anchor_leads_somewhere(pages: dict[Path, Page]) -> None:
    dead = []
    for file, page in pages.items():
        for link in page.links:
            to, _, anchor = link.partition("#")
            if "://" in to or to.startswith("mailto:"):
                continue
            target = (file.parent / unquote(to)).resolve() if to else file
            known = pages.get(target)
            if not target.is_file() or (anchor and known is not None and unquote(anchor) not in known.anchors):
                dead.append(f"{file.name}: {link}")
    assert dead == []


def test_nothing_is_loaded_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    loads = {load for page in pages.values() for load in page.loads} | set(loaded_by_styles(site))
    assert len(loads) > 3
    assert [load for load in loads if re.match(r"(https?:)?//", load)] == []


def test_every_page_forbids_what_is_foreign(pages: dict[Path, Page]) -> None:
    policy = re.compile(
        r"""<meta http-equiv="Content-Security-Policy" content="default-src 'self' file: data: blob:;"""
    )
    assert [file.name for file in pages if not policy.search(file.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("page", API)
def test_a_search_for_each_public_name_finds_its_page(page: str, found: list[dict[str, str]]) -> None:
    names = documented(page)
    assert names
    here = [entry for entry in found if entry["location"].startswith(f"reference/api/{page}.html#{API[page]}.")]
    titles = {entry["location"].rsplit(".", 1)[-1]: re.sub(r"<[^>]+>", "", entry["title"]) for entry in here}
    assert [name for name in names if name not in re.split(r"\W+", titles.get(name, ""))] == []


def test_settings_and_commands_are_found(found: list[dict[str, str]]) -> None:
    titles = {re.sub(r"<[^>]+>", "", entry["title"]) for entry in found} | {entry["path"][-1] for entry in found}
    assert {"agent of kind climb", "training.schedule", "lossagent simulate fit", "smollm2-135m-instruct"} <= titles
    assert {"training.evidence_batches", "agent.step of climb", "Study: know_fixed", "Loop: can_restart"} <= titles
    assert {"psnr_y", "niqe_yiq", "drift"} <= titles


def test_notices_and_cards_are_not_searched(site: Path, found: list[dict[str, str]]) -> None:
    assert (site / "repository" / "src" / "lossagent" / "metrics" / "data" / "NOTICE.html").is_file()
    assert [entry["location"] for entry in found if entry["location"].startswith("repository/src")] == []


def test_equations_are_set_without_a_script(site: Path) -> None:
    text = (site / "method.html").read_text(encoding="utf-8")
    assert re.findall(r'<span class="equation-number">\((\d)\)</span>', text) == list("123456")
    assert text.count("<math") == 6
    assert "katex" not in text.lower()
    assert "mathjax" not in text.lower()


def test_docstrings_read_as_markdown(site: Path, pages: dict[Path, Page]) -> None:
    for file in pages:
        if file.parent.name == "api":
            text = re.sub(r"<[^>]+>", "", file.read_text(encoding="utf-8"))
            assert re.findall(r":(?:class|func|meth|mod|data|attr):", text) == []


def test_a_docstring_that_begins_with_a_comparison_is_no_quotation(pages: dict[Path, Page]) -> None:
    for file in pages:
        if file.parent.name == "api":
            assert "<blockquote" not in file.read_text(encoding="utf-8"), file


def test_code_is_highlighted_and_nothing_is_left_of_a_fence(pages: dict[Path, Page]) -> None:
    for file in pages:
        text = file.read_text(encoding="utf-8")
        assert "```" not in re.sub(r"(?s)<(pre|code|script)\b.*?</\1>", "", text), file
