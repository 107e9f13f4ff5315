"""The checkpoint that ships with the package."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lossagent.checkpoints_data import NAMES, path
from lossagent.data import list_images
from lossagent.data.degradations import bicubic
from lossagent.errors import UnknownName
from lossagent.restorers.compact import CompactSR


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_the_one_that_was_measured(name):
    file = path(name)
    facts = json.loads(file.with_suffix(".json").read_text())
    assert hashlib.sha256(file.read_bytes()).hexdigest() == facts["sha256"]
    assert file.stat().st_size < 1_000_000
    assert facts["sha256"] in (file.parent / "MODEL_CARD.md").read_text()
    CompactSR(facts["scale"], facts["channels"], facts["blocks"]).load_state_dict(load_file(file))


def test_set5_reaches_what_the_card_says(shared_data):
    facts = json.loads(path("compact_x4").with_suffix(".json").read_text())
    network = CompactSR()
    network.load_state_dict(load_file(path("compact_x4")))
    scores = []
    for image in list_images(shared_data / "bench" / "Set5" / "HR"):
        high = image.pixels()
        low = bicubic(high, 4)
        high = high[: low.shape[0] * 4, : low.shape[1] * 4]
        x = torch.from_numpy(low.copy()).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            restored = network(x)[0].clamp(0, 1).mul(255).round().permute(1, 2, 0).numpy()
        error = ((restored - high.astype(float)) @ [65.481, 128.553, 24.966] / 255)[4:-4, 4:-4]
        scores.append(10 * np.log10(255**2 / np.mean(error**2)))
    assert np.mean(scores) == pytest.approx(facts["y_psnr_db"]["Set5"]["network"], abs=0.02)
    assert np.mean(scores) > facts["y_psnr_db"]["Set5"]["bicubic"] + 2.5


def test_an_unknown_checkpoint_names_the_known():
    with pytest.raises(UnknownName, match="compact_x4"):
        path("compact_x5")
