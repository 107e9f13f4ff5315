"""The pages of agents: every kind has one, and what they show works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from agents.trees import line, seen
from lossagent import recipes
from lossagent.agents import Agent, create, forget
from lossagent.agents.table import AGENTS, settings_of
from lossagent.experiment import parse

FOLDER = Path(__file__).parents[2] / "docs" / "agents"
HERE = ("README", "fixed", "random", "schedule", "climb", "lookahead", "balance", "rollback")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (FOLDER / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)


SHOWN = [(page, block) for page in HERE for block in blocks(page, "yaml")]


@pytest.mark.parametrize(("page", "block"), SHOWN, ids=[page for page, _ in SHOWN])
def test_a_block_makes_an_experiment_of_the_recipe_and_its_agent_decides(page: str, block: str) -> None:
    base = yaml.safe_load(recipes.text("classical-sr", "small"))
    shown = yaml.safe_load(block)
    chosen = parse({**base, **shown, "training": {**base["training"], **shown.pop("training", {})}})
    agent = create(chosen.agent)
    decision = agent.decide(seen(line(6.0, 5.5, 5.8), chosen.bounds), forget)
    assert decision.weights.names == chosen.initial.names
    assert page in (*agent.name.replace("(", " ").replace(")", " ").split(), "README")


def test_the_python_block_runs() -> None:
    (block,) = blocks("schedule", "python")
    names: dict[str, object] = {"trajectory": line(6.0, 5.5, 5.8)}
    exec(block, names)
    agent = names["agent"]
    assert isinstance(agent, Agent)
    assert agent.decide(seen(line(6.0)), forget).weights == line(6.0, 5.5).states[2].weights


def test_every_kind_stands_in_the_overview_and_has_a_page() -> None:
    overview = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[`(\w+)`\]\((\w+\.md)\)", overview, re.MULTILINE))
    for kind in (*AGENTS, "rollback"):
        assert kind in rows
        assert (FOLDER / rows[kind]).exists(), kind


def test_options_of_the_pages_are_those_of_the_settings() -> None:
    for kind in ("random", "climb", "lookahead", "balance"):
        text = (FOLDER / f"{kind}.md").read_text(encoding="utf-8")
        told = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE))
        fields = {n: f for n, f in settings_of(kind).model_fields.items() if n not in ("kind", "rollback")}
        assert set(told) == set(fields)
        for name, default in told.items():
            if default.strip(" `") in ("true", "false") or default.strip()[0].isdigit():
                assert yaml.safe_load(default.strip(" `")) == fields[name].default
