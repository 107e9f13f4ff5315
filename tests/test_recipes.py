"""Recipes are complete experiments; the paper's states the paper's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from command_line import command, written
from lossagent import recipes
from lossagent.agents.llm.settings import LLMSettings
from lossagent.assets import ASSETS
from lossagent.chat.table import ServerSettings
from lossagent.errors import UnknownName
from lossagent.experiment import Experiment, parse
from lossagent.runs import read_trajectory

EVERY = [
    ("classical-sr", "paper"),
    ("classical-sr", "small"),
    ("classical-sr", "smoke"),
    ("demo", "small"),
    ("real-sr", "paper"),
    ("real-sr", "small"),
    ("real-sr", "smoke"),
    ("all-in-one", "paper"),
    ("all-in-one", "small"),
    ("all-in-one", "smoke"),
]


def recipe(name: str, scale: str) -> Experiment:
    return parse(yaml.safe_load(recipes.text(name, scale)))


def test_these_are_all_recipes() -> None:
    assert recipes.names() == sorted({name for name, _ in EVERY})


@pytest.mark.parametrize(("name", "scale"), EVERY)
def test_every_recipe_is_a_whole_experiment_and_is_printed_as_it_is(name: str, scale: str) -> None:
    chosen = recipe(name, scale)
    assert chosen.name
    printed = command("recipe", name, "--scale", scale)
    assert printed.status == 0
    assert parse(yaml.safe_load(printed.out)) == chosen
    assert "#" in printed.out  # with its comments


def test_unknown_recipes_name_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'classical-sr'"):
        recipes.text("clasical-sr", "paper")
    with pytest.raises(UnknownName, match="Did you mean 'smoke'"):
        recipes.text("classical-sr", "smok")


def test_the_papers_training() -> None:
    training = recipe("classical-sr", "paper").training
    assert (training.stages, training.iterations) == (20, 5000)
    assert training.stages * training.iterations == 100_000
    assert training.batch == 32
    assert training.learning_rate == 1e-4
    assert training.clip is None
    assert training.warmup == 0
    assert (training.ema, training.score) == (None, "raw")


def test_the_papers_losses_and_network() -> None:
    chosen = recipe("classical-sr", "paper")
    assert chosen.initial.values() == {"l1": 1.0, "perceptual": 0.1, "gan": 0.01}
    assert [loss.kind for loss in chosen.losses.values()] == ["l1", "perceptual", "adversarial"]
    assert chosen.losses["perceptual"].backbone == "vgg19"
    assert (chosen.scale, chosen.restorer.network) == (4, "swinir")
    assert chosen.restorer.arguments["embed_dim"] == 180
    assert chosen.restorer.arguments["depths"] == [6] * 6
    assert chosen.data.degradation.kind == "bicubic"


def test_the_papers_agent_is_unguarded() -> None:
    chosen = recipe("classical-sr", "paper")
    agent, bounds = chosen.agent, chosen.bounds
    assert isinstance(agent, LLMSettings)
    assert agent.rollback is False
    assert (agent.query, agent.answer, agent.constrain) == ("per_image", "pattern", False)
    assert (agent.history, agent.direction, agent.example) == ("all", "on", True)
    assert not any(agent.evidence.model_dump().values())
    assert (bounds.low, bounds.high, bounds.trust, bounds.per_loss, bounds.frozen) == (
        None,
        None,
        None,
        {},
        frozenset(),
    )
    assert isinstance(chosen.chat, ServerSettings)
    assert "Llama-3-8B-Instruct" in chosen.chat.model


def test_the_papers_overlap_is_declared_and_ten_feedback_images_are_drawn() -> None:
    data = recipe("classical-sr", "paper").data
    assert data.overlap == "declared"
    assert data.feedback.count == 10
    assert data.feedback.images == data.test["Set14"].images
    assert list(data.test) == ["Set5", "Set14", "BSD100", "Urban100", "Manga109"]


def test_other_recipes_keep_sets_apart_and_guard_the_agent() -> None:
    for name, scale in EVERY:
        if scale == "paper":
            continue
        chosen = recipe(name, scale)
        assert chosen.data.overlap == "refuse"
        assert chosen.data.selection is not None
        assert chosen.agent.rollback is True
        assert chosen.bounds.trust is not None


@pytest.mark.slow
@pytest.mark.usefixtures("no_assets")
@pytest.mark.parametrize("task", ["classical-sr", "real-sr", "all-in-one"])
def test_the_smoke_recipe_runs_to_its_report(tmp_path: Path, task: str) -> None:
    for package in ("skimage", "sklearn"):
        pytest.importorskip(package, reason="ships the photographs of the demo")
    file = written(yaml.safe_load(recipes.text(task, "smoke")), tmp_path)
    folder = tmp_path / "run"
    ran = command("run", file, "training.threads=1", "--out", folder)
    assert ran.status == 0, ran.err
    assert str(folder / "report.html") in ran.out.replace("\n", "")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert "niqe" in page
    trajectory = read_trajectory(folder)
    assert len(trajectory.scored) == 4
    assert trajectory.finished is not None


def test_the_other_tasks_lengths_and_weights_are_the_papers() -> None:
    real, all_in_one = recipe("real-sr", "paper"), recipe("all-in-one", "paper")
    assert (real.training.stages * real.training.iterations, real.training.iterations) == (200_000, 5000)
    assert real.initial.values() == {"l1": 1.0, "perceptual": 0.1, "gan": 0.01}
    assert real.restorer.arguments["upsampler"] == "nearest+conv"
    feedback = real.data.sets["feedback"][0]
    assert (feedback.reference, feedback.count) == (False, 10)
    assert (all_in_one.training.stages * all_in_one.training.iterations, all_in_one.training.iterations) == (
        100_000,
        2500,
    )
    assert all_in_one.training.batch == 16
    assert all_in_one.initial.values() == {"l1": 1.0, "perceptual": 0.1, "lpips": 1.0}
    assert all_in_one.scale == 1
    assert sum(part.count or 0 for part in all_in_one.data.sets["feedback"]) == 10


def test_the_all_in_one_weights_are_promptirs_epoch() -> None:
    train = recipe("all-in-one", "paper").data.sets["train"]
    # 5144 images three times for each sigma, 200 rain pairs 120 times, 72,135 haze pairs.
    assert {part.condition: part.weight for part in train} == {
        "noise15": 5144 * 3,
        "noise25": 5144 * 3,
        "noise50": 5144 * 3,
        "rain": 200 * 120,
        "haze": 72135,
    }


def test_every_start_of_a_paper_recipe_is_an_asset() -> None:
    for task in ("classical-sr", "real-sr", "all-in-one"):
        assert recipe(task, "paper").restorer.start in ASSETS
