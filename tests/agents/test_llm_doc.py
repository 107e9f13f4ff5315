"""What docs/agents/llm.md shows works as it stands, and its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from agents.kit import line, seen
from lossagent.agents import LLM, LLMOptions, create, forget
from lossagent.agents.llm import EvidenceOptions
from lossagent.agents.llm.settings import LLMSettings
from lossagent.chat.scripted import Scripted
from lossagent.experiment import parse
from tiny import experiment

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "agents" / "llm.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def rows(heading: str) -> dict[str, str]:
    """First column -> second column of the first table below a heading."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [[c.strip() for c in row.split("|")[1:3]] for row in re.findall(r"^\|.*$", section, re.MULTILINE)[2:]]
    return {name: cell for names, cell in cells for name in re.findall(r"`(\w+)`", names)}


def test_every_experiment_on_the_page_is_one(tmp_path: Path) -> None:
    sections = [yaml.safe_load(block) for block in blocks("yaml")]
    assert len(sections) == 4
    chat = {"kind": "embedded"}
    chosen = [parse(experiment(tmp_path) | {"chat": chat} | section).agent for section in sections]
    assert all(isinstance(agent, LLMSettings) for agent in chosen)
    assert all(create(agent, Scripted([])).name in ("llm", "rollback(llm)") for agent in chosen)
    _, paper, evident, shared = chosen
    assert isinstance(paper, LLMSettings)
    fields = LLMOptions.model_fields.keys()
    assert {n: getattr(paper, n) for n in fields} == {n: getattr(LLMOptions.paper(), n) for n in fields}
    assert isinstance(evident, LLMSettings)
    assert evident.evidence.response
    assert isinstance(shared, LLMSettings)
    assert (shared.share, shared.thoughts) == (True, "off")


def test_the_python_on_the_page_runs() -> None:
    (code,) = blocks("python")
    names: dict[str, object] = {}
    exec(code, names)
    agent = names["agent"]
    assert isinstance(agent, LLM)
    assert agent.decide(seen(line(6.0, 5.0)), forget).weights["gan"] == 0.1


def test_the_tables_name_every_switch_with_its_default() -> None:
    usual = EvidenceOptions()
    assert rows("Evidence") == {n: "on" if getattr(usual, n) else "off" for n in EvidenceOptions.model_fields}
    options = rows("Options")
    assert options.keys() == LLMOptions.model_fields.keys()
    for name in ("answer", "query", "direction", "history", "retries", "step", "prompt_limit", "thoughts_limit"):
        assert options[name].strip("`") == str(getattr(LLMOptions(), name))


def test_the_forms_on_the_page_are_read() -> None:
    found = re.findall(r"^\| `(\w+)` \| `(\{.*?\}|Weights: .*?)`", TEXT, re.MULTILINE)
    assert [name for name, _ in found] == ["pattern", "json", "moves", "choice"]
    view = seen(line(6.0, 5.0))
    for name, answer in found:
        form = LLM(Scripted([]), LLMOptions(answer=name)).form(view)
        assert form.parse(answer, view.previous, view.bounds).weights.names == ("l1", "perceptual", "gan")
