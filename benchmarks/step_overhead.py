"""Our training step against a plain hand-written PyTorch loop: same network, losses, batch, data.

    python benchmarks/step_overhead.py [--steps 5] [--rounds 24]

Both loops cut the same batches from the same photographs; ours adds what a steered run needs in every step (seeding,
finite check, loss log). The two take turns and the median of the ratios is printed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lossagent.data import Batch, NamedImage, PatchSampler, Prefetcher
from lossagent.data.degradations import Bicubic
from lossagent.losses import L1, Adversarial, LossRepository, Perceptual
from lossagent.restorers import CompactSR, PatchDiscriminator
from lossagent.training.losslog import LossLog
from lossagent.training.networks import Networks
from lossagent.training.randomness import seed_everything
from lossagent.training.settings import TrainingSettings
from lossagent.training.step import Stepper
from lossagent.weights import Weights

BATCH, PATCH, SCALE = 8, 24, 4
RATES = (4e-4, 1e-3)


def parts() -> tuple[CompactSR, L1, Perceptual, Adversarial]:
    torch.manual_seed(0)
    net = CompactSR(SCALE)
    gan = Adversarial(PatchDiscriminator(channels=32, norm="none"))
    return net, L1(), Perceptual("efficientnet-lite0", weights="random"), gan


def sampler(folder: Path) -> PatchSampler:
    rng = np.random.default_rng(0)
    for number in range(6):
        Image.fromarray(rng.integers(0, 256, (512, 512, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    images = [NamedImage(p.stem, p) for p in sorted(folder.glob("*.png"))]
    return PatchSampler(images, SCALE, PATCH, Bicubic(SCALE), seed=0)


class Plain:
    """What somebody would write by hand."""

    def __init__(self, source: PatchSampler) -> None:
        self.source = source
        self.net, self.l1, self.perceptual, self.gan = parts()
        self.net.to(memory_format=torch.channels_last).train()
        self.gan.discriminator.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=RATES[0], betas=(0.9, 0.99), fused=True)
        judge = self.gan.discriminator.parameters()
        self.other = torch.optim.Adam(judge, lr=RATES[1], betas=(0.9, 0.99), fused=True)

    def steps(self, first: int, count: int) -> None:
        for iteration in range(first, first + count):
            batch = self.source.batch(1, iteration, BATCH)
            low = batch.lq.to(memory_format=torch.channels_last)
            high = batch.hq.to(memory_format=torch.channels_last)
            restored = self.net(low)
            loss = self.l1(restored, high) + 0.1 * self.perceptual(restored, high) + 0.01 * self.gan(restored, high)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.other.zero_grad()
            self.gan.discriminator_loss(restored.detach(), high).backward()
            self.other.step()


class Steered:
    """The step of the built-in trainer, with its data, its log and its checks."""

    def __init__(self, source: PatchSampler, log_file: Path) -> None:
        self.source, self.log_file = source, log_file
        net, l1, perceptual, gan = parts()
        self.settings = TrainingSettings(
            batch=BATCH, learning_rate=RATES[0], discriminator_learning_rate=RATES[1], ema=None, score="raw"
        )
        networks = Networks(net, {"gan": gan}, self.settings)
        repository = LossRepository({"l1": l1, "perceptual": perceptual, "gan": gan})
        self.stepper = Stepper(networks, repository, self.settings, torch.device("cpu"))
        self.weights = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.01})
        net.train()

    def steps(self, first: int, count: int) -> None:
        log = LossLog(self.log_file, 1, RATES[0], BATCH, 20)

        def make(iteration: int) -> Batch:
            return self.source.batch(1, iteration, BATCH)

        with Prefetcher(make, first, first + count, depth=2, workers=0) as batches:
            for iteration, batch in enumerate(batches, start=first):
                seed_everything(0, 1, iteration)
                log.add(iteration, batch.names, self.stepper.restorer_step(batch, self.weights))
        log.flush()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--steps", type=int, default=5, help="steps of a turn")
    arguments.add_argument("--rounds", type=int, default=24)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        source = sampler(Path(scratch))
        sides = {"plain": Plain(source), "steered": Steered(source, Path(scratch) / "losses.jsonl")}
        for side in sides.values():
            side.steps(0, 5)
        print("compact network, L1 + perceptual (efficientnet-lite0) + GAN (PatchGAN-32), CPU")
        print(f"batch {BATCH}, LR patch {PATCH}, x{SCALE}, {torch.get_num_threads()} threads, ", end="")
        print(f"{options.rounds} turns of {options.steps} steps each")
        spent: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(options.rounds):
            # A B, B A, A B, ...: a drifting machine favours neither.
            for name in sorted(sides, reverse=number % 2 == 1):
                began = time.perf_counter()
                sides[name].steps(5 + number * options.steps, options.steps)
                spent[name].append((time.perf_counter() - began) / options.steps)
        for name, seconds in spent.items():
            print(f"{name:>8}: median {statistics.median(seconds):.4f} s a step (least {min(seconds):.4f})")
        ratios = [ours / theirs for ours, theirs in zip(spent["steered"], spent["plain"], strict=True)]
        print(f"median of paired ratios {statistics.median(ratios):.3f} (wanted: at most 1.05)")


if __name__ == "__main__":
    main()
