"""Bad input: a clear message, exit status 2, before work starts, and nothing is written."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from command_line import Outcome, command, written
from lossagent.checkpoints_data import path
from lossagent.restorers import build
from lossagent.runs import read_events
from tiny import experiment, pictures

pytestmark = pytest.mark.usefixtures("no_assets")

Data = dict[str, Any]


def refused(root: Path, data: Data, *words: str, file: Path | None = None) -> str:
    """The message of a run that is refused; checks that nothing was written."""
    file = file or written(data, root)
    before = listing(root)
    outcome = command("run", file, *words, "--out", root / "run")
    assert outcome.status == 2, outcome
    assert not (root / "run").exists(), "a refused run leaves no folder"
    assert listing(root) == before, "a refused run writes nothing"
    assert "Traceback" not in outcome.err
    return outcome.err


def listing(root: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() if p.is_file() else b"" for p in sorted(root.rglob("*"))}


def assert_refused(outcome: Outcome, *parts: str) -> None:
    """The message of any other command that is refused."""
    assert outcome.status == 2, outcome
    for part in parts:
        assert part in outcome.err


# -- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "where", "near"),
    [
        pytest.param({"trainig": {}}, "trainig", "training", id="top"),
        pytest.param({"training": {"itterations": 3}}, "training.itterations", "iterations", id="training"),
        pytest.param({"goal": {"wish": "x", "targts": []}}, "goal.targts", "targets", id="goal"),
        pytest.param({"bounds": {"trst": 2}}, "bounds.trst", "trust", id="bounds"),
        pytest.param({"losses": {"l1": {"kind": "l1", "wieght": 1}}}, "losses.l1.wieght", "weight", id="loss"),
        pytest.param({"restorer": {"network": "compact", "strat": "x"}}, "restorer.strat", "start", id="restorer"),
        pytest.param({"agent": {"kind": "llm", "retrys": 1}}, "retrys", "retries", id="agent-llm"),
        pytest.param(
            {"agent": {"kind": "random", "spred": 2}},
            "spred",
            "spread",
            id="agent-random",
        ),
        pytest.param(
            {"chat": {"kind": "server", "base_url": "http://127.0.0.1:1", "modle": "m", "model": "m"}},
            "modle",
            "model",
            id="chat-server",
        ),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path: Path, change: Data, where: str, near: str) -> None:
    said = refused(tmp_path, experiment(tmp_path, **change))
    assert where in said
    assert f"Did you mean '{near}'?" in said


def losses(**change: Any) -> Data:
    return {"losses": {"l1": {"kind": "l1", "weight": 1.0} | change}}


def target(metric: str, direction: str = "higher") -> Data:
    return {"goal": {"targets": [{"metric": metric, "direction": direction, "unit": 0.1}]}, "tolerance": {}}


@pytest.mark.parametrize(
    ("change", "found", "near"),
    [
        pytest.param(losses(kind="l11"), "l11", "l1", id="loss"),
        pytest.param(losses(kind="perceptul"), "perceptul", "perceptual", id="loss-perceptual"),
        pytest.param(target("psnr_yy"), "psnr_yy", "psnr_y", id="target"),
        pytest.param({"guards": ["nique"]}, "nique", "niqe", id="guard"),
        pytest.param({"restorer": {"network": "compakt"}}, "compakt", "compact", id="restorer"),
        pytest.param(
            losses(kind="adversarial", discriminator={"network": "unett"}), "unett", "unet", id="discriminator"
        ),
        pytest.param(
            losses(kind="perceptual", backbone="squeezenet1_0", weights="random"),
            "squeezenet1_0",
            "squeezenet1_1",
            id="backbone",
        ),
    ],
)
def test_an_unknown_name_names_the_nearest(tmp_path: Path, change: Data, found: str, near: str) -> None:
    said = refused(tmp_path, experiment(tmp_path, **change))
    assert f"'{found}'" in said
    assert f"Did you mean '{near}'?" in said


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"tolerance": {"psnr_yy": 0.1}}, "psnr_yy"),
        ({"bounds": {"frozen": ["mmse"]}}, "mmse"),
        ({"bounds": {"per_loss": {"gaan": [0.1, 1]}}}, "gaan"),
    ],
)
def test_a_name_that_nothing_answers_to_is_not_passed_over(tmp_path: Path, change: Data, found: str) -> None:
    assert f"'{found}'" in refused(tmp_path, experiment(tmp_path, **change))


def test_an_unknown_argument_of_a_discriminator_names_the_nearest_and_all(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["losses"]["gan"]["discriminator"]["arguments"] = {"chanels": 4}
    said = refused(tmp_path, data)
    assert "'chanels'" in said
    assert "It takes: " in said
    assert "Did you mean 'channels'?" in said


def test_an_unknown_argument_of_a_restorer_lists_what_it_takes(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["restorer"]["arguments"]["chanels"] = 4
    said = refused(tmp_path, data)
    assert "'chanels'" in said
    assert "channels" in said.split("It takes: ")[1]


@pytest.mark.parametrize(("part", "known"), [("agent", "random"), ("chat", "server")])
def test_an_unknown_kind_lists_the_known_ones(tmp_path: Path, part: str, known: str) -> None:
    said = refused(tmp_path, experiment(tmp_path, **{part: {"kind": "lm"}}))
    assert part in said
    assert "'lm'" in said
    assert f"'{known}'" in said


def test_a_key_written_into_the_chat_section_is_refused_and_not_shown(tmp_path: Path) -> None:
    chat = {"kind": "server", "base_url": "http://127.0.0.1:1/v1", "model": "m", "api_key": "sk-secret-123"}
    said = refused(tmp_path, experiment(tmp_path, chat=chat))
    assert "api_key" in said
    assert "sk-secret" not in said


# -- numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_weight_that_is_no_weight(tmp_path: Path, value: float) -> None:
    said = refused(tmp_path, experiment(tmp_path, **losses(weight=value)))
    assert "'l1'" in said
    assert ">= 0" in said
    assert str(value) in said


def test_a_weight_that_is_missing(tmp_path: Path) -> None:
    said = refused(tmp_path, experiment(tmp_path, losses={"l1": {"kind": "l1"}}))
    assert "losses.l1.weight" in said
    assert "required" in said


def test_weights_that_are_all_zero(tmp_path: Path) -> None:
    assert "at least one weight must be > 0" in refused(tmp_path, experiment(tmp_path, **losses(weight=0)))


def test_no_losses_at_all(tmp_path: Path) -> None:
    assert "losses" in refused(tmp_path, experiment(tmp_path, losses={}))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"training": {"stages": 0}}, "training.stages"),
        ({"training": {"learning_rate": -1}}, "training.learning_rate"),
        ({"training": {"iterations": "many"}}, "training.iterations"),
        ({"scale": 0}, "scale"),
        ({"bounds": {"trust": 0.5}}, "trust"),
        ({"name": "a/b"}, "name"),
        ({"goal": {}}, "goal"),
    ],
)
def test_a_setting_out_of_range_names_itself_and_what_was_found(tmp_path: Path, change: Data, where: str) -> None:
    said = refused(tmp_path, experiment(tmp_path, **change))
    assert where in said
    assert "found" in said


@pytest.mark.parametrize("value", [-0.1, math.nan])
def test_a_tolerance_is_a_number_that_can_be_one(tmp_path: Path, value: float) -> None:
    said = refused(tmp_path, experiment(tmp_path, tolerance={"psnr_y": value}))
    assert "tolerance" in said
    assert str(value) in said


# -- images -----------------------------------------------------------------------------------------------


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def no_image(path: Path) -> None:
    path.write_text("these are words")


@pytest.mark.parametrize("spoil", [truncated, no_image])
@pytest.mark.parametrize("role", ["train", "feedback", "selection", "test"])
def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, role: str, spoil: Callable[[Path], None]) -> None:
    data = experiment(tmp_path)
    image = sorted((tmp_path / "data" / role).iterdir())[1]
    spoil(image)
    said = refused(tmp_path, data)
    assert str(image) in said
    assert "Replace or remove the file" in said


def paired(root: Path, role: str, side: int = 24) -> Data:
    """The tiny experiment with ready-made low-quality images for one set."""
    data = experiment(root)
    low = root / "low"
    low.mkdir()
    for image in sorted((root / "data" / role).iterdir()):
        Image.open(image).resize((side, side)).save(low / image.name)
    settings = {"images": [str(root / "data" / role)], "low": str(low)}
    if role == "test":
        data["data"]["test"] = {"test": settings}
    else:
        data["data"][role] = settings
    return data


@pytest.mark.parametrize("role", ["feedback", "selection", "test"])
def test_a_ready_made_input_that_cannot_be_read_is_named(tmp_path: Path, role: str) -> None:
    data = paired(tmp_path, role)
    image = sorted((tmp_path / "low").iterdir())[1]
    truncated(image)
    assert str(image) in refused(tmp_path, data)


def test_a_damaged_training_image_beyond_the_stated_share_is_named(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    image = sorted((tmp_path / "data" / "train").iterdir())[1]
    truncated(image)
    said = refused(tmp_path, data)
    assert str(image) in said
    assert "1 of 3" in said
    assert "data.max_damaged" in said


def test_a_damaged_training_image_within_the_share_is_left_out_and_told(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "fixed"})
    data["data"]["max_damaged"] = 0.4
    data["training"] |= {"stages": 2}
    image = sorted((tmp_path / "data" / "train").iterdir())[1]
    truncated(image)
    ran = command("run", written(data, tmp_path), "--out", tmp_path / "run")
    assert ran.status == 0, ran.err
    told = [e.text for e in read_events(tmp_path / "run") if e.kind == "warned" and str(image) in e.text]
    assert len(told) == 1


def test_a_damaged_training_input_ends_the_run_and_is_named(tmp_path: Path) -> None:
    data = paired(tmp_path, "train")
    image = sorted((tmp_path / "low").iterdir())[1]
    truncated(image)
    ran = command("run", written(data, tmp_path), "--out", tmp_path / "run")
    assert ran.status == 1
    assert str(image) in ran.err


def test_pairs_of_another_scale_are_said_with_both_sizes(tmp_path: Path) -> None:
    said = refused(tmp_path, paired(tmp_path, "feedback", side=32))
    assert "96 x 96" in said
    assert "32 x 32" in said
    assert "24 x 24" in said


def test_a_photograph_too_small_for_the_patch(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    small = tmp_path / "data" / "train" / "small.png"
    Image.fromarray(np.random.default_rng(9).integers(0, 256, (47, 60, 3), dtype=np.uint8)).save(small)
    said = refused(tmp_path, data)
    assert str(small) in said
    assert "47 x 60" in said
    assert "48 x 48" in said
    assert "smaller patch" in said


def test_a_feedback_image_too_small_for_the_metric(tmp_path: Path) -> None:
    data = experiment(tmp_path, **target("niqe", "lower"))
    data["data"]["feedback"] = str(pictures(tmp_path / "data" / "small", 2, side=80, seed=7))
    said = refused(tmp_path, data)
    assert "niqe" in said.lower()
    assert "p7-0" in said
    assert "96" in said
    assert "80" in said


def test_a_feedback_image_smaller_than_one_pixel_of_input(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    small = tmp_path / "data" / "feedback" / "speck.png"
    Image.fromarray(np.full((3, 3, 3), 90, np.uint8)).save(small)
    assert "speck" in refused(tmp_path, data)


@pytest.mark.parametrize("settings", [[], {}, {"images": []}])
def test_no_feedback_images_named(tmp_path: Path, settings: object) -> None:
    data = experiment(tmp_path)
    data["data"]["feedback"] = settings
    assert "data.feedback" in refused(tmp_path, data)


def test_a_folder_of_feedback_images_without_any(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    data["data"]["feedback"] = str(empty)
    said = refused(tmp_path, data)
    assert str(empty) in said
    assert "holds no image" in said
    data["data"]["feedback"] = str(tmp_path / "nowhere")
    assert "nowhere: there is no such folder" in refused(tmp_path, data)


def test_more_feedback_images_wanted_than_there_are(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["data"]["feedback"] = {"images": [data["data"]["feedback"]], "count": 5}
    said = refused(tmp_path, data)
    assert "data.feedback.count" in said
    assert "at most 2" in said


def test_image_sets_that_overlap_are_named_and_can_be_declared(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    shared = tmp_path / "data" / "feedback" / "p1-0.png"
    Image.open(shared).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "data" / "train" / "copy.png")
    said = refused(tmp_path, data)
    assert str(shared) in said
    assert "copy.png" in said
    assert "must not overlap" in said
    assert "overlap: declared" in said
    allowed = command("run", written(data, tmp_path), "data.allow=[[copy, p1-0]]", "--dry-run")
    assert allowed.status == 0, allowed.err


def odd_pictures(folder: Path) -> None:
    """A gray and a transparent picture in place of the first ones of a set."""
    first, second, *_ = sorted(folder.iterdir())
    rgb = Image.open(first)
    rgb.convert("L").save(first)
    other = Image.open(second).convert("RGBA")
    other.putalpha(77)
    other.save(second)


def warnings_of(run: Path) -> list[str]:
    return [event.text for event in read_events(run) if event.kind == "warned"]


@pytest.mark.parametrize("role", ["train", "feedback"])
def test_gray_and_transparent_images_are_taken_and_that_is_said(tmp_path: Path, role: str) -> None:
    data = experiment(tmp_path, agent={"kind": "fixed"})
    data["training"] |= {"stages": 1, "iterations": 2, "warmup": 1}
    odd_pictures(tmp_path / "data" / role)
    gray, clear, *_ = [p.stem for p in sorted((tmp_path / "data" / role).iterdir())]
    outcome = command("run", written(data, tmp_path), "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    warnings = warnings_of(tmp_path / "run")
    (of_gray,) = [text for text in warnings if "pixel type L " in text]
    (of_clear,) = [text for text in warnings if "pixel type RGBA " in text]
    assert gray in of_gray
    assert "gray is repeated" in of_gray
    assert clear in of_clear
    assert "alpha dropped" in of_clear


# -- parts that do not fit --------------------------------------------------------------------------------


def test_a_checkpoint_of_another_network_names_keys_and_shapes(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    torch.manual_seed(0)
    state = build("compact", {"scale": 4, "channels": 12, "blocks": 1}).state_dict()
    first = next(iter(state))
    save_file({**state, "extra.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    data["restorer"]["start"] = str(tmp_path / "other.safetensors")
    said = refused(tmp_path, data)
    assert "other.safetensors" in said
    assert "extra.weight" in said
    assert first in said
    assert str(list(state[first].shape)) in said
    assert "in the network" in said


@pytest.mark.parametrize("name", ["gone.safetensors", "compact_x44"])
def test_a_checkpoint_that_is_not_there(tmp_path: Path, name: str) -> None:
    data = experiment(tmp_path)
    data["restorer"]["start"] = name
    assert name in refused(tmp_path, data)


def test_a_metric_that_needs_references_without_them(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["data"]["feedback"] = {"images": [data["data"]["feedback"]], "reference": False}
    said = refused(tmp_path, data)
    assert "'psnr_y'" in said
    assert "reference" in said


def test_a_selection_set_without_the_references_that_the_target_needs(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["data"]["selection"] = {"images": [data["data"]["selection"]], "reference": False}
    said = refused(tmp_path, data)
    assert "'psnr_y'" in said
    assert "selection" in said


def test_a_target_that_points_the_other_way_than_its_metric(tmp_path: Path) -> None:
    said = refused(tmp_path, experiment(tmp_path, **target("psnr_y", "lower")))
    assert "'psnr_y'" in said
    assert "lower" in said
    assert "higher" in said


def test_an_llm_agent_without_a_chat_model(tmp_path: Path) -> None:
    said = refused(tmp_path, experiment(tmp_path, agent={"kind": "llm"}))
    assert "chat" in said
    assert "llm" in said


def test_an_embedded_model_that_is_not_on_this_machine(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "llm"}, chat={"kind": "embedded"})
    said = refused(tmp_path, data)
    assert "smollm2-135m-instruct" in said or "pip install" in said


def test_an_adversarial_loss_without_an_opponent(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    del data["losses"]["gan"]["discriminator"]
    said = refused(tmp_path, data)
    assert "losses.gan" in said
    assert "discriminator" in said


def test_rollback_with_a_wish_that_has_no_number(tmp_path: Path) -> None:
    said = refused(tmp_path, experiment(tmp_path, goal={"wish": "no plastic skin"}, tolerance={}))
    assert "wish" in said


def test_a_constraint_relative_to_a_run_that_is_not_known(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["goal"]["constraints"] = [{"metric": "psnr_y", "at_least": -0.1, "relative_to": "fixed"}]
    assert "fixed" in refused(tmp_path, data)


# -- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["training.stages", "=3", "training.stages.more=3"])
def test_an_override_that_is_none(tmp_path: Path, word: str) -> None:
    said = refused(tmp_path, experiment(tmp_path), word)
    assert f"{word!r}" in said


def test_an_override_whose_value_is_not_yaml(tmp_path: Path) -> None:
    assert "bounds.frozen=[l1" in refused(tmp_path, experiment(tmp_path), "bounds.frozen=[l1")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"- a\n- b\n", "list"),
        (b"just words", "str"),
        (b"", "NoneType"),
        (b"a: [1", "not YAML"),
        (b"name: \xff\xfe", "experiment"),
    ],
)
def test_an_experiment_file_that_is_none(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_bytes(content)
    message = refused(tmp_path, {}, file=file)
    assert str(file) in message
    assert said in message


def test_an_experiment_file_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "gone.yaml"
    message = refused(tmp_path, {}, file=file)
    assert str(file) in message
    assert "No such file" in message
    folder = tmp_path / "folder"
    folder.mkdir()
    assert str(folder) in refused(tmp_path, {}, file=folder)


@pytest.mark.parametrize(("name", "remedy"), [("notes.txt", "another --out"), ("experiment.yaml", "lossagent resume ")])
def test_a_run_folder_that_exists_stays_as_it_is(tmp_path: Path, name: str, remedy: str) -> None:
    file, folder = written(experiment(tmp_path), tmp_path), tmp_path / "run"
    folder.mkdir()
    (folder / name).write_text("mine")
    assert_refused(command("run", file, "--out", folder), str(folder), "exists already", remedy)
    assert listing(folder) == {folder / name: b"mine"}


def test_a_run_folder_that_is_a_file(tmp_path: Path) -> None:
    file, place = written(experiment(tmp_path), tmp_path), tmp_path / "run"
    place.write_text("mine")
    assert_refused(command("run", file, "--out", place), str(place))
    assert place.read_text() == "mine"


# -- other commands ---------------------------------------------------------------------------------------


def test_score_refuses_what_it_cannot_score(tmp_path: Path) -> None:
    a = pictures(tmp_path / "a", 2, side=48)
    b = pictures(tmp_path / "b", 1, side=52)
    one, other = a / "p0-0.png", b / "p0-0.png"
    assert_refused(command("score", "psnr", one, "--reference", one, "--space", "ycc"), "'ycc'", "rgb", "y")
    assert_refused(command("score", "nique", one), "'nique'", "Did you mean 'niqe'?")
    assert_refused(command("score", "psnr", one), "'psnr'", "--reference")
    assert_refused(command("score", "niqe", one, "--reference", one), "takes no reference")
    assert_refused(command("score", "psnr", one, "--reference", other), str(one), str(other), "48", "52")
    assert_refused(command("score", "psnr", a, "--reference", b), "p0-1.png")
    assert_refused(command("score", "psnr", tmp_path / "gone.png", "--reference", one), "gone.png")
    assert_refused(command("score", "niqe", one, "--space", "y"), "'space'")
    assert_refused(command("score", "psnr", one, "--reference", one, "--border", "-1"), "border")
    assert_refused(command("score", "niqe", one), str(one), "at least 96 px", "48x48")
    truncated(one)
    assert_refused(command("score", "psnr", one, "--reference", other), str(one), "cannot be read")


@pytest.mark.parametrize("name", ["empty", "nowhere", "file.txt"])
def test_a_folder_that_is_no_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("words")
    before = listing(tmp_path)
    for name_of_command in ("report", "resume"):
        assert_refused(command(name_of_command, tmp_path / name), str(tmp_path / name), "no run folder")
    assert listing(tmp_path) == before


def test_a_resume_of_an_experiment_that_was_changed(tmp_path: Path) -> None:
    data = experiment(tmp_path, agent={"kind": "fixed"})
    data["training"] |= {"stages": 1, "iterations": 2, "warmup": 1}
    folder = tmp_path / "run"
    assert command("run", written(data, tmp_path), "--out", folder).status == 0
    changed = yaml.safe_load((folder / "experiment.yaml").read_text())
    changed["training"]["stages"] = 4
    (folder / "experiment.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    assert_refused(command("resume", folder), "the log belongs to a run")


def test_restore_never_writes_over_its_input(tmp_path: Path) -> None:
    low = pictures(tmp_path / "low", 2, side=16)
    before = listing(low)
    for source in (low, low / "p0-1.png"):
        assert_refused(command("restore", "compact_x4", source, low), "p0-", "another OUTPUT")
    with contextlib.suppress(OSError):
        (tmp_path / "same").symlink_to(low)
        assert_refused(command("restore", "bicubic", low, tmp_path / "same"), "another OUTPUT")
    assert listing(low) == before


def test_restore_refuses_before_it_makes_a_folder(tmp_path: Path) -> None:
    low = pictures(tmp_path / "low", 1, side=16)
    out = tmp_path / "out"
    assert_refused(command("restore", "gone.safetensors", low, out), "gone.safetensors")
    assert_refused(command("restore", low, low, out), "experiment.yaml")
    assert_refused(command("restore", path("compact_x4"), low, out, "--network", "swinnir"), "Did you mean 'swinir'?")
    assert_refused(command("restore", path("compact_x4"), low, out, "--scale", "3"), "compact_x4")
    assert not out.exists()


def test_restore_of_an_input_that_is_not_there_makes_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert_refused(command("restore", "compact_x4", tmp_path / "gone.png", out), "gone.png")
    assert not out.exists()


def test_a_resume_of_a_run_that_was_killed_while_its_folder_was_made(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "images").mkdir(parents=True)
    (folder / "environment.json").write_text("{}")
    assert_refused(command("resume", folder), str(folder), "no run folder")
    data = experiment(tmp_path, agent={"kind": "fixed"})
    data["training"] |= {"stages": 1, "iterations": 2, "warmup": 1}
    assert command("run", written(data, tmp_path), "--out", folder).status == 0  # nothing of worth is there


def test_a_real_process_says_no_more_than_its_message(tmp_path: Path) -> None:
    import subprocess
    import sys

    file = written(experiment(tmp_path, **losses(weight=math.nan)), tmp_path)
    before = listing(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", "from lossagent.cli import main; main()", "run", str(file)],
        capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Refused: ")
    assert "nan" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert listing(tmp_path) == before


def test_json_scores_hold_no_value_that_json_has_not(tmp_path: Path) -> None:
    one = pictures(tmp_path / "a", 1, side=48) / "p0-0.png"
    outcome = command("score", "psnr", one, "--reference", one, "--json")

    def never(word: str) -> None:
        raise AssertionError(word)

    assert json.loads(outcome.out, parse_constant=never)[0]["value"] == "inf"
