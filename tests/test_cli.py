"""The command line: help, exit statuses, and what each command leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from command_line import command, written
from lossagent import assets, recipes
from lossagent.cli import COMMANDS, spread
from lossagent.commands.doctor import EXTRAS
from lossagent.errors import Damaged, Interrupted, Refused, UnknownName
from lossagent.restorers import build
from lossagent.runs import read_trajectory
from tiny import experiment, pictures

GROUPS = {
    "assets": ("list", "fetch", "verify"),
    "prepare": ("list", "check", "tile", "verify", "twins"),
    "simulate": ("fit", "check", "compare"),
}
EVERY = [[name] for name in COMMANDS if name not in GROUPS]
EVERY += [[group, name] for group, names in GROUPS.items() for name in names]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run called "run" and its experiment file."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("cli")
        patch.setenv("LOSSAGENT_HOME", str(root / "home"))
        ran = command("run", written(experiment(root), root), "--out", root / "run")
        assert ran.status == 0, ran.err
    return root


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_help_says_what_a_command_does_with_an_example(words: list[str]) -> None:
    shown = command(*words, "--help")
    assert shown.status == 0
    assert shown.err == ""
    assert f"Example: lossagent {' '.join(words)}" in shown.out


def test_help_names_every_command() -> None:
    shown = command("--help")
    assert shown.status == 0
    assert all(name in shown.out for name in COMMANDS)
    assert all(name in command(group, "--help").out for group, names in GROUPS.items() for name in names)


@pytest.mark.parametrize(
    "words",
    [["trian"], ["run"], ["run", "a.yaml", "--ouT", "b"], ["score", "psnr"], ["assets", "get"], ["restore", "a", "b"]],
    ids=" ".join,
)
def test_words_that_make_no_command_are_refused(words: list[str]) -> None:
    outcome = command(*words)
    assert outcome.status == 2
    assert "Usage" in outcome.err


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Damaged("file a is damaged [1/2]"), 1, "file a is damaged [1/2]"),  # brackets are no markup
        (Refused("stages must be >= 1"), 2, "stages must be >= 1"),
        (UnknownName("metric", "nique", ["niqe"]), 2, "Did you mean 'niqe'?"),
        (Interrupted("go on with: lossagent resume x"), 3, "go on with: lossagent resume x"),
        (KeyboardInterrupt(), 3, "Interrupted"),
    ],
)
def test_every_kind_of_end_has_its_exit_status(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, said: str
) -> None:
    def end(name: str, scale: str) -> str:
        raise error

    monkeypatch.setattr(recipes, "text", end)
    outcome = command("recipe", "classical-sr")
    assert outcome.status == status
    assert said in outcome.err
    assert outcome.out == ""


def test_the_installed_command_ends_with_its_status(tmp_path: Path) -> None:
    program = "from lossagent.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "recipe", "classical-srr"],
        capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Refused: ")
    assert "Did you mean 'classical-sr'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_score_prints_a_table_or_json(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures", 2, side=48)
    truth = pictures(tmp_path / "truth", 2, side=48)
    shifted = folder / "p0-1.png"
    pixels = np.asarray(Image.open(shifted)).astype(np.int16)
    Image.fromarray(np.clip(pixels - np.sign(pixels - 128) * 5, 0, 255).astype(np.uint8)).save(shifted)
    outcome = command("score", "psnr", folder / "p0-0.png", shifted, "--reference", truth, "--json", "--border", 4)
    assert outcome.status == 0, outcome.err
    same, other = json.loads(outcome.out)
    assert set(same) == set(other) == {"path", "metric", "value", "options"}
    assert (same["path"], same["metric"], same["value"]) == (str(folder / "p0-0.png"), "psnr", "inf")
    assert other["value"] == pytest.approx(10 * np.log10(255**2 / 25), abs=0.05)
    assert other["options"]["border"] == 4
    assert other["options"]["reference_path"] == str(truth / "p0-1.png")
    shown = command("score", "psnr", folder, "--reference", truth)
    assert shown.status == 0
    assert "p0-1.png" in shown.out
    assert "mean" in shown.out


def test_score_needs_no_reference_where_a_metric_looks_at_one_image(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures", 2, side=200)
    outcome = command("score", "niqe", folder, "--json")
    assert outcome.status == 0, outcome.err
    rows = json.loads(outcome.out)
    assert [Path(row["path"]).name for row in rows] == ["p0-0.png", "p0-1.png"]
    assert all(row["metric"] == "niqe" and 0 < row["value"] < 100 for row in rows)


def test_a_run_leaves_a_folder_and_says_where(finished: Path) -> None:
    folder = finished / "run"
    for part in ("experiment.yaml", "environment.json", "events.jsonl", "losses.jsonl", "evaluation.json"):
        assert (folder / part).stat().st_size > 0
    assert read_trajectory(folder).finished is not None
    assert (folder / "report.html").exists()
    again = command("resume", folder)
    assert again.status == 0, again.err
    assert "Report:" in again.out


def test_restore_applies_a_run_and_its_states(finished: Path, tmp_path: Path) -> None:
    low = pictures(tmp_path / "low", 2, side=18)
    made = command("restore", finished / "run", low, tmp_path / "selected")
    assert made.status == 0, made.err
    for image in low.iterdir():
        assert np.asarray(Image.open(tmp_path / "selected" / image.name)).shape == (72, 72, 3)
    assert command("restore", finished / "run", low / "p0-0.png", tmp_path / "s0", "--state", "start").status == 0
    assert command("restore", finished / "run", low / "p0-0.png", tmp_path / "s3", "--state", 3).status == 0
    untouched, trained = (np.asarray(Image.open(tmp_path / name / "p0-0.png")) for name in ("s0", "s3"))
    assert not np.array_equal(untouched, trained)
    refused = command("restore", finished / "run", low, tmp_path / "none", "--state", "9")
    assert refused.status == 2
    assert "selected" in refused.err
    assert not (tmp_path / "none").exists()


def test_restore_gives_what_the_run_itself_scored(finished: Path, tmp_path: Path) -> None:
    folder = finished / "run" / "images"
    assert command("restore", finished / "run", folder / "input", tmp_path / "out", "--state", "last").status == 0
    for image in (folder / "state-0003").iterdir():
        ours = np.asarray(Image.open(tmp_path / "out" / image.name))
        assert np.array_equal(ours, np.asarray(Image.open(image)))


def test_restore_applies_a_checkpoint_file_ours_and_bicubic(tmp_path: Path) -> None:
    low = pictures(tmp_path / "low", 1, side=18)
    torch.manual_seed(3)
    save_file(build("compact", {"scale": 4}).state_dict(), tmp_path / "mine.safetensors")
    results: list[np.ndarray] = []
    for source in (tmp_path / "mine.safetensors", "compact_x4", "bicubic"):
        out = tmp_path / Path(str(source)).stem
        outcome = command("restore", source, low, out)
        assert outcome.status == 0, outcome.err
        results.append(np.asarray(Image.open(out / "p0-0.png")).astype(float))
    mine, ours, bicubic = results
    assert mine.shape == ours.shape == bicubic.shape == (72, 72, 3)
    assert np.abs(ours - bicubic).mean() < np.abs(mine - bicubic).mean()


def test_report_writes_a_page_about_one_run_or_several(finished: Path, tmp_path: Path) -> None:
    made = command("report", finished / "run", "--out", tmp_path / "page.html", "--title", "Seen & <judged>")
    assert made.status == 0, made.err
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Seen &amp; &lt;judged&gt;" in page
    assert "psnr_y" in page
    assert list((tmp_path / "figures").glob("*.png"))
    assert command("report", finished / "run", finished / "run", "--out", tmp_path / "two.html").status == 0


@pytest.mark.usefixtures("no_assets")
def test_assets_are_listed_with_licence_and_state() -> None:
    shown = command("assets", "list")
    assert shown.status == 0
    assert all(name in shown.out for name in assets.ASSETS)
    assert "Apache-2.0" in shown.out
    assert str(assets.cache()) in shown.out.replace("\n", "")
    refused = command("assets", "fetch", "smolm2-135m-instruct")
    assert refused.status == 2
    assert "Did you mean 'smollm2-135m-instruct'?" in refused.err


@pytest.mark.usefixtures("no_assets")
def test_the_doctor_says_what_is_missing_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1234567890")
    shown = command("doctor")
    assert shown.status == 0, shown.err
    assert "torch" in shown.out
    assert torch.__version__.split("+")[0] in shown.out
    assert "lossagent assets fetch efficientnet-lite0" in shown.out
    assert "sk-secret" not in shown.out


def test_the_doctor_says_of_each_package_what_it_is_for() -> None:
    purposes = [purpose for _, purpose in EXTRAS.values()]
    assert sorted(purposes) == sorted(set(purposes)), "one purpose would be printed twice"
    text = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    assert {extra for extra, _ in EXTRAS.values()} == project["optional-dependencies"].keys() - {"dev", "docs"}


def test_every_built_in_metric_that_is_listed_can_be_asked_for(tmp_path: Path) -> None:
    shown = command("score", "--list")
    assert shown.status == 0
    names = [line.split()[0] for line in shown.out.splitlines()[1:] if line.strip()]
    page = (Path(__file__).resolve().parents[1] / "docs" / "metrics-builtin.md").read_text(encoding="utf-8")
    for name in (name for name in names if not name.startswith("pyiqa:")):
        assert f"`{name}`" in page, name
        refused = command("score", name, tmp_path / "missing.png")
        assert "Unknown" not in refused.err, name


@pytest.mark.usefixtures("no_assets")
def test_a_dry_run_shows_the_first_prompt_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = {"kind": "scripted", "replies": ["no answer is asked for"]}
    data = experiment(tmp_path, agent={"kind": "llm", "answer": "pattern", "rollback": True}, chat=chat)
    file = written(data, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    shown = command("run", file, "--dry-run", "--out", tmp_path / "run")
    assert shown.status == 0, shown.err
    assert "--- system ---" in shown.out
    assert "--- user ---" in shown.out
    assert "l1:mse:gan" in shown.out
    assert "S_0: " in shown.out
    assert "psnr_y" in shown.out
    assert "Estimate" in shown.out
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("no_assets")
def test_a_dry_run_refuses_what_a_run_would(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["goal"]["targets"][0]["metric"] = "psnr_x"
    data["tolerance"] = {}
    refused = command("run", written(data, tmp_path), "--dry-run")
    assert refused.status == 2
    assert "Did you mean 'psnr_y'?" in refused.err


def test_sets_of_evaluate_may_follow_one_another() -> None:
    words = ["evaluate", "a", "b", "--sets", "S=x", "T=y", "--scale", "4", "--sets", "U=z"]
    assert spread(words) == ["evaluate", "a", "b", *("--sets", "S=x", "--sets", "T=y"), "--scale", "4", "--sets", "U=z"]
    assert spread(["evaluate", "--sets", "S=x", "runs/a"]) == ["evaluate", "--sets", "S=x", "runs/a"]
    assert spread(["run", "a.yaml", "--out", "b"]) == ["run", "a.yaml", "--out", "b"]
