"""The pages of the site in one folder: those of docs/, what they link to, and what that links to."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

LINK = re.compile(
    r"(?P<before>!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()(?P<to>[^)\s#]*)(?P<anchor>#[^)\s]*)?(?P<title>\s+\"[^\"]*\")?\)"
)
FENCE = re.compile(r"(?ms)^(?P<mark>`{3,})[^\n]*\n.*?^(?P=mark)\s*?$|`[^`\n]+`")
OUTSIDE = "repository"
"""Folder of the site that holds files from beside docs/, by their paths in the repository."""


def assemble(root: Path, target: Path) -> None:
    """Copies pages and linked files to ``target``; links that leave docs/ lead into the copy.

    Args:
        root: the repository.
        target: a folder; what is in it from before is replaced.

    Raises:
        FileNotFoundError: a link to what is not there, with its page.
    """
    shutil.rmtree(target, ignore_errors=True)
    docs = root / "docs"
    waiting = [*sorted(docs.rglob("*.md")), *sorted((docs / "assets").rglob("*")), *sorted((docs / "schema").glob("*"))]
    done: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file in done or file.is_dir():
            continue
        done.add(file)
        place = target / placed(file, root)
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".md":
            text = file.read_text(encoding="utf-8")
            waiting += [found for _, found in links(file, text, root)]
            place.write_text(_unsearched(file, root) + _relinked(file, text, root), encoding="utf-8")
        else:
            shutil.copyfile(file, place)


def placed(file: Path, root: Path) -> Path:
    """Where a file of the repository stands in the site."""
    docs = root / "docs"
    return file.relative_to(docs) if file.is_relative_to(docs) else Path(OUTSIDE) / file.relative_to(root)


def links(page: Path, text: str, root: Path) -> Iterator[tuple[str, Path]]:
    """(link as written, file it leads to) of a page's links within the repository; code is no link.

    Raises:
        FileNotFoundError: it leads nowhere, or out of the repository.
    """
    for link in LINK.finditer(without_code(text)):
        if link["to"] and not is_foreign(link["to"]):
            yield link["to"] + (link["anchor"] or ""), linked(page, link["to"], root)


def is_foreign(to: str) -> bool:
    """Whether a link leads to another host."""
    return re.match(r"[a-z][a-z0-9+.-]*:", to) is not None


def linked(page: Path, to: str, root: Path) -> Path:
    """The file that a link of a page leads to; of a folder its README, or itself where it has none.

    Raises:
        FileNotFoundError: there is none.
    """
    file = Path(os.path.normpath(page.parent / to))
    if (file / "README.md").is_file():
        file = file / "README.md"
    if not file.exists() or not file.is_relative_to(root):
        raise FileNotFoundError(f"{page.relative_to(root)}: the link {to} leads nowhere")
    return file


def without_code(text: str) -> str:
    """The text with code blanked out, so that places stay the same."""
    return FENCE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)


def _unsearched(page: Path, root: Path) -> str:
    """What keeps a page that lies beside code out of the search: notices and cards name much and explain little."""
    return "---\nsearch: {exclude: true}\n---\n" if page.is_relative_to(root / "src") else ""


def _relinked(page: Path, text: str, root: Path) -> str:
    here = placed(page, root).parent

    def changed(link: re.Match[str]) -> str:
        file = linked(page, link["to"], root)
        if file.is_dir():  # a site has no page of it
            return link["before"].removesuffix("](").removeprefix("[")
        return (
            f"{link['before']}{os.path.relpath(placed(file, root), here)}{link['anchor'] or ''}{link['title'] or ''})"
        )

    return _replaced(text, lambda link: changed(link) if link["to"] and not is_foreign(link["to"]) else link[0])


def _replaced(text: str, change: Callable[[re.Match[str]], str]) -> str:
    """The text with each link outside code changed."""
    parts: list[str] = []
    end = 0
    for link in LINK.finditer(without_code(text)):
        whole = LINK.match(text, link.start())
        if whole is not None:
            parts += [text[end : link.start()], change(whole)]
            end = whole.end()
    return "".join([*parts, text[end:]])
