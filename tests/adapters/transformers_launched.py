"""Processes under the Trainer of transformers; run by torchrun: transformers_launched.py FOLDER."""

import os
import sys
from pathlib import Path

import torch
from little_steering import WILD, little
from trained import Point, score, trainer

from lossagent import Every, Shared
from lossagent.adapters.transformers import SteeringCallback


def main(folder):
    steering = Shared(lambda: little(folder / "run", agent=WILD, can_restart=True, stages=6))
    callback = SteeringCallback(steering, Every(steps=4), score=score, snapshots=folder / "run" / "checkpoints")
    net = Point()
    made, _ = trainer(folder / "kept", steering, callback, net=net, rows=8)
    made.train()
    saved = {"place": net.place.detach(), "steps": made.state.global_step}
    torch.save(saved, folder / f"rank{os.environ['RANK']}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
