"""Links lead somewhere, every page is in the navigation, nothing of this machine is written down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from site_pages import assemble, links, placed, without_code

from docs.pages import DOCS, PAGES, ROOT


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link, file in links(page, text, ROOT):
        anchor = link.partition("#")[2]
        if anchor and file.suffix == ".md" and "reference/api" not in str(file):  # those are made by the site
            assert anchor in anchors(file), f"{link}: no heading #{anchor}"
    made_by_the_site = page.is_relative_to(DOCS / "reference" / "api")
    for anchor in re.findall(r"\]\(#([^)]+)\)", without_code(text)):
        assert made_by_the_site or anchor in anchors(page), f"no heading #{anchor}"


def anchors(page: Path) -> set[str]:
    """What headings of a page can be linked to as."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in re.findall(r"(?m)^#+ (.*)$", text))
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in plain}


def test_every_page_is_in_the_navigation_once() -> None:
    listed = list(navigation())
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    outside = {to for to in listed if to.startswith("repository/")}
    assert sorted(set(listed) - outside) == sorted(there)
    assert len(listed) == len(set(listed))


def navigation() -> list[str]:
    """The pages that mkdocs.yml names."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    return pages_of(yaml.safe_load(re.sub(r"!!python/name:\S+", "null", text))["nav"])


def pages_of(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    inner = entry.values() if isinstance(entry, dict) else entry
    return [page for one in inner for page in pages_of(one)]  # type: ignore[union-attr]


def test_links_out_of_docs_lead_to_copies(tmp_path: Path) -> None:
    root, target = tmp_path / "here", tmp_path / "there"
    (root / "docs" / "deep").mkdir(parents=True)
    (root / "src").mkdir()
    (root / "docs" / "deep" / "page.md").write_text(
        "[code](../../src/a.py), [text](../../NOTES.md#one), [folder](../../src), [far](https://example.com/x),\n"
        "[a `name`](other.md)\n```sh\n[no](../../link.md)\n```\n"
    )
    (root / "docs" / "deep" / "other.md").write_text("[back](page.md#top)")
    (root / "NOTES.md").write_text("# One\n[in](docs/deep/page.md) [code](src/a.py)\n")
    (root / "src" / "a.py").write_text("1\n")
    assemble(root, target)
    page = (target / "deep" / "page.md").read_text()
    assert "[code](../repository/src/a.py), [text](../repository/NOTES.md#one), folder, [far](https://" in page
    assert "[a `name`](other.md)" in page
    assert "[no](../../link.md)" in page
    assert (target / "repository" / "src" / "a.py").read_text() == "1\n"
    assert "[in](../deep/page.md) [code](src/a.py)" in (target / "repository" / "NOTES.md").read_text()
    assert placed(root / "docs" / "deep" / "page.md", root) == Path("deep/page.md")


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("[gone](gone.md)")
    with pytest.raises(FileNotFoundError, match=r"docs/page\.md: the link gone\.md leads nowhere"):
        assemble(tmp_path, tmp_path / "site")
