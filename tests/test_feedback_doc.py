"""The blocks of docs/feedback.md are complete: put into the demo's recipe each is an experiment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lossagent import recipes
from lossagent.experiment import parse
from lossagent.letters import LETTERS, NextWeights

PAGE = (Path(__file__).parents[1] / "docs" / "feedback.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?```yaml\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)


def test_there_is_a_block_for_each_kind() -> None:
    assert [title for title, _ in BLOCKS] == ["One metric", "Several at once, with limits", "Words", "People"]


@pytest.mark.parametrize(("title", "block"), BLOCKS)
def test_a_block_makes_an_experiment_of_the_recipe(title: str, block: str) -> None:
    base = yaml.safe_load(recipes.text("demo", "small"))
    del title
    chosen = parse({**base, **yaml.safe_load(block)})
    assert all(target.unit > 0 for target in chosen.goal.targets)


def test_the_letter_of_the_page_is_one() -> None:
    (text,) = re.findall(r"echo '(\{.*?\})'", PAGE)
    letter = LETTERS.validate_json(text)
    assert isinstance(letter, NextWeights)
    assert set(letter.weights) == set(yaml.safe_load(recipes.text("demo", "small"))["losses"])
