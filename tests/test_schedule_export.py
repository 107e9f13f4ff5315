"""A found schedule: a table, and an experiment that leads to the same checkpoint without an agent."""

from __future__ import annotations

import csv
import io
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from command_line import command, written
from lossagent.events import Decided
from lossagent.experiment import load
from lossagent.replay.schedule import schedule_of
from lossagent.runs import read_events, read_trajectory
from tiny import experiment

pytestmark = pytest.mark.usefixtures("no_assets")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run that was guided by a language model and by a rollback guard."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("schedule")
        patch.setenv("LOSSAGENT_HOME", str(root / "home"))
        replies = [f"Weights: l1:mse:gan=1.0:{m}:{g}" for m, g in ((0.3, 0.0), (0.61, 0.27), (0.17, 0.033))]
        data = experiment(
            root,
            agent={"kind": "llm", "rollback": True, "answer": "pattern", "query": "pooled"},
            chat={"kind": "scripted", "replies": replies},
            guards=["lattice"],
        )
        ran = command("run", written(data, root), "--out", root / "run")
        assert ran.status == 0, ran.err
        yield root / "run"


def test_the_schedule_leads_to_the_same_checkpoint(run: Path, tmp_path: Path) -> None:
    trajectory = read_trajectory(run)
    deepest = max(trajectory.scored, key=lambda s: s.depth)
    assert deepest.depth >= 2
    exported = command("export", run, "--state", deepest.id, "--schedule", tmp_path / "schedule.yaml")
    assert exported.status == 0, exported.err
    ran = command("run", tmp_path / "schedule.yaml", "--out", tmp_path / "again")
    assert ran.status == 0, ran.err
    again = read_trajectory(tmp_path / "again")
    assert [s.weights for s in again.states[1:]] == [s.weights for s in trajectory.path(deepest.id)[1:]]
    assert again.last.report is not None
    assert deepest.report is not None
    assert again.last.report.checkpoint == deepest.report.checkpoint
    assert again.last.report.images == deepest.report.images


def test_the_table_is_printed_as_markdown_or_csv(run: Path, tmp_path: Path) -> None:
    shown = command("export", run, "--state", "last", "--schedule", tmp_path / "a.yaml")
    lines = shown.out.splitlines()
    assert lines[0] == "| stage | l1 | mse | gan |"
    assert lines[2] == "| 1 | 1.0 | 0.5 | 0.1 |"
    assert "lossagent run" in shown.err
    table = command("export", run, "--state", "last", "--schedule", tmp_path / "b.yaml", "--csv")
    rows = list(csv.DictReader(io.StringIO(table.out)))
    last = read_trajectory(run).scored[-1]
    assert len(rows) == last.depth
    assert last.weights is not None
    assert {n: float(rows[-1][n]) for n in last.weights.names} == last.weights.values()


def test_the_experiment_asks_nobody_and_has_no_bounds(run: Path, tmp_path: Path) -> None:
    command("export", run, "--state", "last", "--schedule", tmp_path / "schedule.yaml")
    found, before = load(tmp_path / "schedule.yaml"), load(run / "experiment.yaml")
    assert found.dump()["agent"]["kind"] == "schedule"
    assert found.dump()["agent"]["rollback"] is False
    assert found.chat is None
    assert (found.bounds.low, found.bounds.high, found.bounds.trust) == (None, None, None)
    assert found.name == "tiny-schedule"
    assert (found.seed, found.data, found.restorer, found.guards) == (
        before.seed,
        before.data,
        before.restorer,
        before.guards,
    )


def test_people_s_aims_are_left_out(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    data = yaml.safe_load((run / "experiment.yaml").read_text(encoding="utf-8"))
    data["people"] = {"ask": "pairs", "raters": 1}
    data["goal"]["targets"].append({"metric": "preference", "direction": "higher", "unit": 1.0})
    (tmp_path / "run" / "experiment.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    found = schedule_of(tmp_path / "run", "last").experiment
    assert found.people is None
    assert [t.metric for t in found.goal.targets] == ["psnr_y"]


def test_a_stage_on_other_data_is_said_to_lead_elsewhere(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    last = read_trajectory(run).scored[-1].id
    lines = [
        event.model_copy(update={"decision": event.decision.model_copy(update={"replicate": 1})})
        if isinstance(event, Decided) and event.state == last
        else event
        for event in read_events(run)
    ]
    text = "".join(event.model_dump_json() + "\n" for event in lines)
    (tmp_path / "run" / "events.jsonl").write_text(text, encoding="utf-8")
    shown = command("export", tmp_path / "run", "--state", "last", "--schedule", tmp_path / "schedule.yaml")
    assert "will not be the same" in shown.err
    assert (tmp_path / "schedule.yaml").read_text(encoding="utf-8").startswith("# stage")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--state", "start", "--schedule", "x.yaml"], "no schedule that leads to it"),
        (["--state", "99", "--schedule", "x.yaml"], "has no state '99'"),
        (["--schedule", "x.yaml", "--out", "y.pth"], "leave out --out and --format"),
        (["--csv"], "--csv is about the table"),
    ],
    ids=str,
)
def test_what_makes_no_schedule_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = command("export", run, *words)
    assert refused.status == 2
    assert said in refused.err
    assert not list(tmp_path.iterdir())


def test_the_page_shows_what_runs(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "replay.md").read_text(encoding="utf-8")
    lines = re.findall(r"^lossagent ((?:export|run) .*)$", page, re.MULTILINE)
    assert len(lines) == 2
    (tmp_path / "runs").mkdir()
    shutil.copytree(run, tmp_path / "runs" / "niqe")
    monkeypatch.chdir(tmp_path)
    for line in lines:
        ran = command(*shlex.split(line))
        assert ran.status == 0, ran.err
    assert read_trajectory(tmp_path / "runs" / "niqe-schedule").finished is not None


def test_a_file_that_is_there_is_not_written_over(run: Path, tmp_path: Path) -> None:
    (tmp_path / "schedule.yaml").write_text("mine", encoding="utf-8")
    refused = command("export", run, "--state", "last", "--schedule", tmp_path / "schedule.yaml")
    assert refused.status == 2
    assert (tmp_path / "schedule.yaml").read_text(encoding="utf-8") == "mine"
