"""The intervals of :func:`lossagent.noise.paired_change` for many states at once.

A thousand states have thousands of changes over the same images. With one seed they all draw the same resamples, so
the drawing is done once and its means are one matrix product for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossagent.feedback import Feedback
from lossagent.noise import FEWEST, FEWEST_EACH, Change, paired_change

RESAMPLES = 1000
AT_ONCE = 512
"""Changes of one matrix product: 4 MB of means."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """A metric of a child and of its parent."""

    child: Feedback
    parent: Feedback
    metric: str
    tolerance: float | None


def paired_changes(pairs: Sequence[Pair], seed: int) -> list[Change]:
    """What :func:`lossagent.noise.paired_change` gives for each pair, up to rounding.

    Args:
        pairs: any number.
        seed: of the resampling.
    """
    found: list[Change | None] = [None] * len(pairs)
    alike: dict[tuple[int, ...], list[tuple[int, list[Array]]]] = {}
    for place, pair in enumerate(pairs):
        groups = _differences(pair.child, pair.parent, pair.metric)
        sizes = tuple(len(group) for group in groups)
        if sum(sizes) < FEWEST or (len(sizes) > 1 and min(sizes) < FEWEST_EACH):
            # Nothing is drawn for so few images.
            found[place] = paired_change(pair.child, pair.parent, pair.metric, pair.tolerance, seed)
        else:
            alike.setdefault(sizes, []).append((place, groups))
    for sizes, several in alike.items():
        draws = _draws(sizes, seed)
        for first in range(0, len(several), AT_ONCE):
            some = several[first : first + AT_ONCE]
            means, lows, highs = _ends(draws, [groups for _, groups in some])
            for column, (place, _) in enumerate(some):
                mean, low, high = float(means[column]), float(lows[column]), float(highs[column])
                tolerance = pairs[place].tolerance
                found[place] = Change(mean, low, high, low > 0 or high < 0, sum(sizes), True, tolerance)
    return [change for change in found if change is not None]


def _draws(sizes: tuple[int, ...], seed: int) -> list[Array]:
    """For each condition a matrix: how often each resample draws each image, over the number of images."""
    generator = np.random.default_rng(seed)
    matrices: list[Array] = []
    for size in sizes:
        drawn = generator.integers(0, size, size=(RESAMPLES, size))
        counts = np.zeros((RESAMPLES, size))
        np.add.at(counts, (np.arange(RESAMPLES)[:, None], drawn), 1.0 / size)
        matrices.append(counts)
    return matrices


def _ends(draws: list[Array], several: list[list[Array]]) -> tuple[Array, Array, Array]:
    """Means of the changes, and both ends of their intervals."""
    total: Array = np.zeros((RESAMPLES, len(several)))
    centre: Array = np.zeros(len(several))
    for place, matrix in enumerate(draws):
        differences = np.stack([groups[place] for groups in several], axis=1)
        size, own = len(differences), differences.mean(axis=0)
        wider = math.sqrt(size / (size - 1))
        total += (own + (matrix @ differences - own) * wider) / len(draws)
        centre += own / len(draws)
    low, high = np.quantile(total, (0.025, 0.975), axis=0)
    return centre, low, high


def _differences(child: Feedback, parent: Feedback, metric: str) -> list[Array]:
    """Child minus parent over common images, one array a condition, both in the order of names."""
    before: Mapping[str, float | None] = parent.scores.get(metric, {})
    groups: dict[str, list[float]] = {}
    for image, score in sorted(child.scores.get(metric, {}).items()):
        old = before.get(image)
        if score is not None and old is not None and math.isfinite(score) and math.isfinite(old):
            groups.setdefault(child.conditions.get(image, ""), []).append(score - old)
    return [np.array(groups[name]) for name in sorted(groups)]
