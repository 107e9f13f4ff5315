"""What the start page has one type does what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from command_line import command
from docs.pages import DOCS, blocks_of
from lossagent import recipes

BLOCKS = blocks_of(DOCS / "start.md")
COMMANDS = [
    shlex.split(line, comments=True)
    for block in BLOCKS
    if block.language == "sh"
    for line in block.text.splitlines()
    if line.startswith("lossagent ")
]
WITHOUT_ASSETS = {
    "losses.perceptual": {"kind": "perceptual", "weight": 0.1, "backbone": "squeezenet1_1", "weights": "random"},
    "chat": {"kind": "scripted", "replies": ["nothing is asked"]},
}
"""In place of what has to be fetched: a network with random weights, and no language model."""


def shown(*words: str) -> list[str]:
    """The one command of the page that has these words."""
    (found,) = [line for line in COMMANDS if set(words) <= set(line)]
    return found[1:]


def photographs(folder: Path, count: int, seed: int) -> None:
    """Smooth random pictures of 128 x 112 pixels."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (28, 32, 3), dtype=np.uint8))
        coarse.resize((128, 112), Image.Resampling.BICUBIC).save(folder / f"{number}.png")


@pytest.mark.usefixtures("no_assets")
def test_the_first_run_is_checked_without_anything_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("skimage", reason="the photographs need the extra demo")
    pytest.importorskip("sklearn", reason="the photographs need the extra demo")
    monkeypatch.chdir(tmp_path)
    recipe = shown("recipe", "smoke")
    assert recipe[-2:] == [">", "experiment.yaml"]
    made = command(*recipe[:-2])
    Path("experiment.yaml").write_text(made.out, encoding="utf-8")
    tried = command("run", "experiment.yaml", "--dry-run")
    assert tried.status == 0, tried.err
    assert "Everything fits together." in tried.out


@pytest.mark.usefixtures("no_assets")
def test_the_recipe_with_ones_own_folders_passes_every_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, (name, count) in enumerate({"train": 3, "judged": 8, "more": 10, "test": 2}.items()):
        photographs(tmp_path / "photos" / name, count, seed)
    made = command(*shown("recipe", "small")[:-2])
    settings = yaml.safe_load(made.out)
    (data,) = [yaml.safe_load(block.text)["data"] for block in BLOCKS if block.language == "yaml"]
    assert data.keys() == settings["data"].keys(), "the page shows the whole section"
    settings |= {"data": data, "chat": WITHOUT_ASSETS["chat"]}
    settings["losses"]["perceptual"] = WITHOUT_ASSETS["losses.perceptual"]
    settings["training"] |= {"batch": 2}
    Path("experiment.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    tried = command("run", "experiment.yaml", "--dry-run")
    assert tried.status == 0, tried.err
    assert "Everything fits together." in tried.out
    assert "Estimate" in tried.out


def test_the_page_says_what_the_recipe_needs_fetched() -> None:
    settings = yaml.safe_load(recipes.text("classical-sr", "small"))
    assert shown("assets", "fetch")[2:] == [settings["losses"]["perceptual"]["backbone"], settings["chat"]["model"]]


def test_the_extras_of_the_docs_can_be_had_from_a_copy() -> None:
    for page in (DOCS / "start.md", DOCS.parent / "README.md"):
        text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
        assert "not in the package index yet" in text, page
        assert "say `pip install -e '.[EXTRA]'` in the copy" in text, page
