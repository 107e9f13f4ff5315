"""What the how-to pages show is an experiment with the recipe around it, and what they list is complete."""

from __future__ import annotations

import inspect
import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
import torch
import yaml

from docs.pages import DOCS, ROOT, Block, blocks_of
from lossagent import loop, recipes
from lossagent.build.networks import build_restorer
from lossagent.errors import MissingPackage
from lossagent.experiment import Experiment, RestorerSettings, parse
from test_readme import statements

HOW_TO = ("own-data", "own-network", "own-loss", "language-models", "nothing-improves")
YAML = [
    pytest.param(block, id=block.id)
    for page in HOW_TO
    for block in blocks_of(DOCS / f"{page}.md")
    if block.language == "yaml"
]


def merged(part: dict[str, object]) -> Experiment:
    """A block in place of the recipe's sections of the same names; losses that a block leaves out stay."""
    base = yaml.safe_load(recipes.text("classical-sr", "small"))
    if part.get("scale") == 1:
        base |= {"restorer": {"network": "compact", "arguments": {"scale": 1}}}
    return parse(base | part)


@pytest.mark.parametrize("block", YAML)
def test_a_block_makes_an_experiment(block: Block) -> None:
    try:
        chosen = merged(yaml.safe_load(block.text))
    except MissingPackage as error:  # pyiqa's metrics
        pytest.skip(str(error))
    assert chosen.losses


def test_the_network_of_the_page_is_built_and_enlarges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = blocks_of(DOCS / "own-network.md")
    (python,) = [block.text for block in blocks if block.language == "python"]
    (tmp_path / "my_network.py").write_text(python, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    settings = yaml.safe_load(next(block.text for block in blocks if block.language == "yaml"))["restorer"]
    network = build_restorer(RestorerSettings.model_validate(settings | {"start": None}), 4)
    assert network(torch.rand(1, 3, 8, 6)).shape == (1, 3, 32, 24)


def test_the_loop_of_the_method_page_is_the_loop() -> None:
    (shown,) = [block.text for block in blocks_of(DOCS / "method.md") if block.language == "python"]
    assert statements(shown) == statements(inspect.getsource(loop.optimise))


def test_every_section_of_a_report_is_explained() -> None:
    page = (DOCS / "reading-a-report.md").read_text(encoding="utf-8")
    template = (ROOT / "src/lossagent/report/templates/page.html.j2").read_text(encoding="utf-8")
    names = re.findall(r'<a href="#\w+">([^<]+)</a>', template.split("<main>")[0])
    assert len(names) > 8
    assert [name for name in names if f"\n| {name} |" not in page] == []


def dependencies() -> dict[str, list[str]]:
    """Extra, or ``""`` -> packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        extra: [name for name in (re.split(r"[<>=!\[; ]", entry)[0] for entry in entries) if name != "lossagent"]
        for extra, entries in lists.items()
        if extra != "dev"
    }


def test_every_dependency_has_its_licence_on_the_page() -> None:
    text = (DOCS / "licences.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for extra, packages in dependencies().items():
        there = [row for row in rows if f"`{extra}`" in row or not extra]
        for package in packages:
            assert any(re.search(rf"\b{re.escape(package)}\b", row) for row in there), f"{extra}: {package}"


@pytest.mark.parametrize(
    ("package", "word"),
    [("zensical", "MIT"), ("griffelib", "ISC"), ("optuna", "MIT"), ("starlette", "BSD"), ("torchmetrics", "Apache")],
)
def test_licences_are_those_that_packages_state(package: str, word: str) -> None:
    try:
        stated = metadata(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    told = " ".join(
        [*stated.get_all("License-Expression", []), *stated.get_all("License", []), *stated.get_all("Classifier", [])]
    )
    assert word in told


def test_the_papers_numbers_on_the_honesty_page_are_those_of_its_tables() -> None:
    paper = (DOCS / "paper.md").read_text(encoding="utf-8")
    honesty = (DOCS / "honesty.md").read_text(encoding="utf-8")
    for number in ("4.08", "4.15", "3.63", "3.60", "3.36", "0.721", "0.722"):
        assert number in honesty
        assert number in paper
