"""The examples run as they stand, at a size of seconds."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from accelerated import fresh_accelerate
from command_line import command
from lossagent.runs import read_trajectory

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--stages", "2", "--steps", "2", "--crop", "32", "--batch", "2", "--warm-up", "2")
USED = {"denoising", "sharpness", "steer_trainer"}  # by the others

pytestmark = pytest.mark.usefixtures("no_assets")


def ran(name, folder, monkeypatch, *more):
    """The trajectory of an example."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--folder", str(folder), *SMALL, *more])
    runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    return read_trajectory(folder)


def assert_whole(trajectory, metrics):
    assert [s.depth for s in trajectory.states] == [0, 1, 2]
    assert [s.report.iterations for s in trajectory.states] == [0, 2, 2]
    for state in trajectory.states:
        assert set(state.feedback.scores) == set(metrics)
        assert all(state.feedback.mean(metric) is not None for metric in metrics)
    assert trajectory.last.weights != trajectory.initial


def assert_opens(folder):
    """The report and the dashboard know the losses and the scores."""
    from lossagent.dashboard.finding import Runs

    trajectory = read_trajectory(folder)
    shown = command("report", folder)
    assert shown.status == 0, shown.err
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in (*trajectory.initial.names, "niqe"))
    runs = Runs(folder)
    (glance,) = runs.all()
    seen = runs.run(glance["id"]).summary()
    assert glance["problem"] is None
    assert seen["losses"] == list(trajectory.initial.names)
    assert [s["scored"] for s in seen["states"]] == [True, True, True]


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("denoiser", ["niqe"]),
        ("own_loss", ["niqe"]),
        ("own_metric", ["sharpness", "niqe"]),
        ("two_objectives", ["niqe", "brisque", "psnr"]),
    ],
)
def test_plain_loops(tmp_path, monkeypatch, name, metrics):
    assert_whole(ran(name, tmp_path / "run", monkeypatch), metrics)


def test_photographs_of_ones_own(tmp_path, monkeypatch, rng):
    from PIL import Image

    (tmp_path / "mine").mkdir()
    for number in range(4):
        pixels = rng.integers(0, 256, (200, 210, 3), dtype="uint8")
        Image.fromarray(pixels).save(tmp_path / "mine" / f"photo{number}.png")
    trajectory = ran("denoiser", tmp_path / "run", monkeypatch, "--images", str(tmp_path / "mine"))
    assert set(trajectory.start.feedback.scores["niqe"]) == {"photo0", "photo1", "photo2"}


def test_words(tmp_path, monkeypatch):
    trajectory = ran("words", tmp_path / "run", monkeypatch)
    assert len(trajectory.scored) == 3
    assert "against the references" in trajectory.start.feedback.remarks[0].text
    assert trajectory.last.decision.thoughts.startswith("no thought, a rule")


@pytest.mark.filterwarnings("default")  # Lightning's advice
def test_lightning(tmp_path, monkeypatch):
    pytest.importorskip("lightning", reason="Lightning is not installed: pip install 'lossagent[lightning]'")
    trajectory = ran("lightning_gan", tmp_path / "run", monkeypatch)
    assert_whole(trajectory, ["niqe"])
    assert set(trajectory.last.report.evidence.image_norms) == {"l1", "gan"}
    assert_opens(tmp_path / "run")


def test_accelerate(tmp_path, monkeypatch):
    with fresh_accelerate():
        trajectory = ran("accelerate_loop", tmp_path / "run", monkeypatch, "--cpu")
    assert_whole(trajectory, ["niqe"])
    assert_opens(tmp_path / "run")


@pytest.mark.slow
def test_accelerate_with_two_processes(tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    example = [str(ROOT / "examples" / "accelerate_loop.py"), "--cpu", "--folder", str(tmp_path / "run"), *SMALL]
    ended = subprocess.run([*launch, *example], check=True, timeout=1200, capture_output=True, text=True)
    assert ended.stdout.count("is scored") == 2  # two stages, told once each
    assert_whole(read_trajectory(tmp_path / "run"), ["niqe"])


def test_every_example_is_run():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    shown = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert "denoiser" in names
    assert [name for name in names - USED if f'"{name}"' not in text and f"{name}.py" not in text] == []
    assert [name for name in names if f"{name}.py" not in shown] == []


def test_the_commands_of_the_page_exist():
    shown = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    commands = re.findall(r"(?:^|`)((?:python|accelerate launch)[^`\n#|]*)", shown, re.MULTILINE)
    assert len(commands) >= 9
    for line in commands:
        (file,) = re.findall(r"examples/\w+\.py", line)
        assert (ROOT / file).exists()
        text = (ROOT / file).read_text(encoding="utf-8") + (ROOT / "examples" / "denoising.py").read_text("utf-8")
        for option in re.findall(r"--[\w-]+", line.split(file)[1]):
            assert f'"{option}"' in text
