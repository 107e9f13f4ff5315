"""The spread of a score between settings against its noise.

A two-way layout, settings x images, with the training noise from repeats. Source: Scheffé, "The Analysis of Variance"
(1959), chapters 4 and 7.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lossagent.feedback import Feedback
from lossagent.records import Record

LEVEL = 0.9
"""Of the interval of the ratio: its lower end is a one-sided 95 % bound."""
Array = NDArray[np.float64]


class Spread(Record):
    """One score at one depth. Standard deviations are in units of the score.

    Attributes:
        depth: stages from S_0.
        settings, repeats, images: how many were compared; ``repeats`` counts the initial setting.
        spread: standard deviation of the settings' true means, 0 where their differences are no larger than noise.
        training: of a mean from one training to the next, under the same weights: the part that all images share.
        image: of a mean from one set of so many images to the next: each image has its own luck and its own response.
        ratio: variance between the settings' means over the variance of their noise: 1 without an effect.
        low, high: ends of the 90 % interval of that ratio.
    """

    depth: int
    settings: int
    repeats: int
    images: int
    spread: float
    training: float
    image: float
    ratio: float
    low: float
    high: float

    @property
    def noise(self) -> float:
        """Standard deviation of a mean, both parts together."""
        return math.hypot(self.training, self.image)

    @property
    def exceeds(self) -> bool:
        """Whether the settings differ by more than noise: the interval of the ratio lies above 1."""
        return self.low > 1

    @property
    def images_for_a_third(self) -> int | None:
        """Images with which the image part of the noise is a third of the spread; ``None`` without a spread."""
        if self.spread <= 0:
            return None
        return math.ceil(self.images * (3 * self.image / self.spread) ** 2)


def spread_of(settings: Array, repeats: Array, depth: int) -> Spread:
    """Compares settings.

    With V the variance of the k settings' means, T that of the r repeats' means, and I and J the mean squares that
    setting (repeat) and image means leave open in the two tables, over n: noise = max(0, T - J) + I, since each
    image's own luck is in T already. The ratio V / noise has the interval of an F distribution with k - 1 and r - 1
    degrees of freedom: exact where weights do nothing, and wide where the noise is that of images.

    Settings share their training data, so that their noise is rather smaller than that of the repeats: the ratio errs
    towards "nothing shown".

    Args:
        settings: (k, n) changes of the score from S_0, by setting and image; k >= 3, n >= 1.
        repeats: (r, n) the same of runs under one setting with different seeds; r >= 2.
        depth: of the states.
    """
    (k, n), r = settings.shape, len(repeats)
    between = float(settings.mean(axis=1).var(ddof=1))
    training = max(0.0, float(repeats.mean(axis=1).var(ddof=1)) - _rest(repeats))
    image = _rest(settings)
    noise, tail = training + image, (1 - LEVEL) / 2
    if noise == 0:  # nothing varies but the weights
        ratio, low, high = (math.inf, math.inf, math.inf) if between > 0 else (1.0, 1.0, 1.0)
    else:
        ratio = between / noise
        low, high = (ratio / float(stats.f.ppf(q, k - 1, r - 1)) for q in (1 - tail, tail))
    return Spread(
        depth=depth,
        settings=k,
        repeats=r,
        images=n,
        spread=math.sqrt(max(0.0, between - noise)),
        training=math.sqrt(training),
        image=math.sqrt(image),
        ratio=ratio,
        low=low,
        high=high,
    )


def _rest(table: Array) -> float:
    """Mean square that the means of rows and columns leave open, over the number of columns; 0 with a single one."""
    rows, columns = table.shape
    if columns < 2:
        return 0.0
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    return float(np.sum(rest**2)) / ((rows - 1) * (columns - 1)) / columns


def changes_of(runs: Sequence[Mapping[int, Feedback]], metric: str, depth: int) -> tuple[Array, list[int]]:
    """(runs with scores, images) changes from S_0, and which runs those are.

    Images count that every such run has a finite score of, before and after.

    Args:
        runs: depth -> feedback, of each run.
        metric: whose scores.
        depth: of the state that is compared with S_0.
    """
    tables = [_differences(run, metric, depth) for run in runs]
    known = [i for i, table in enumerate(tables) if table]
    images = sorted(set.intersection(*(set(tables[i]) for i in known))) if known else []
    return np.array([[tables[i][image] for image in images] for i in known], dtype=np.float64), known


def _differences(run: Mapping[int, Feedback], metric: str, depth: int) -> dict[str, float]:
    if 0 not in run or depth not in run:
        return {}
    before, after = (run[d].scores.get(metric, {}) for d in (0, depth))
    found: dict[str, float] = {}
    for image, now in after.items():
        then = before.get(image)
        if now is not None and then is not None and math.isfinite(now - then):
            found[image] = now - then
    return found
