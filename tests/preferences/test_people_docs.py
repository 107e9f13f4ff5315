"""The page on people says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lossagent.experiment.people import PeopleSettings
from lossagent.letters import LETTERS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "people.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block("python"), "docs/people.md", "exec"), {})
    assert f"prints `{capsys.readouterr().out.strip()}`" in PAGE


def test_the_settings_are_settings_and_all_of_them() -> None:
    people = yaml.safe_load(block("yaml"))["people"]
    assert set(PeopleSettings.model_validate(people).model_dump()) == set(people)


def test_the_letter_is_one() -> None:
    letter = re.search(r"`(\{\"kind\".*?\})`", PAGE)
    assert letter is not None
    LETTERS.validate_json(letter[1])
