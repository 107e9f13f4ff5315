"""Writes the pages of the documentation that are made from the program, and the JSON Schemas.

    python scripts/write_reference.py            # writes them
    python scripts/write_reference.py --check    # says which are not what would be written; exit status 1

The API reference is not among them: it is made from the docstrings when the site is built.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from reference import assets, commands, settings

from lossagent.schema import FILES, schema

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES: dict[str, Callable[[], str]] = {
    "reference/settings.md": settings.page,
    "reference/command-line.md": commands.page,
    "reference/assets.md": assets.page,
    **{
        f"schema/{kind}.json": lambda kind=kind: json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"
        for kind in FILES
    },
}
"""File under docs/ -> what makes it."""


def stale(docs: Path = DOCS) -> list[str]:
    """The files that are not what would be written."""
    return [
        name
        for name, make in PAGES.items()
        if not (docs / name).is_file() or (docs / name).read_text(encoding="utf-8") != make()
    ]


def write(docs: Path = DOCS) -> None:
    """Writes all of them."""
    for name, make in PAGES.items():
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        old = stale()
        print("\n".join(f"docs/{name} is stale: run python scripts/write_reference.py" for name in old) or "all fresh")
        sys.exit(1 if old else 0)
    write()
