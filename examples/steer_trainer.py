"""A trainer that knows nothing of lossagent: one filter that removes noise, learned under two weighted losses.

`steer_trainer.py train --photos DIR --weights mse=1,smooth=0.1 --start A.npy --out B.npy` prints the raw losses;
`steer_trainer.py restore --photos DIR --net B.npy --out DIR` writes the restored photographs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, STEPS = 5, 40


def photographs(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, photograph, noisy photograph) in [0, 1], [h, w, 3]; the noise is always the same."""
    rng = np.random.default_rng(0)
    for file in sorted(folder.glob("*.png")):
        clean = np.asarray(Image.open(file).convert("RGB")) / 255.0
        yield file.stem, clean, clean + rng.normal(0, 0.1, clean.shape)


def around(image: np.ndarray) -> np.ndarray:
    """The pixels around each pixel: [h, w, 3] -> [h, w, 3, SIDE * SIDE]."""
    wide = np.pad(image, ((SIDE // 2,) * 2, (SIDE // 2,) * 2, (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(wide, (SIDE, SIDE), axis=(0, 1))
    return windows.reshape(*image.shape, SIDE * SIDE)


def untrained() -> np.ndarray:
    """The filter that changes nothing."""
    return np.eye(SIDE * SIDE)[SIDE * SIDE // 2]


def train(photos: Path, weights: dict[str, float], net: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Gradient descent on mse * |restored - clean|^2 + smooth * |difference of neighbours|^2, all pixels a step."""
    squares, products, differences, power, count = 0.0, 0.0, 0.0, 0.0, 0
    for _, clean, noisy in photographs(photos):
        windows = around(noisy)
        edges = (windows[:, 1:] - windows[:, :-1]).reshape(-1, SIDE * SIDE)
        pixels, wanted = windows.reshape(-1, SIDE * SIDE), clean.reshape(-1)
        squares, differences = squares + pixels.T @ pixels, differences + edges.T @ edges
        products, power, count = products + pixels.T @ wanted, power + wanted @ wanted, count + wanted.size
    curvature = 2 * (weights["mse"] * squares + weights["smooth"] * differences)
    rate = 1 / np.linalg.eigvalsh(curvature).max()  # the largest step that cannot diverge, whatever the weights
    sums = {"mse": 0.0, "smooth": 0.0}
    for _ in range(STEPS):
        raw = {"mse": net @ squares @ net - 2 * products @ net + power, "smooth": net @ differences @ net}
        slopes = {"mse": 2 * (squares @ net - products), "smooth": 2 * differences @ net}
        net = net - rate * sum(weights[name] * slope for name, slope in slopes.items())
        sums = {name: total + float(raw[name]) / count / STEPS for name, total in sums.items()}
    return net, sums


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["train", "restore"])
    for name in ("photos", "net", "start", "out"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--weights", default="")
    given = parser.parse_args()
    if given.what == "train":
        weights = {name: float(value) for name, value in (part.split("=") for part in given.weights.split(","))}
        net, losses = train(given.photos, weights, np.load(given.start))
        np.save(given.out, net)
        print(",".join(f"{name}={value}" for name, value in losses.items()))
        return
    net = np.load(given.net) if given.net.exists() else untrained()
    np.save(given.net, net)
    given.out.mkdir(parents=True, exist_ok=True)
    for name, _, noisy in photographs(given.photos):
        restored = np.clip(around(noisy) @ net, 0, 1)
        Image.fromarray((restored * 255).round().astype(np.uint8)).save(given.out / f"{name}.png")


if __name__ == "__main__":
    main()
