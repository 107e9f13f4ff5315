"""Experiments are values: they survive the way to disk and back, and change by dotted overrides."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lossagent.errors import Refused
from lossagent.experiment import ImagesSettings, load, override, parse
from lossagent.weights import FLOOR
from tiny import experiment


def test_an_experiment_survives_the_way_through_yaml(tmp_path: Path) -> None:
    chosen = parse(experiment(tmp_path))
    text = yaml.safe_dump(chosen.dump(), sort_keys=False)
    again = parse(yaml.safe_load(text))
    assert again == chosen
    assert again.dump() == chosen.dump()


def test_every_kind_of_agent_and_chat_survives_too(tmp_path: Path) -> None:
    agents = [
        {"kind": "fixed"},
        {"kind": "random", "spread": 1.5, "rollback": {"tolerance": {"psnr_y": 0.2}}},
        {"kind": "llm", "answer": "pattern", "history": 2, "evidence": False},
    ]
    chats = [
        None,
        {"kind": "scripted", "replies": ["a", "b"]},
        {"kind": "server", "base_url": "http://127.0.0.1:1/v1", "model": "m", "key_env": None, "temperature": None},
        {"kind": "embedded", "model": "some/model.gguf", "threads": 1},
        {"kind": "replay", "run": "runs/old"},
    ]
    for agent in agents:
        for chat in chats:
            chosen = parse(experiment(tmp_path, agent=agent, chat=chat, bounds={"frozen": ["l1"], "trust": None}))
            assert parse(yaml.safe_load(yaml.safe_dump(chosen.dump(), sort_keys=False))) == chosen


def test_losses_keep_their_order(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    names = ["zeta", "alpha", "mid"]
    data["losses"] = {name: {"kind": "l1", "weight": n + 1} for n, name in enumerate(names)}
    chosen = parse(data)
    again = parse(yaml.safe_load(yaml.safe_dump(chosen.dump(), sort_keys=False)))
    overridden = parse(override(data, ["losses.alpha.weight=5"]))
    for one in (chosen, again, overridden):
        assert list(one.losses) == names
        assert list(one.initial.names) == names
    assert overridden.initial["alpha"] == 5


def test_initial_weights_are_those_of_the_losses_and_zero_is_off(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["losses"]["mse"]["weight"] = 0
    initial = parse(data).initial
    assert initial.values() == {"l1": 1.0, "mse": 0.0, "gan": 0.1}
    assert initial.off == {"mse"}
    assert initial.magnitudes["mse"] == FLOOR


def test_dotted_overrides_reach_every_depth_and_leave_the_data_alone(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    before = yaml.safe_dump(data)
    changed = override(
        data,
        [
            "training.stages=7",
            "training.learning_rate=2e-4",
            "bounds.trust=null",
            "agent={kind: fixed}",
            "data.test.more=[a, b]",
            "losses.l1.weight=0.25",
            "goal.wish='no = signs: lost'",
        ],
    )
    assert yaml.safe_dump(data) == before
    chosen = parse(changed)
    assert chosen.training.stages == 7
    assert chosen.training.learning_rate == 2e-4
    assert chosen.bounds.trust is None
    assert chosen.agent.kind == "fixed"
    assert chosen.data.test["more"].images == ("a", "b")
    assert chosen.initial["l1"] == 0.25
    assert chosen.goal.wish == "no = signs: lost"
    assert chosen.training.batch == parse(data).training.batch


def test_an_override_makes_parts_that_were_not_there_and_the_last_one_wins(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    del data["training"]
    chosen = parse(override(data, ["training.stages=2", "training.stages=3", "tolerance.psnr_y=0.5"]))
    assert chosen.training.stages == 3
    assert chosen.tolerance == {"psnr_y": 0.5}


def test_overrides_apply_before_the_file_is_judged(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["training"]["stages"] = 0
    file = tmp_path / "experiment.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    with pytest.raises(Refused, match=r"training\.stages"):
        load(file)
    assert load(file, ["training.stages=1"]).training.stages == 1


def test_a_set_of_images_may_be_written_short() -> None:
    assert ImagesSettings.model_validate("a") == ImagesSettings(images=("a",))
    assert ImagesSettings.model_validate(["a", "b"]) == ImagesSettings(images=("a", "b"))


def test_an_experiment_is_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse(experiment(tmp_path)).seed = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    data = experiment(tmp_path)
    data["training"]["stages"] = 0
    data["scale"] = "four"
    data["seeed"] = 1
    with pytest.raises(Refused) as refused:
        parse(data)
    message = str(refused.value)
    assert "training.stages" in message
    assert "scale" in message
    assert "'four'" in message
    assert "Did you mean 'seed'?" in message
