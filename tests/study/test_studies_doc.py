"""What docs/studies.md shows of running studies can be run as it stands."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import yaml

from lossagent import recipes
from lossagent.commands.compare import compare
from lossagent.study.plan import Study

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_study_files_are_studies(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(recipes.text("classical-sr", "small"), encoding="utf-8")
    sizes: list[int] = []
    for number, text in enumerate(block for block in blocks("yaml") if "arms" in yaml.safe_load(block)):
        file = tmp_path / f"study-{number}.yaml"
        file.write_text(text, encoding="utf-8")
        sizes.append(len(Study.load(file).jobs))
    assert sizes[:2] == [4 * 5 + 10, 2 * 2 * 5]


def test_every_option_that_it_names_is_one() -> None:
    known = {"--" + name.replace("_", "-") for name in inspect.signature(compare).parameters} | {"--no-tidy"}
    commands = [line for block in blocks("bash") for line in block.splitlines() if "lossagent compare" in line]
    named = {word for line in [*commands, *re.findall(r"`(--[^`]+)`", TEXT)] for word in re.findall(r"--[a-z-]+", line)}
    assert {"--workers", "--join", "--storage", "--slurm", "--limit", "--again", "--page"} <= named
    assert named <= known
