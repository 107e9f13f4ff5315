"""The pages that are made from the program are what would be made now, and name everything."""

from __future__ import annotations

import importlib
import re

import pytest
import write_reference

from docs.pages import DOCS
from lossagent.assets import ASSETS
from lossagent.cli import COMMANDS
from lossagent.losses import KINDS, LOSSES

API = {
    "lossagent": "lossagent",
    "agents": "lossagent.agents",
    "chat": "lossagent.chat",
    "degradations": "lossagent.data.degradations",
    "errors": "lossagent.errors",
    "losses": "lossagent.losses",
    "loops": "lossagent.loops",
    "metrics": "lossagent.metrics",
    "objectives": "lossagent.objectives",
    "restorers": "lossagent.restorers",
}
"""Page -> module."""


def public(module: str) -> list[str]:
    """The public names of a module: those that it lists, or those that it defines."""
    found = importlib.import_module(module)
    own = [name for name, value in vars(found).items() if getattr(value, "__module__", None) == module]
    return list(getattr(found, "__all__", own))


def documented(page: str) -> list[str]:
    """The public names that an API page documents: one that the package itself has stands there alone."""
    names = public(API[page])
    return names if page == "lossagent" else [name for name in names if name not in public("lossagent")]


def test_written_pages_are_fresh() -> None:
    assert write_reference.stale() == [], "run python scripts/write_reference.py"


def test_what_is_not_fresh_is_named(tmp_path) -> None:
    write_reference.write(tmp_path)
    assert write_reference.stale(tmp_path) == []
    (tmp_path / "reference" / "assets.md").write_text("old")
    (tmp_path / "schema" / "study.json").unlink()
    assert write_reference.stale(tmp_path) == ["reference/assets.md", "schema/study.json"]


def test_every_command_and_asset_has_a_place() -> None:
    commands = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"\n## lossagent {name}" not in commands] == []
    assets = (DOCS / "reference" / "assets.md").read_text(encoding="utf-8")
    for asset in ASSETS.values():
        assert f"\n## {asset.name}\n" in assets
        assert asset.licence in assets
        assert asset.sha256 in assets
    assert re.findall(r"\]\(https?:", assets) == []  # addresses are text


def test_every_loss_is_named_where_settings_are() -> None:
    settings = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    section = settings.split("\n### `losses.NAME`\n")[1].split("\n### ")[0]
    assert [name for name in (*LOSSES, *KINDS) if f"`{name}`" not in section] == []


def test_the_page_of_the_package_has_all_of_it_the_loop_first() -> None:
    text = (DOCS / "reference" / "api" / "lossagent.md").read_text(encoding="utf-8")
    members = re.findall(r"(?m)^        - (\w+)$", text)
    assert sorted(members) == sorted(public("lossagent"))
    assert members[:7] == ["steer", "Steering", "Course", "WeightedSum", "Every", "Snapshots", "Shared"]


def test_hidden_options_are_not_documented() -> None:
    assert "--leader" not in (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", API)
def test_an_api_page_is_of_its_module(page: str) -> None:
    text = (DOCS / "reference" / "api" / f"{page}.md").read_text(encoding="utf-8")
    assert f"\n::: {API[page]}\n" in text
    assert importlib.import_module(API[page]).__doc__


def test_every_api_page_is_listed() -> None:
    folder = DOCS / "reference" / "api"
    assert {page.stem for page in folder.glob("*.md")} == {"index", *API}
    index = (folder / "index.md").read_text(encoding="utf-8")
    assert [page for page in API if f"]({page}.md)" not in index] == []
