"""What the page about Optuna shows runs as it stands."""

import re
import shlex
from pathlib import Path

import pytest

import lossagent
from command_line import command

DOCS = Path(__file__).resolve().parents[2] / "docs" / "adapters"
PAGE = (DOCS / "optuna.md").read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path, monkeypatch):
    pytest.importorskip("optuna", reason="Optuna is not installed")
    monkeypatch.chdir(tmp_path)
    goal = {"targets": [{"metric": "niqe", "direction": "lower"}]}
    with lossagent.steer("runs/niqe", {"l1": 1.0, "gan": 0.1}, goal=goal, score="elsewhere", stages=2) as steering:
        steering.tell(0, scores={"niqe": 5.0})
        while stage := steering.ask():
            steering.tell(stage.state, scores={"niqe": 5.0 - 0.1 * stage.state})
    return tmp_path / "runs" / "niqe"


def test_the_blocks_run(run, capsys):
    (text,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(text, "optuna.md", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out.startswith("2 4.8 ")
    (shell,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    (line,) = [line for line in shell.splitlines() if line.startswith("lossagent ")]
    shown = command(*shlex.split(line)[1:])
    assert (shown.status, shown.err) == (0, "")
    assert "study 'niqe' has 2 trials" in shown.out


def test_the_index_has_every_page():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert pages >= {"basicsr.md", "optuna.md", "lightning.md", "accelerate.md", "transformers.md"}
    assert [page for page in pages if f"({page})" not in index] == []
