"""The agent of CONTRIBUTING.md is one file and one line: it works in a copy of the package that has just these."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import lossagent

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PACKAGE = Path(lossagent.__file__).parent

PROGRAM = """
import sys
import lossagent, yaml
from pydantic import TypeAdapter
assert lossagent.__file__.startswith(sys.argv[1]), lossagent.__file__
from agents.kit import CASES, check, check_run
from lossagent.agents import AgentSettings, Rollback, create
from lossagent.agents.decay import Decay

agents = eval("{" + sys.argv[2] + "}")
written = create(TypeAdapter(AgentSettings).validate_python(yaml.safe_load(sys.argv[3])["agent"]))
assert written == Rollback(Decay(0.9)), written
for make in (*agents.values(), lambda: written):
    for case in CASES:
        check(make, case)
run = check_run(agents["decay"], stages=4)
print([round(state.weights["gan"], 6) for state in run.states[1:]], {state.decision.author for state in run.states[2:]})
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def mirror(folder: Path, target: Path, own: set[str]) -> None:
    """Links to all that a folder holds, but for what will be the copy's own."""
    target.mkdir()
    for entry in folder.iterdir():
        if entry.name not in own | {"__pycache__"}:
            (target / entry.name).symlink_to(entry)


def test_an_agent_is_one_file_and_one_line(tmp_path: Path) -> None:
    file, line, kit_line = blocks("python")
    (experiment,) = blocks("yaml")
    mirror(PACKAGE, tmp_path / "lossagent", own={"agents"})
    agents = tmp_path / "lossagent" / "agents"
    mirror(PACKAGE / "agents", agents, own={"table.py"})
    (agents / "decay.py").write_text(file, encoding="utf-8")
    table = (PACKAGE / "agents" / "table.py").read_text(encoding="utf-8")
    assert table.count("AGENTS = {\n") == 1
    (agents / "table.py").write_text(table.replace("AGENTS = {\n", "AGENTS = {\n" + line), encoding="utf-8")

    paths = os.pathsep.join([str(tmp_path), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), kit_line.strip(), experiment],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[0.01, 0.008, 0.0064, 0.00512] {'decay'}"


def test_what_the_section_names_is_there() -> None:
    for path in re.findall(r"`((?:src|tests)/[\w/.]+)`", TEXT):
        assert (ROOT / path).exists() or path.endswith("decay.py"), path
    for path in re.findall(r"\]\((\w[\w/.]+)\)", TEXT):
        assert (ROOT / path).exists(), path
