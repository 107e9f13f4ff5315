"""Our training step against a plain hand-written PyTorch loop: same network, losses, batch, data.

    python benchmarks/step_overhead.py [--steps 40] [--rounds 5]

Both loops take the same prepared batches; ours adds what a steered run needs in every step (seeding, finite check,
loss log, and the prefetching of the data). The two alternate and the median of the ratios is printed.
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

from lossagent.data import NamedImage, PatchSampler, Prefetcher
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


def plain(source: PatchSampler, steps: int) -> float:
    """What somebody would write by hand; batches are made beforehand, which favours it."""
    net, l1, perceptual, gan = parts()
    net.to(memory_format=torch.channels_last)
    gan.discriminator.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATES[0], betas=(0.9, 0.99), fused=True)
    other = torch.optim.Adam(gan.discriminator.parameters(), lr=RATES[1], betas=(0.9, 0.99), fused=True)
    batches = [source.batch(1, i, BATCH) for i in range(steps)]
    net.train()
    began = time.perf_counter()
    for batch in batches:
        low = batch.lq.to(memory_format=torch.channels_last)
        high = batch.hq.to(memory_format=torch.channels_last)
        restored = net(low)
        loss = l1(restored, high) + 0.1 * perceptual(restored, high) + 0.01 * gan(restored, high)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        other.zero_grad()
        gan.discriminator_loss(restored.detach(), high).backward()
        other.step()
    return time.perf_counter() - began


def steered(source: PatchSampler, steps: int, log_file: Path) -> float:
    """The step of the built-in trainer, with its data, its log and its checks."""
    net, l1, perceptual, gan = parts()
    settings = TrainingSettings(
        batch=BATCH, learning_rate=RATES[0], discriminator_learning_rate=RATES[1], ema=None, score="raw"
    )
    networks = Networks(net, {"gan": gan}, settings)
    repository = LossRepository({"l1": l1, "perceptual": perceptual, "gan": gan})
    stepper = Stepper(networks, repository, settings, torch.device("cpu"))
    weights = Weights.of({"l1": 1.0, "perceptual": 0.1, "gan": 0.01})
    log = LossLog(log_file, 1, RATES[0], BATCH, 20)
    net.train()
    began = time.perf_counter()
    with Prefetcher(lambda i: source.batch(1, i, BATCH), 0, steps, depth=3, workers=1) as batches:
        for iteration, batch in enumerate(batches):
            seed_everything(0, 1, iteration)
            log.add(iteration, batch.names, stepper.restorer_step(batch, weights))
            if (iteration + 1) % settings.log_every == 0:
                log.flush()
    log.flush()
    return time.perf_counter() - began


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--steps", type=int, default=40)
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        source = sampler(Path(scratch))
        log = Path(scratch) / "losses.jsonl"
        plain(source, 5)
        steered(source, 5, log)
        print(
            f"compact network, L1 + perceptual (efficientnet-lite0, random) + GAN (PatchGAN-32), batch {BATCH}, ",
            end="",
        )
        print(f"LR patch {PATCH}, x{SCALE}, {options.steps} steps, {torch.get_num_threads()} threads, CPU")
        print(f"{'round':>5} {'plain s/step':>14} {'steered s/step':>15} {'ratio':>7}")
        ratios: list[float] = []
        for number in range(options.rounds):
            # Each goes first in turn, so that a drifting machine favours neither.
            if number % 2:
                ours, theirs = steered(source, options.steps, log), plain(source, options.steps)
            else:
                theirs, ours = plain(source, options.steps), steered(source, options.steps, log)
            ratios.append(ours / theirs)
            print(f"{number:>5} {theirs / options.steps:>14.4f} {ours / options.steps:>15.4f} {ratios[-1]:>7.3f}")
        print(f"median ratio {statistics.median(ratios):.3f} (wanted: at most 1.05)")


if __name__ == "__main__":
    main()
