"""The page on reviewers: what it tells people to write can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from lossagent.experiment.reviewers import ReviewerSettings
from lossagent.goal import Goal

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reviewers.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def test_the_page_shows_every_kind() -> None:
    kinds = [settings["kind"] for block in BLOCKS for settings in block.get("reviewers", {}).values()]
    assert set(kinds) == {"describer", "server", "co-instruct"}
    assert any("proxy" in block.get("goal", {}) for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_its_settings_are_valid(block: dict[str, dict[str, object]]) -> None:
    for settings in block.get("reviewers", {}).values():
        read = TypeAdapter(ReviewerSettings).validate_python(settings)
        assert {key: value for key, value in read.model_dump(mode="json").items() if key in settings} == settings
    if "goal" in block:
        assert Goal.model_validate(block["goal"]).wish
