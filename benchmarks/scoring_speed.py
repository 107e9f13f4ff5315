"""Scoring T images with k metrics: time of each metric, and what is done more than once.

    python benchmarks/scoring_speed.py [--images 20] [--size 256] [--repeats 3] [--threads 1] [--metrics NAME ...]

All metrics are asked in one call of the objective, as a run does after each stage, against each metric asked alone, one
image after another. A network that takes 8 images at a time stands among them and counts its calls; conversions from
8 bit to tensors are counted as well. LPIPS and DISTS compute with random weights, which take as long as the published
ones. Exit status 1 when the network was called more often than once a batch, an image was converted more than once,
a score is missing or differs from the one computed alone, or all together takes over a quarter longer than the parts.
Seconds are of processor time, which other programs on the machine hardly change.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
import time
from collections.abc import Callable, Mapping
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from lossagent.feedback import MetricFacts
from lossagent.metrics import METRICS, Metric, MetricOptions, create
from lossagent.objectives import Scored, Scores, pairs
from lossagent.restorers import from_uint8

BATCH = 8
RANDOM_WEIGHTS = ("dists", "lpips-alex", "lpips-squeeze", "lpips-vgg", "shifted-lpips")
DEGRADED = "lr_consistency"


class Network:
    """A small network that takes several images at a time and counts how often it is called."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2), nn.ReLU(), nn.Conv2d(32, 64, 3, 2), nn.ReLU(), nn.Conv2d(64, 64, 3, 2), nn.ReLU()
        ).requires_grad_(False)
        self.calls = 0

    @property
    def batch(self) -> int:
        return BATCH

    @property
    def facts(self) -> MetricFacts:
        return MetricFacts(
            name="network",
            direction="higher",
            low=0.0,
            high=None,
            needs_reference=False,
            unit=0.1,
            implementation="benchmark",
            version="1",
        )

    def __call__(self, restored: Tensor, reference: Tensor | None = None) -> Tensor:
        del reference
        self.calls += 1
        return self.layers(restored).mean(dim=(1, 2, 3)).double()


def photographs(count: int, size: int, seed: int) -> dict[str, np.ndarray]:
    """8-bit images with the spectrum of photographs."""
    rng = np.random.default_rng(seed)
    distance = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size))
    distance[0, 0] = 1
    images = np.fft.ifft2(np.fft.fft2(rng.standard_normal((count, 3, size, size))) / distance).real
    images = 128 + 45 * images / images.std(axis=(2, 3), keepdims=True)
    whole = np.clip(np.round(images), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    return {f"image{i:03d}": np.ascontiguousarray(image) for i, image in enumerate(whole)}


def made(name: str) -> Metric:
    return create(name, MetricOptions(weights="random")) if name in RANDOM_WEIGHTS else create(name)


def shortest(repeats: int, runs: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Least processor time of each; in turns, so that a slow moment of the machine falls on all of them."""
    best = dict.fromkeys(runs, math.inf)
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--size", type=int, default=256, help="pixels, a multiple of 4")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--metrics", nargs="+", default=list(METRICS), help="names of built-in metrics; default: all")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)

    restored = photographs(given.images, given.size, 0)
    truth = photographs(given.images, given.size, 1)
    low = {name: np.ascontiguousarray(image[::4, ::4]) for name, image in restored.items()}
    network = Network()
    metrics: dict[str, Metric] = {**{name: made(name) for name in given.metrics}, "network": network}

    def others(name: str) -> dict[str, np.ndarray] | None:
        if not metrics[name].facts.needs_reference:
            return None
        return low if name == DEGRADED else truth

    def alone(name: str) -> list[float]:
        against = others(name)
        with torch.inference_mode():
            pair = ((from_uint8(x), None if against is None else from_uint8(against[n])) for n, x in restored.items())
            return [float(metrics[name](x, y)) for x, y in pair]

    scored = {n: Scored(metric, None if (a := others(n)) is None else a.get) for n, metric in metrics.items()}
    objective = Scores(scored)
    values = {name: alone(name) for name in metrics}  # also warms up
    runs: dict[str, Callable[[], object]] = {name: functools.partial(alone, name) for name in metrics}
    seconds = shortest(given.repeats, {**runs, "together": lambda: objective(restored)})
    together = seconds.pop("together")

    network.calls = 0
    with mock.patch.object(pairs, "from_uint8", wraps=from_uint8) as converted:
        feedback = objective(restored)
    conversions, calls = converted.call_count, network.calls

    print(f"{given.images} images {given.size}x{given.size}, {given.threads} thread(s), shortest of {given.repeats}")
    for name, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"{name:16s}{1000 * spent / given.images:9.2f} ms an image")
    total = sum(seconds.values())
    print(
        f"{'one by one':16s}{total:9.3f} s;  all {len(metrics)} in one call: {together:.3f} s ({together / total:.2f})"
    )
    wanted = {"calls": math.ceil(given.images / BATCH), "conversions": 3 * given.images}
    print(f"network called {calls} times (wanted: {wanted['calls']})", end="; ")
    print(f"images converted {conversions} times (wanted: at most {wanted['conversions']}, with comparison images)")
    missing = [name for name, by_image in feedback.scores.items() if None in by_image.values()]
    apart = [
        n
        for n, v in values.items()
        if not np.allclose(np.array(list(feedback.scores[n].values()), dtype=float), v, rtol=1e-4)
    ]
    print(f"scores missing: {', '.join(missing) or 'none'}; different when alone: {', '.join(apart) or 'none'}")
    fine = calls <= wanted["calls"] and conversions <= wanted["conversions"] and not missing and not apart
    return 0 if fine and together <= 1.25 * total else 1


if __name__ == "__main__":
    sys.exit(main())
