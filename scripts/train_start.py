"""Trains a small start checkpoint that ships with the package: PSNR first, on one CPU core, from a seed.

    python scripts/train_start.py --name compact_x4 --network compact --arguments '{"scale": 4}' \
        --images CID22 CLIC2025 --measure Set5=Set5/HR --measure Set14=Set14/HR \
        --out src/lossagent/checkpoints_data --iterations 10000

The last photographs of a seeded shuffle are held out; the exponential moving average that is best on them is kept. The
sets of ``--measure`` are measured and printed, and choose nothing. SIGTERM stops after the running iteration and writes
what is best so far, with the iteration count it really had.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import math
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from train_start_networks import begin_as_interpolation
from train_start_tasks import TASKS, Sample, Task

from lossagent.data.images import NamedImage, list_images
from lossagent.restorers import build, from_uint8, load_into, restore, to_uint8
from lossagent.training.memory import keep_freed_memory

LICENCES = "CID22: CC BY-SA 4.0 (Cloudinary Image Dataset '22); CLIC2025: Unsplash licence"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--name", required=True)
    parser.add_argument("--network", required=True)
    parser.add_argument("--arguments", type=json.loads, default={}, help="constructor arguments as JSON")
    parser.add_argument("--start", type=Path, help="checkpoint to start from")
    parser.add_argument("--interpolating", action="store_true", help="a SwinIR starts as plain interpolation")
    parser.add_argument("--task", choices=sorted(TASKS), default="bicubic")
    parser.add_argument("--images", nargs="+", type=Path, required=True, help="folders of training photographs")
    parser.add_argument("--measure", action="append", default=[], help="NAME=FOLDER of clean images")
    parser.add_argument("--out", type=Path, required=True, help="folder for the three files")
    parser.add_argument("--iterations", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--multiple", type=int, default=1, help="inputs are padded to a multiple of it")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--patch", type=int, default=32, help="side of the low-quality crop")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--warmup", type=int, default=200)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--held-out", type=int, default=4)
    parser.add_argument("--every", type=int, default=500, help="iterations between validations")
    parser.add_argument("--licences", default=LICENCES)
    return parser.parse_args()


def luma(image: np.ndarray) -> np.ndarray:
    """Y of BT.601 limited range from uint8 RGB, not rounded."""
    return image.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255 + 16


def psnr(restored: np.ndarray, reference: np.ndarray, border: int) -> float:
    """Y without a border for super-resolution, RGB for restoration at one size, dB."""
    if border:
        inner = slice(border, -border)
        error = (luma(restored) - luma(reference))[inner, inner]
    else:
        error = restored.astype(np.float64) - reference
    return float(10 * math.log10(255**2 / np.mean(error**2)))


def measure(network: nn.Module, samples: Sequence[Sample], args: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """name -> PSNR of the network and of doing nothing (bicubic enlargement, or the input as it is), dB."""
    border = args.scale if args.scale > 1 else 0
    scores: dict[str, tuple[float, float]] = {}
    for sample in samples:
        restored = to_uint8(restore(network, from_uint8(sample.low), scale=args.scale, multiple=args.multiple))
        scores[sample.name] = psnr(restored, sample.high, border), psnr(sample.untouched, sample.high, border)
    return scores


def mean(scores: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    pair = np.array(list(scores.values())).mean(axis=0)
    return round(float(pair[0]), 4), round(float(pair[1]), 4)


def rate(iteration: int, args: argparse.Namespace) -> float:
    """Linear warm-up, then a half cosine to zero."""
    if iteration < args.warmup:
        return args.lr * (iteration + 1) / args.warmup
    part = (iteration - args.warmup) / max(1, args.iterations - args.warmup)
    return args.lr * 0.5 * (1 + math.cos(math.pi * part))


def split(args: argparse.Namespace) -> tuple[list[NamedImage], list[NamedImage]]:
    images = [image for folder in args.images for image in list_images(folder)]
    order = np.random.default_rng(args.seed).permutation(len(images))
    shuffled = [images[i] for i in order]
    return shuffled[: -args.held_out], shuffled[-args.held_out :]


class Stop:
    """Set by SIGTERM."""

    asked = False

    def __call__(self, number: int, frame: Any) -> None:
        self.asked = True


def train(args: argparse.Namespace, task: Task, sets: Mapping[str, Sequence[Sample]]) -> tuple[dict[str, Tensor], Any]:
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(args.seed)
    train_images, held_out = split(args)
    batches = task.sampler(train_images, args.scale, args.patch, args.seed)
    held = [sample for image in held_out for sample in task.samples(image, args.scale)]
    network = build(args.network, args.arguments)
    if args.interpolating:
        begin_as_interpolation(network)
    if args.start is not None:
        load_into(network, args.start)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.Adam(network.parameters(), lr=args.lr, betas=(0.9, 0.99))
    stop = Stop()
    signal.signal(signal.SIGTERM, stop)
    best: dict[str, Any] = {"psnr": -math.inf}
    state: dict[str, Tensor] = {}
    losses, started, iteration = 0.0, time.monotonic(), 0
    while iteration < args.iterations and not stop.asked:
        for group in optimiser.param_groups:
            group["lr"] = rate(iteration, args)
        batch = batches.batch(0, iteration, args.batch)
        optimiser.zero_grad()
        loss = F.l1_loss(network(batch.lq.to(memory_format=torch.channels_last)), batch.hq)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        iteration += 1
        losses += loss.item()
        keep = min(args.ema, iteration / (iteration + 10))
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)
        if iteration % args.every == 0 or iteration == args.iterations or stop.asked:
            score, base = mean(measure(average, held, args))
            shown = " ".join(f"{name} {mean(measure(average, s, args))[0]:.3f}" for name, s in sets.items())
            print(
                f"{iteration:6d} L1 {losses / args.every:.5f} held-out {score:.3f} (untouched {base:.3f}) {shown} dB, "
                f"{(time.monotonic() - started) / iteration:.3f} s/iteration",
                flush=True,
            )
            losses = 0.0
            if score > best["psnr"]:
                best = {"psnr": score, "untouched": base, "iteration": iteration}
                state = {k: v.detach().clone().contiguous() for k, v in average.state_dict().items()}
    facts = {
        "iterations_done": iteration,
        "seconds": round(time.monotonic() - started),
        "kept": best,
        "held_out": [image.name for image in held_out],
        "photographs": len(train_images),
    }
    return state, facts


def card(facts: Mapping[str, Any], task: Task) -> str:
    name, settings = facts["name"], facts["arguments"]
    rows = "\n".join(
        f"| {title} | {scores['untouched']:.2f} | {scores['network']:.2f} |"
        for title, scores in facts["psnr_db"].items()
    )
    done, planned = facts["iterations_done"], settings["iterations"]
    early = f" (stopped early of {planned:,} planned)" if done < planned else ""
    return f"""# {name}

A small network (`{facts["network"]}`, {facts["parameters"]:,} parameters, arguments below) trained for PSNR only on
{task.what}. It is a start from which training under perceptual and
adversarial losses is steered; it is not meant to compete with published networks.

    {json.dumps(facts["network_arguments"])}

| set, {task.protocol}, dB | {task.untouched} | {name} |
|---|---|---|
{rows}

The sets were measured only: the kept weights are the moving average that was best on {len(facts["held_out"])} held-out
training photographs.

- Training: L1, Adam (0.9, 0.99), learning rate {settings["lr"]}, warm-up and half cosine,
  {done:,} iterations{early} of {settings["batch"]} crops of {settings["patch"]} low-quality pixels,
  seed {facts["seed"]}, one CPU core, {facts["seconds"] / 60:.0f} minutes;
  kept: iteration {facts["kept"]["iteration"]:,}.
- Data: {facts["photographs"]} photographs. {facts["data_licences"]}.
- Reproduce: `scripts/train_start.py`; all arguments stand in `{name}.json`. Bit-equal only with the same PyTorch
  build and processor kind.
- Limits: {task.limits}
- Licence of the weights: Apache-2.0, as the package. File: fp32 safetensors, sha256 `{facts["sha256"]}`.
"""


def main() -> None:
    args = arguments()
    task = TASKS[args.task]
    folders = {name: Path(folder) for name, _, folder in (text.partition("=") for text in args.measure)}
    sets = {
        name: [sample for image in list_images(folder) for sample in task.samples(image, args.scale)]
        for name, folder in folders.items()
    }
    state, facts = train(args, task, sets)
    network = build(args.network, args.arguments).eval()
    network.load_state_dict(state)
    scores = {title: measure(network, samples, args) for title, samples in sets.items()}
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / f"{args.name}.safetensors"
    save_file(state, file, metadata={"network": args.network, "arguments": json.dumps(args.arguments)})
    paths = {"images", "measure", "out", "start", "name", "network"}
    facts = {
        "name": args.name,
        "network": args.network,
        "network_arguments": args.arguments,
        "task": args.task,
        "scale": args.scale,
        "parameters": sum(p.numel() for p in network.parameters()),
        "seed": args.seed,
        "start": args.start.stem if args.start is not None else None,
        "arguments": {k: v for k, v in vars(args).items() if k not in paths}
        | {"images": [folder.name for folder in args.images]},
        **facts,
        "psnr_db": {t: dict(zip(("network", "untouched"), mean(s), strict=True)) for t, s in scores.items()},
        "psnr_db_each": {t: {n: [round(x, 3) for x in s[n]] for n in s} for t, s in scores.items()},
        "protocol": task.protocol,
        "data_licences": args.licences,
        "torch": torch.__version__,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    (args.out / f"{args.name}.json").write_text(json.dumps(facts, indent=2) + "\n")
    (args.out / f"{args.name}.md").write_text(card(facts, task))
    print(json.dumps(facts["psnr_db"]))


if __name__ == "__main__":
    main()
