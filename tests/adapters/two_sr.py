"""What each of two processes does in test_basicsr_hook.py: ``torchrun two_sr.py FOLDER``."""

import json
import os
import sys
from pathlib import Path

import little_sr
import torch.distributed as dist
from little_sr import options, train_pipeline, write_references

import lossagent
from lossagent.adapters.basicsr import hooked, steer_model, weights_on

root, rank = Path(sys.argv[1]), int(os.environ["RANK"])
little_sr.Model.rank = rank
dist.init_process_group("gloo")
seen = []


def hook(model, val_loaders):
    def make():
        return lossagent.steer(
            root / "run",
            weights_on(model),
            metric="psnr",
            references=write_references(root / "references"),
            agent="random",
            stages=3,
        )

    steering = lossagent.Shared(make)
    steer_model(model, steering, val_loaders)


with hooked(little_sr, hook):
    train_pipeline(options(root), lambda model, _: seen.append(weights_on(model)))
(root / f"{rank}.json").write_text(json.dumps(seen))
dist.destroy_process_group()
