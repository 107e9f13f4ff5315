"""Every block of code in the documentation parses, names what there is, or runs."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from reference.commands import command_line

from docs.pages import BLOCKS, ROOT, SHELL, Block, commands
from lossagent.cli import spread
from lossagent.experiment import Experiment
from lossagent.loops import LoopSettings, steer
from lossagent.schema import schema
from lossagent.study.plan import Study

KINDS = {"experiment": Experiment, "study": Study, "loop": LoopSettings}
OPTIONAL = frozenset({"accelerate", "basicsr", "lightning", "optuna", "pyiqa", "transformers"})
"""Packages that an extra brings, or that are somebody else's trainer."""


def of(*languages: str) -> list[object]:
    return [pytest.param(block, id=block.id) for block in BLOCKS if block.language in languages]


def partly(whole: dict[str, object]) -> dict[str, object]:
    """The schema of a part of a file: no key of the whole is missed."""
    return {key: value for key, value in whole.items() if key != "required"}


@pytest.mark.parametrize("block", [b for b in of("yaml") if not b.id.startswith("CONTRIBUTING.md")])  # its own test
def test_yaml_is_part_of_a_file_of_ours(block: Block) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    data = yaml.safe_load(block.text)
    if data is None:  # comments alone
        return
    assert isinstance(data, dict)
    kinds = [kind for kind, settings in KINDS.items() if data.keys() <= settings.model_fields.keys()]
    assert kinds, f"{sorted(data)} are not keys of an experiment, a study or a loop"
    problems = {
        kind: [
            f"{list(e.path)}: {e.message}"
            for e in jsonschema.Draft202012Validator(partly(schema(kind))).iter_errors(data)
        ]
        for kind in kinds
    }
    assert [] in problems.values(), problems


@pytest.mark.parametrize("block", of("python"))
def test_python_compiles_and_its_imports_resolve(block: Block) -> None:
    text = f"{{{block.text}}}" if block.text.startswith(" ") else block.text  # a row of a table
    tree = ast.parse(text)
    compile(text, block.id, "exec")
    page = (ROOT / block.page).read_text(encoding="utf-8")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                assert_known(name.name, [], page)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert_known(node.module, [name.name for name in node.names], page)


def assert_known(module: str, names: list[str], page: str) -> None:
    """The module is there with these names; one that is not ours is known, or a file that the page shows."""
    top = module.split(".")[0]
    if top == "lossagent":
        if re.search(rf"`src/{module.replace('.', '/')}\.py`", page):  # the page is about adding it
            return
        found = importlib.import_module(module)
        for name in names:
            assert hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}"), f"{module}.{name}"
    elif importlib.util.find_spec(top) is None:
        assert top in OPTIONAL or f"{top}.py" in page, f"{module} is not installed"


@pytest.mark.parametrize("block", [pytest.param(b, id=b.id) for b in BLOCKS if "<!-- run -->" in b.marks])
def test_whole_programs_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert block.language == "python"
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    exec(compile(block.text, block.id, "exec"), names)
    assert any(path.is_file() for path in tmp_path.rglob("events.jsonl")), "it steered nothing"


def test_every_block_says_its_language() -> None:
    assert [block.id for block in BLOCKS if not block.language] == []


def a_run() -> dict[str, object]:
    """A folder ``runs`` that holds a run of one stage."""
    with steer(
        "runs/one",
        {"l1": 1.0, "gan": 0.01},
        goal={"targets": [{"metric": "opinion", "direction": "higher", "unit": 0.1}]},
        score="elsewhere",
        agent="random",
        stages=1,
    ) as steering:
        steering.tell(0, scores={"opinion": 3.0})
        stage = steering.ask()
        assert stage is not None
        steering.tell(stage.state, scores={"opinion": 3.2})
        assert steering.ask() is None
    return {}


def images() -> dict[str, object]:
    """``inputs``, ``references`` and ``restored`` of an image ``baby``."""
    reference = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    return {"inputs": {"baby": reference[::4, ::4]}, "references": {"baby": reference}, "restored": reference // 2}


AROUND = {"docs/dashboard.md": (a_run, " 1 of 1"), "docs/describer.md": (images, "all ")}
"""Page -> what its Python needs around it, what that prints."""


@pytest.mark.parametrize("page", AROUND)
def test_what_needs_something_around_it_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if page == "docs/dashboard.md":
        for package in ("uvicorn", "starlette"):
            pytest.importorskip(package, reason="the dashboard needs its extra")
    (block,) = [block for block in BLOCKS if block.page == page and block.language == "python"]
    prepare, printed = AROUND[page]
    monkeypatch.chdir(tmp_path)
    names = prepare()
    exec(compile(block.text, block.id, "exec"), names)
    assert printed in capsys.readouterr().out


@pytest.mark.parametrize("block", of(*sorted(SHELL)))
def test_shell_parses(block: Block) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    done = subprocess.run([bash, "-n"], input=block.text, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr


COMMANDS = sorted({line.strip() for block in BLOCKS for line in commands(block)})
SCRIPT = r"(?:examples|scripts|benchmarks)/\w+\.(?:py|sh)"
OURS = [line for line in COMMANDS if re.search(r"(^|\s)lossagent\s", line)]


def test_there_are_commands_to_look_at() -> None:
    assert len(OURS) > 60


@pytest.fixture(scope="module")
def lossagent() -> object:
    return command_line()


@pytest.mark.parametrize("line", OURS)
def test_a_command_of_ours_can_be_parsed(line: str, lossagent: object) -> None:
    words = shlex.split(line, comments=True)
    for start in [at for at, word in enumerate(words) if word == "lossagent"]:
        end = next((at for at in range(start, len(words)) if re.fullmatch(r"[|&;<>]+|\d?>.*", words[at])), len(words))
        arguments = spread([word.rstrip(";)'\"") for word in words[start + 1 : end]])
        command: object = lossagent
        while hasattr(command, "commands"):
            name = arguments.pop(0)
            assert name in command.commands, f"no command {name}"
            command = command.commands[name]
        with contextlib.suppress(typer.Exit):  # options such as --list print, and end there
            command.make_context(name, arguments)  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", [line for line in COMMANDS if re.search(SCRIPT, line)])
def test_a_script_is_there(line: str) -> None:
    (script,) = re.findall(SCRIPT, line)
    assert (ROOT / script).is_file()
