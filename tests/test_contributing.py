"""Each part that CONTRIBUTING.md adds works in a copy of the package that has just its file and its lines."""

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

AGENT = """
from agents.kit import CASES, check, check_run
from lossagent.agents import AgentSettings, Rollback, create
from lossagent.agents.decay import Decay

agents = eval("{" + kit_line + "}")
written = create(TypeAdapter(AgentSettings).validate_python(yaml.safe_load(experiment)["agent"]))
assert written == Rollback(Decay(0.9)), written
for make in (*agents.values(), lambda: written):
    for case in CASES:
        check(make, case)
run = check_run(agents["decay"], stages=4)
print([round(state.weights["gan"], 6) for state in run.states[1:]], {state.decision.author for state in run.states[2:]})
"""
LOSS = """
from losses import kit
from losses.kit import Case
from lossagent.build.networks import options_of
from lossagent.experiment import LossSettings
from lossagent.losses.colour import Colour
from lossagent.losses.table import LOSSES

cases = eval("{" + kit_line + "}")
for check in kit.checks(cases["colour"]):
    check(cases["colour"])
losses = TypeAdapter(dict[str, LossSettings]).validate_python(yaml.safe_load(experiment)["losses"])
made = {name: LOSSES.create(one.kind, options_of(name, one)) for name, one in losses.items()}
print(made["colour"], losses["colour"].weight, LOSSES.facts("colour"))
"""
METRIC = """
import torch
from lossagent import recipes
from lossagent.experiment import parse
from lossagent.metrics import create
from metrics.test_metric_table import test_every_metric_has_complete_facts, test_every_metric_scores_a_batch

test_every_metric_has_complete_facts("clipping")
test_every_metric_scores_a_batch("clipping")
base = yaml.safe_load(recipes.text("demo"))
limit = parse(base | yaml.safe_load(experiment)).goal.constraints[0]
half = torch.full((1, 3, 8, 8), 0.5)
half[..., :4] = 1
print(create("clipping")(half).tolist(), limit.metric, limit.unit)
"""
NETWORK = """
import tempfile
from pathlib import Path
from lossagent.build.networks import build_restorer
from lossagent.experiment import RestorerSettings
from lossagent.restorers.srcnn import SRCNN
from restorers.kit import CHECKS, Case

cases = eval("{" + kit_line + "}")
for check in CHECKS:
    with tempfile.TemporaryDirectory() as folder:
        check(cases["srcnn"], Path(folder))
network = build_restorer(RestorerSettings.model_validate(yaml.safe_load(experiment)["restorer"]), 4)
print(type(network).__name__, sum(p.numel() for p in network.parameters()))
"""
BEGIN = """
import sys
import lossagent, yaml
from pydantic import TypeAdapter
folder, experiment, kit_line = sys.argv[1:]
assert lossagent.__file__.startswith(folder), lossagent.__file__
"""


def section(title: str) -> tuple[list[str], str]:
    """(Python blocks, the YAML block) of a section."""
    text = re.split(r"(?m)^## ", TEXT.split(f"\n## {title}\n")[1])[0]
    python, (experiment,) = (re.findall(rf"```{lang}\n(.*?)```", text, re.DOTALL) for lang in ("python", "yaml"))
    return python, experiment


def mirror(folder: Path, target: Path, own: set[str]) -> None:
    """Links to all that a folder holds, but for what will be the copy's own."""
    target.mkdir()
    for entry in folder.iterdir():
        if entry.name not in own | {"__pycache__"}:
            (target / entry.name).symlink_to(entry)


def copied(target: Path, package: str, name: str, file: str, table: str, lines: dict[str, str]) -> None:
    """A copy of the package with one more file, and with lines put after places of its table that stand there once."""
    mirror(PACKAGE, target / "lossagent", own={package})
    folder = target / "lossagent" / package
    mirror(PACKAGE / package, folder, own={table})
    (folder / name).write_text(file, encoding="utf-8")
    text = (PACKAGE / package / table).read_text(encoding="utf-8")
    for place, line in lines.items():
        assert text.count(place) == 1, place
        text = text.replace(place, place + line)
    (folder / table).write_text(text, encoding="utf-8")


def printed(folder: Path, program: str, experiment: str, kit_line: str = "") -> str:
    """What a program prints that imports the copy."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program, str(folder), experiment, kit_line.strip()],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "tests")]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_agent_is_one_file_and_one_line(tmp_path: Path) -> None:
    (file, line, kit_line), experiment = section("Add an agent")
    copied(tmp_path, "agents", "decay.py", file, "table.py", {"AGENTS = {\n": line})
    assert printed(tmp_path, AGENT, experiment, kit_line) == "[0.01, 0.008, 0.0064, 0.00512] {'decay'}"


def test_a_loss_is_one_file_and_two_lines(tmp_path: Path) -> None:
    (file, imported, row, kit_line), experiment = section("Add a loss")
    lines = {"from lossagent.losses.base import Loss\n": imported, "LOSSES = LossTable(\n    {\n": row}
    copied(tmp_path, "losses", "colour.py", file, "table.py", lines)
    assert printed(tmp_path, LOSS, experiment, kit_line) == (
        "Colour(area=4) 0.5 holds colours of areas; leaves texture free"
    )


def test_a_metric_is_one_file_and_three_lines(tmp_path: Path) -> None:
    (file, imported, makes, row), experiment = section("Add a metric")
    lines = {
        "from lossagent.metrics.brisque import BRISQUE\n": imported,
        "Factory = Callable[[MetricOptions], Metric]\n": makes,
        "] = MappingProxyType(\n    {\n": row,
    }
    copied(tmp_path, "metrics", "clipping.py", file, "table.py", lines)
    assert printed(tmp_path, METRIC, experiment) == "[0.5] clipping 0.01"


def test_a_network_is_one_file_and_two_lines(tmp_path: Path) -> None:
    (file, imported, row, kit_line), experiment = section("Add a network")
    lines = {
        "from lossagent.restorers.swinir import SwinIR\n": imported,
        "RESTORERS: dict[str, type[nn.Module]] = {": row,
    }
    copied(tmp_path, "restorers", "srcnn.py", file, "tables.py", lines)
    assert printed(tmp_path, NETWORK, experiment, kit_line) == "SRCNN 20099"


def test_what_is_named_is_there() -> None:
    new = {"decay.py", "colour.py", "clipping.py", "srcnn.py"}
    for path in re.findall(r"`((?:src|tests|scripts)/[\w/.]+)`", TEXT):
        assert (ROOT / path).exists() or Path(path).name in new, path
