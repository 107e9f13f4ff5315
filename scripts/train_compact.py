"""Trains the small start checkpoint that ships with the package: PSNR first, on one CPU core, from a seed.

    python scripts/train_compact.py --images CID22 CLIC2025 --set5 bench/Set5 --set14 bench/Set14 \
        --out src/lossagent/checkpoints_data --iterations 10000 --seed 0

Each of ``--set5`` and ``--set14`` holds ``HR``. The last photographs of a seeded shuffle are held out; the exponential
moving average that is best on them is kept. Set5 and Set14 are measured and printed, and choose nothing. SIGTERM stops
after the running iteration and writes what is best so far, with the iteration count it really had.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import math
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from lossagent.data.degradations.bicubic import Bicubic, bicubic, imresize, modcrop
from lossagent.data.images import NamedImage, list_images
from lossagent.data.patches import PatchSampler
from lossagent.restorers.compact import CompactSR

LICENCES = "CID22: CC BY-SA 4.0 (Cloudinary Image Dataset '22); CLIC2025: Unsplash licence"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", nargs="+", type=Path, required=True, help="folders of training photographs")
    parser.add_argument("--set5", type=Path, required=True)
    parser.add_argument("--set14", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the three files")
    parser.add_argument("--name", default="compact_x4")
    parser.add_argument("--iterations", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--patch", type=int, default=32, help="side of the low-resolution crop")
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


def y_psnr(restored: np.ndarray, reference: np.ndarray, border: int) -> float:
    inner = slice(border, -border)
    error = (luma(restored) - luma(reference))[inner, inner]
    return float(10 * math.log10(255**2 / np.mean(error**2)))


def restore(network: CompactSR, low: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(low.transpose(2, 0, 1).copy())[None].float().div(255)
    with torch.inference_mode():
        y = network(x.to(memory_format=torch.channels_last))[0].clamp(0, 1)
    return y.mul(255).round().byte().numpy().transpose(1, 2, 0)


def measure(network: CompactSR, images: list[NamedImage], scale: int) -> dict[str, tuple[float, float]]:
    """name -> Y-PSNR of the network and of bicubic enlargement, dB."""
    scores: dict[str, tuple[float, float]] = {}
    for image in images:
        high = modcrop(image.pixels(), scale)
        low = bicubic(high, scale)
        enlarged = imresize(low, high.shape[0], high.shape[1])
        scores[image.name] = (
            y_psnr(restore(network, low), high, scale),
            y_psnr(enlarged, high, scale),
        )
    return scores


def mean(scores: dict[str, tuple[float, float]]) -> tuple[float, float]:
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


def train(args: argparse.Namespace) -> tuple[dict[str, Tensor], dict[str, Any]]:
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    train_images, held_out = split(args)
    sampler = PatchSampler(train_images, args.scale, args.patch, Bicubic(args.scale), args.seed)
    network = CompactSR(args.scale, args.channels, args.blocks).to(memory_format=torch.channels_last)
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
        batch = sampler.batch(0, iteration, args.batch)
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
            held, base = mean(measure(average, held_out, args.scale))
            set5, _ = mean(measure(average, list(list_images(args.set5 / "HR")), args.scale))
            print(
                f"{iteration:6d} L1 {losses / args.every:.5f} held-out {held:.3f} (bicubic {base:.3f}) "
                f"Set5 {set5:.3f} dB, {(time.monotonic() - started) / iteration:.3f} s/iteration",
                flush=True,
            )
            losses = 0.0
            if held > best["psnr"]:
                best = {"psnr": held, "bicubic": base, "iteration": iteration}
                state = {k: v.detach().clone().contiguous() for k, v in average.state_dict().items()}
    facts = {
        "iterations_done": iteration,
        "seconds": round(time.monotonic() - started),
        "kept": best,
        "held_out": [image.name for image in held_out],
        "photographs": len(train_images),
    }
    return state, facts


def card(name: str, facts: dict[str, Any]) -> str:
    settings = facts["arguments"]
    rows = "\n".join(
        f"| {title} x{facts['scale']} | {scores['bicubic']:.2f} | {scores['network']:.2f} |"
        for title, scores in facts["y_psnr_db"].items()
    )
    return f"""# {name}

A small super-resolution network (`lossagent.restorers.CompactSR`, {facts["parameters"]:,} parameters) trained for PSNR
only. It is a start from which training under perceptual and adversarial losses is steered; it is not meant to compete
with published networks.

| set, Y-PSNR in dB | bicubic | {name} |
|---|---|---|
{rows}

MATLAB protocol: 8-bit rounded output, Y of BT.601 limited range, border of {facts["scale"]} pixels cut off,
low-resolution input by MATLAB-compatible bicubic reduction. Set5 and Set14 were measured only: the kept weights are
the moving average that was best on {len(facts["held_out"])} held-out training photographs.

- Training: L1, Adam (0.9, 0.99), learning rate {settings["lr"]}, warm-up and half cosine,
  {facts["iterations_done"]:,} iterations of {settings["batch"]} crops of {settings["patch"]} low-resolution pixels,
  seed {facts["seed"]}, one CPU core, {facts["seconds"] / 60:.0f} minutes;
  kept: iteration {facts["kept"]["iteration"]:,}.
- Data: {facts["photographs"]} photographs. {facts["data_licences"]}.
- Reproduce: `scripts/train_compact.py`; all arguments stand in `{name}.json`. Bit-equal only with the same PyTorch
  build and processor kind.
- Limits: knows bicubic reduction only. Noise, JPEG traces and blur are sharpened along with everything else.
- Licence of the weights: Apache-2.0, as the package. File: fp32 safetensors, sha256 `{facts["sha256"]}`.
"""


def main() -> None:
    args = arguments()
    state, facts = train(args)
    network = CompactSR(args.scale, args.channels, args.blocks).eval()
    network.load_state_dict(state)
    sets = {"Set5": args.set5, "Set14": args.set14}
    scores = {title: measure(network, list(list_images(f / "HR")), args.scale) for title, f in sets.items()}
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / f"{args.name}.safetensors"
    settings = {"scale": args.scale, "channels": args.channels, "blocks": args.blocks}
    save_file(state, file, metadata={"network": "CompactSR", **{k: str(v) for k, v in settings.items()}})
    paths = {"images", "set5", "set14", "out"}
    facts = {
        "network": "CompactSR",
        **settings,
        "parameters": sum(p.numel() for p in network.parameters()),
        "seed": args.seed,
        "arguments": {k: v for k, v in vars(args).items() if k not in paths}
        | {"images": [folder.name for folder in args.images]},
        **facts,
        "y_psnr_db": {t: dict(zip(("network", "bicubic"), mean(s), strict=True)) for t, s in scores.items()},
        "y_psnr_db_each": {t: {n: [round(x, 3) for x in s[n]] for n in s} for t, s in scores.items()},
        "protocol": f"8-bit output, BT.601 limited-range Y, border {args.scale}, MATLAB bicubic input",
        "data_licences": args.licences,
        "torch": torch.__version__,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    (args.out / f"{args.name}.json").write_text(json.dumps(facts, indent=2) + "\n")
    (args.out / "MODEL_CARD.md").write_text(card(args.name, facts))
    print(json.dumps(facts["y_psnr_db"]))


if __name__ == "__main__":
    main()
