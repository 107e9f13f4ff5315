"""What the page about the BasicSR family shows runs as it stands, with a little trainer in BasicSR's place."""

import re
import sys
from pathlib import Path
from types import ModuleType

import little_sr
import numpy as np
import pytest
from little_sr import Model, options
from PIL import Image

import lossagent
from lossagent.adapters.basicsr import find_weights
from lossagent.runs import read_trajectory

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adapters" / "basicsr.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
DROPPED = "torchvision.transforms.functional_tensor"


@pytest.fixture
def place(tmp_path, monkeypatch, no_assets):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(little_sr, "SIZE", 96)  # NIQE asks for that much
    return tmp_path


def image(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(file)


def test_the_script_trains_and_steers(place, monkeypatch):
    plain = little_sr.train_pipeline
    package = ModuleType("basicsr")
    package.train = little_sr
    monkeypatch.setitem(sys.modules, "basicsr", package)
    monkeypatch.setitem(sys.modules, "basicsr.train", little_sr)
    monkeypatch.setitem(sys.modules, DROPPED, ModuleType(DROPPED))
    monkeypatch.setattr(little_sr, "train_pipeline", lambda root: plain(options(Path(root), total=3, val_freq=1)))
    exec(compile(BLOCKS[0], PAGE.name, "exec"), {"__name__": "__main__"})
    trajectory = read_trajectory(place / "runs" / "basicsr")
    assert [s.depth for s in trajectory.scored] == [0, 1, 2, 3]
    assert all(s.feedback.mean("niqe") is not None for s in trajectory.scored)


def test_the_other_blocks_run(place, capsys):
    opt = options(place)
    loaders = little_sr.create_train_val_dataloader(opt)[2]
    image(place / "experiments" / "srgan" / "visualization" / "baby" / "baby_5000.png")
    image(place / "results" / "srgan" / "visualization" / "Set5" / "baby_srgan.png")
    names = {"build_model": little_sr.build_model, "opt": opt, "val_loaders": loaders, "lossagent": lossagent}
    exec("from lossagent.adapters.basicsr import steer_model, weights_on", names)
    steered = []
    for block in BLOCKS[1:]:
        names["model"] = Model(opt)  # each block hooks the model that was built
        exec(compile(block, PAGE.name, "exec"), names)
        steered.append(hasattr(names["model"], "lossagent_steered"))
        if "steering" in names:
            names["steering"].close()
    assert steered == [True, False, True, False, True]
    assert "perceptual cri_perceptual.perceptual_weight 0.5" in capsys.readouterr().out
    assert set(names["before"]) == set(names["after"]) == {"baby"}


def test_the_weights_that_are_found_are_those_that_the_page_names():
    text = PAGE.read_text(encoding="utf-8")
    paths = [place.path for place in find_weights(Model(options(Path())))]
    assert len(paths) == 3
    assert [path for path in paths if path not in text] == []
