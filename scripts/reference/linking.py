"""Links from reference pages to what they name: classes of the API, pages of the documentation."""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path

API = Path(__file__).resolve().parents[2] / "docs" / "reference" / "api"
_NAME = re.compile(r"(?<!\[)`(?P<path>[A-Z]\w+|lossagent(?:\.\w+)+)`")
_PAGE = re.compile(r"(?<!\[)`docs/(?P<page>[\w./-]+)\.md`")
_MODULE = re.compile(r"(?m)^::: (?P<module>lossagent[\w.]*)$")


def linked(text: str) -> str:
    """Markdown in which the API's names and the documentation's pages that stand as code are links."""
    return _PAGE.sub(r"[\g<page>](../\g<page>.md)", _NAME.sub(_api, text))


def _api(found: re.Match[str]) -> str:
    place = _places().get(found["path"])
    return found[0] if place is None else f"[`{found['path'].rpartition('.')[2]}`]({place})"


@cache
def _places() -> dict[str, str]:
    """Public name, alone and with its module -> where the API reference has it: once, the package itself goes first."""
    places: dict[str, str] = {}
    for page in sorted(API.glob("*.md"), key=lambda page: page.stem != "lossagent"):
        found = _MODULE.search(page.read_text(encoding="utf-8"))
        module = found["module"] if found is not None else ""
        for name in _public(module) if module else ():
            place = places.setdefault(name, f"api/{page.name}#{module}.{name}")
            places[f"{module}.{name}"] = place
    return places


def _public(module: str) -> list[str]:
    found = importlib.import_module(module)
    return [name for name in getattr(found, "__all__", ()) if isinstance(getattr(found, name), type)]
