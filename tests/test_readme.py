"""What the README shows is true."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import shlex
import textwrap
import warnings
from pathlib import Path

import pytest
import torch

from command_line import command
from lossagent import loop

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def statements(source: str) -> str:
    """A function's name and statements without comments, annotations and docstring."""
    (function,) = ast.parse(textwrap.dedent(source)).body
    assert isinstance(function, ast.FunctionDef)
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    names = [argument.arg for argument in function.args.args]
    return "\n".join([function.name, *names, *(ast.dump(statement) for statement in body)])


def test_the_loop_is_the_loop() -> None:
    (shown,) = [block for block in blocks("python") if "def optimise" in block]
    assert statements(shown) == statements(inspect.getsource(loop.optimise))


def program() -> dict[str, object]:
    """Runs the program of the README; the names it leaves."""
    (text,) = [block for block in blocks("python") if "Steering(" in block]
    names: dict[str, object] = {"__name__": "readme"}
    exec(compile(text, "README.md", "exec"), names)
    return names


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
def test_the_whole_program_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trajectory = program()["steering"].trajectory  # pyright: ignore[reportAttributeAccessIssue]
    assert len(trajectory.states) == 6
    assert len(trajectory.scored) == 6
    assert all(state.feedback.mean("error") is not None for state in trajectory.states)
    assert list(tmp_path.iterdir()) == []


def test_the_whole_program_runs_without_a_warning() -> None:
    torch.set_warn_always(True)  # torch says it once a process otherwise
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            program()
    finally:
        torch.set_warn_always(False)
    assert [str(warning.message) for warning in said] == []


def test_every_command_and_option_shown_exists() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("lossagent ")]
    assert len(lines) >= 9
    for line in lines:
        words = shlex.split(line.split("#")[0].split(">")[0])[1:]
        name = words[:2] if words[0] in {"assets", "prepare", "simulate"} else words[:1]
        shown = command(*name, "--help")
        assert shown.status == 0
        for option in (word for word in words if word.startswith("--")):
            assert option in shown.out, f"{line}: {option}"


def test_every_file_linked_is_there() -> None:
    root = Path(__file__).resolve().parents[1]
    links = [to for to in re.findall(r"\]\(([^)]+)\)", README) if "://" not in to]
    assert links
    assert [to for to in links if not (root / to).exists()] == []
    assert [f for f in re.findall(r"python (benchmarks/\S+\.py)", README) if not (root / f).exists()] == []


def test_the_tree_names_every_part_of_the_package_once() -> None:
    (tree,) = re.findall(r"```text\nsrc/lossagent/\n(.*?)```", README, re.DOTALL)
    names = [name.strip() for line in tree.splitlines() for name in re.split(r"\s{2,}", line[4:])[0].split(",")]
    package = Path(inspect.getfile(loop)).parent
    there = {f"{p.name}/" for p in package.iterdir() if p.is_dir() and p.name != "__pycache__"}
    there |= {p.name for p in package.glob("*.py")} - {"__init__.py"}
    assert sorted(names) == sorted(there)


def test_the_tree_is_in_the_order_of_imports() -> None:
    (tree,) = re.findall(r"```text\nsrc/lossagent/\n(.*?)```", README, re.DOTALL)
    contract = (Path(__file__).resolve().parents[1] / ".importlinter").read_text(encoding="utf-8")
    layers = re.findall(r"(?m)^    ([a-z_| ]+)$", contract.split("layers =\n")[1].split("[importlinter")[0])
    depth = {name: at for at, line in enumerate(layers) for name in line.replace("|", " ").split()}
    named = [re.findall(r"([a-z_]+)(?:\.py|/)", line) for line in tree.splitlines()]
    for above, below in itertools.pairwise(named):
        assert min(depth[name] for name in above) <= max(depth[name] for name in below), (above, below)
