"""What each of two processes does in test_ranks.py: `torchrun two_ranks.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lossagent.data import Batch
from lossagent.losses import L1, MSE, Adversarial, LossRepository
from lossagent.restorers import PatchDiscriminator
from lossagent.training.networks import Networks
from lossagent.training.pictures import Application, Pictures
from lossagent.training.ranks import Ranks
from lossagent.training.settings import TrainingSettings
from lossagent.training.step import Stepper
from lossagent.weights import Weights
from tiny import PlainSR

BATCH, STEPS = 4, 4


class WithIdle(nn.Module):
    """A network with a batch norm and a parameter that never gets a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = PlainSR()
        self.first = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3))
        self.idle = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inside(x + self.first(x))


def batch(step: int, first: int, count: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    low, high = (torch.rand(BATCH, 3, side, side, generator=generator) for side in (8, 32))
    part = slice(first, first + count)
    return Batch(low[part], high[part], tuple(f"i{n}" for n in range(first, first + count)))


def trained(ranks: Ranks, kind: str, norm: str, accumulate: int = 1) -> dict[str, torch.Tensor]:
    """Weights, averages and discriminators after some steps."""
    torch.manual_seed(0)
    settings = TrainingSettings(
        batch=BATCH,
        accumulate=accumulate,
        learning_rate=1e-3,
        ema=0.5,
        clip=0.5,
        optimizer="adamw",
        weight_decay=0.1,
        schedule={"kind": "cosine", "warmup_iterations": 2},
    )
    gan = Adversarial(PatchDiscriminator(channels=4, layers=1, norm=norm), kind)
    network = WithIdle() if norm == "batch" else PlainSR()
    networks = Networks(network, {"gan": gan}, settings, ranks)
    repository = LossRepository({"l1": L1(), "mse": MSE(), "gan": gan})
    stepper = Stepper(networks, repository, settings, torch.device("cpu"))
    weights = Weights.of({"l1": 1.0, "mse": 0.5, "gan": 0.1})
    networks.restorer.train()
    first, count = ranks.share(BATCH, accumulate)
    raw: list[torch.Tensor] = []
    for step in range(STEPS):
        networks.set_rates(step, warming_up=False)
        values = stepper.restorer_step(batch(step, first, count), weights)
        raw.append(ranks.mean(torch.stack([v for n, v in values.items() if n.startswith(("raw/", "disc"))])))
    tensors = networks.tensors()
    found = {f"{file}/{n}": t.float() for file, group in tensors.items() for n, t in group.items()}
    return found | {"raw": torch.stack(raw)}


def hostile(ranks: Ranks) -> str:
    """A gradient that is not finite on one process alone is skipped by all."""
    torch.manual_seed(0)
    settings = TrainingSettings(batch=BATCH, ema=None, score="raw")
    networks = Networks(PlainSR(), {}, settings, ranks)
    stepper = Stepper(networks, LossRepository({"l1": L1()}), settings, torch.device("cpu"))
    before = networks.everything_sha256()
    bad = batch(0, *ranks.share(BATCH))
    if not ranks.main:
        bad.lq.fill_(float("nan"))
    values = stepper.restorer_step(bad, Weights.of({"l1": 1.0}))
    assert bool(values["bad"])
    assert networks.everything_sha256() == before
    return before


def restored(ranks: Ranks) -> dict[str, np.ndarray]:
    torch.manual_seed(1)
    rng = np.random.default_rng(0)
    images = {f"p{n}": rng.integers(0, 256, (8, 9, 3), dtype=np.uint8) for n in range(3)}
    return Pictures(images, Application(4), torch.device("cpu"), ranks).restore(PlainSR())


CASES = [("vanilla", "none"), ("vanilla", "spectral"), ("ragan", "none"), ("vanilla", "batch")]


def main(folder: Path) -> None:
    ranks = Ranks.join()
    assert ranks.size == 2
    for kind, norm in CASES:
        found = trained(ranks, kind, norm)
        if ranks.main:
            torch.save(found, folder / f"{kind}-{norm}.pt")
    hashes = ranks.gather(hostile(ranks))
    assert len(set(hashes)) == 1
    images = restored(ranks)
    assert bool(images) == ranks.main
    if ranks.main:
        np.savez(folder / "images.npz", **images)
    try:
        with ranks.together():
            if ranks.rank == 1:
                raise ValueError("something of process 1")
    except BaseException as error:
        (folder / f"error-{ranks.rank}").write_text(f"{type(error).__name__}: {error}")
    ranks.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
