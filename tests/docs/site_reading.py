"""Pages of the built site: what they can be linked to as, what they link to, and what a browser loads for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}
"""Tag -> attribute whose address a browser loads by itself; of ``link`` it depends on ``rel``."""
LOADED_RELATIONS = frozenset({"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect", "manifest"})


@dataclass
class Page:
    """What stands in a page.

    Attributes:
        anchors: what it can be linked to as.
        links: what a reader may follow.
        loads: what a browser loads by itself.
    """

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.page.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.page.links.append(given["href"])
        if LOADS.get(tag) in given:
            self.page.loads.append(given[LOADS[tag]])
        if tag == "link" and LOADED_RELATIONS & set(given.get("rel", "").split()):
            self.page.loads.append(given.get("href", ""))
        self.page.loads += re.findall(r"url\(['\"]?([^)'\"]+)", given.get("style", ""))


def read(file: Path) -> Page:
    reader = _Reader()
    reader.feed(file.read_text(encoding="utf-8"))
    return reader.page


def loaded_by_styles(folder: Path) -> list[str]:
    """What style sheets load."""
    pattern = r"url\(['\"]?([^)'\"]+)|@import\s+['\"]([^'\"]+)"
    texts = (file.read_text(encoding="utf-8") for file in folder.rglob("*.css"))
    return [a or b for text in texts for a, b in re.findall(pattern, text)]
