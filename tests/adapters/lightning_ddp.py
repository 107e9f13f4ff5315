"""Two processes under Lightning's ddp; run as a program: python lightning_ddp.py FOLDER."""

import sys
from pathlib import Path

import torch
from little_steering import WILD, little
from pulled import Pulled, batches, score, trainer

from lossagent import Every
from lossagent.adapters.lightning import SteeringCallback


def main(folder):
    callback = SteeringCallback(
        lambda: little(folder / "run", agent=WILD, can_restart=True, stages=6),
        Every(steps=4),
        score=score,
        snapshots=folder / "run" / "checkpoints",
    )
    module = Pulled(callback)
    fit = trainer(folder, callback, devices=2, strategy="ddp")
    fit.fit(module, batches(8))
    torch.save({"place": module.place.detach(), "steps": fit.global_step}, folder / f"rank{fit.global_rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
