"""T images scored with k networks: restored once and in batches, against a loop that restores and converts for each.

    python benchmarks/scoring_speed.py [--images 12] [--size 48] [--metrics 4] [--batch 8] [--threads 1]

The restorer is the compact one at x4. Each metric is a small network that counts its calls. The plain loop is what an
evaluation script often is: for each metric, for each image: restore, round to 8 bit, convert back, ask the metric.
Exit status 1 when a metric was called more often than once a batch, the restorer more often than once an image, a score
differs by more than 1e-4, or we are slower than the loop.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from lossagent.feedback import MetricFacts
from lossagent.objectives import Scored, Scores
from lossagent.restorers import build, from_uint8, to_uint8


class Network:
    """A metric: a small network with a batch size of its own."""

    def __init__(self, number: int, batch: int) -> None:
        torch.manual_seed(number)
        layers = [nn.Conv2d(3, 32, 3, 2), nn.ReLU(), nn.Conv2d(32, 64, 3, 2), nn.ReLU(), nn.Conv2d(64, 64, 3, 2)]
        self.layers = nn.Sequential(*layers).requires_grad_(False)
        self.batch = batch
        self.calls = 0
        self.facts = MetricFacts(
            name=f"network{number}",
            direction="higher",
            low=None,
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


class Restorer:
    """A network that counts its calls."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = build("compact", {"scale": 4, "channels": 32, "blocks": 4}).eval()
        self.calls = 0

    @torch.inference_mode()
    def __call__(self, low: np.ndarray) -> np.ndarray:
        self.calls += 1
        return to_uint8(self.network(from_uint8(low)))


def timed(repeats: int, run: Callable[[], dict[str, list[float]]]) -> tuple[float, dict[str, list[float]]]:
    """Shortest wall-clock time of several runs after one that warms up, and what the last gave."""
    values, best = run(), math.inf
    for _ in range(repeats):
        start = time.perf_counter()
        values = run()
        best = min(best, time.perf_counter() - start)
    return best, values


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("images", 12), ("size", 48), ("metrics", 4), ("batch", 8), ("threads", 1), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rng = np.random.default_rng(0)
    low = {f"i{n}": rng.integers(0, 256, (given.size, given.size, 3), dtype=np.uint8) for n in range(given.images)}
    restorer = Restorer()
    metrics = {m.facts.name: m for m in (Network(n, given.batch) for n in range(given.metrics))}
    objective = Scores({name: Scored(metric) for name, metric in metrics.items()})

    def ours() -> dict[str, list[float]]:
        feedback = objective({name: restorer(image) for name, image in low.items()})
        assert not feedback.problems, feedback.problems
        return {name: [float(v or 0.0) for v in scores.values()] for name, scores in feedback.scores.items()}

    @torch.inference_mode()
    def plain() -> dict[str, list[float]]:
        return {
            name: [float(metric(from_uint8(restorer(image)))[0]) for image in low.values()]
            for name, metric in metrics.items()
        }

    runs = given.repeats + 1
    counts: list[tuple[int, int]] = []
    results: list[tuple[float, dict[str, list[float]]]] = []
    for run in (ours, plain):
        restorer.calls = 0
        for metric in metrics.values():
            metric.calls = 0
        results.append(timed(given.repeats, run))
        counts.append((restorer.calls // runs, sum(m.calls for m in metrics.values()) // runs))
    gap = max(abs(a - b) for name in metrics for a, b in zip(results[0][1][name], results[1][1][name], strict=True))

    side = given.size
    print(
        f"{given.images} images {side}x{side} to {4 * side}x{4 * side}, {given.metrics} metrics, batch {given.batch}, "
    )
    print(f"{given.threads} thread(s), shortest of {given.repeats}")
    print(f"{'':12s}{'seconds':>10s}{'restorer calls':>16s}{'metric calls':>14s}")
    for name, (seconds, _), (restored, asked) in zip(("ours", "plain loop"), results, counts, strict=True):
        print(f"{name:12s}{seconds:10.3f}{restored:16d}{asked:14d}")
    ratio = results[1][0] / results[0][0]
    wanted = given.metrics * math.ceil(given.images / given.batch)
    print(f"{ratio:.2f} times faster; scores within {gap:.1e} (wanted: 1e-4); metric calls wanted: {wanted}")
    return 0 if counts[0] == (given.images, wanted) and gap <= 1e-4 and ratio >= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
