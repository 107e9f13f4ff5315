"""A run that takes a second: generated pictures, a narrow network, a scripted language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor, nn


def pictures(folder: Path, count: int, side: int = 96, seed: int = 0) -> Path:
    """Writes textured pictures that share nothing with those of another seed."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        coarse = rng.uniform(0, 255, (side // 6, side // 6, 3)).astype(np.uint8)
        image = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)).astype(np.int16)
        noisy = np.clip(image + rng.integers(-12, 13, image.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"p{seed}-{number}.png")
    return folder


def experiment(root: Path, **changes: Any) -> dict[str, Any]:
    """Plain data of a tiny experiment; its pictures are written below ``root``."""
    data = root / "data"
    if not data.exists():
        for seed, (name, count) in enumerate({"train": 3, "feedback": 2, "selection": 2, "test": 2}.items()):
            pictures(data / name, count, seed=seed)
    base: dict[str, Any] = {
        "name": "tiny",
        "scale": 4,
        "restorer": {"network": "compact", "arguments": {"scale": 4, "channels": 8, "blocks": 1}},
        "losses": {
            "l1": {"kind": "l1", "weight": 1.0},
            "mse": {"kind": "mse", "weight": 0.5},
            "gan": {
                "kind": "adversarial",
                "weight": 0.1,
                "discriminator": {"network": "patch", "arguments": {"channels": 4, "layers": 1, "norm": "spectral"}},
            },
        },
        "data": {
            "train": [str(data / "train")],
            "feedback": str(data / "feedback"),
            "selection": str(data / "selection"),
            "test": {"test": str(data / "test")},
            "patch": 12,
            "jitter": True,
        },
        "goal": {"targets": [{"metric": "psnr_y", "direction": "higher", "unit": 0.1}]},
        "agent": {"kind": "random", "rollback": True},
        "bounds": {"trust": 3.0},
        "tolerance": {"psnr_y": 0.01},
        "training": {
            "stages": 3,
            "iterations": 6,
            "batch": 2,
            "learning_rate": 1e-3,
            "ema": 0.5,
            "warmup": 3,
            "log_every": 2,
            "partial_every": 4,
            "threads": 1,
        },
    }
    return base | changes


class PlainSR(nn.Module):
    """Somebody's own network: one convolution and a pixel shuffle."""

    def __init__(self, scale: int = 4) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 3 * scale**2, 3, padding=1)
        self.up = nn.PixelShuffle(scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.body(x))
