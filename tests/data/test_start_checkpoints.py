"""The checkpoints that ship with the package."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch

from lossagent.checkpoints_data import NAMES, network, path
from lossagent.data import list_images
from lossagent.data.degradations import bicubic
from lossagent.errors import UnknownName
from lossagent.restorers import build, from_uint8, load_into, restore, to_uint8


def loaded(name: str) -> torch.nn.Module:
    own = network(name)
    net = build(own.name, own.arguments)
    load_into(net, path(name))
    return net


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_the_one_that_was_measured(name: str) -> None:
    file = path(name)
    facts = json.loads(file.with_suffix(".json").read_text())
    assert facts["name"] == name
    assert hashlib.sha256(file.read_bytes()).hexdigest() == facts["sha256"]
    assert file.stat().st_size < 4_000_000
    assert facts["sha256"] in file.with_suffix(".md").read_text()
    assert sum(p.numel() for p in loaded(name).parameters()) == facts["parameters"]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_better_than_doing_nothing_on_every_set_of_its_card(name: str) -> None:
    facts = json.loads(path(name).with_suffix(".json").read_text())
    assert facts["psnr_db"]
    for scores in facts["psnr_db"].values():
        assert scores["network"] > scores["untouched"] + 0.4


@pytest.mark.parametrize(("name", "gain"), [("compact_x4", 2.5), ("swinir_small_x4", 1.5)])
def test_set5_reaches_what_the_card_says(shared_data, name: str, gain: float) -> None:
    facts = json.loads(path(name).with_suffix(".json").read_text())
    own, net, scores = network(name), loaded(name), []
    for image in list_images(shared_data / "bench" / "Set5" / "HR"):
        low = bicubic(image.pixels(), 4)
        high = image.pixels()[: low.shape[0] * 4, : low.shape[1] * 4]
        restored = to_uint8(restore(net, from_uint8(low), scale=4, multiple=own.multiple))
        error = ((restored - high.astype(float)) @ [65.481, 128.553, 24.966] / 255)[4:-4, 4:-4]
        scores.append(10 * np.log10(255**2 / np.mean(error**2)))
    assert np.mean(scores) == pytest.approx(facts["psnr_db"]["Set5"]["network"], abs=0.02)
    assert np.mean(scores) > facts["psnr_db"]["Set5"]["untouched"] + gain


def test_an_unknown_checkpoint_names_the_known() -> None:
    with pytest.raises(UnknownName, match="compact_x4"):
        path("compact_x5")
