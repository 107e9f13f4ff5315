"""Whether a change of a score is more than noise: the paired bootstrap over images.

Child and parent restore the same images, so their scores are compared image by image; how hard an image is
cancels. What remains is the variation between images; the variation between two trainings from the same state
is not in it, so the interval is a lower limit of the whole noise.

Source: Efron, Tibshirani, "An Introduction to the Bootstrap" (1993), percentile interval, chapter 13.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lossagent.errors import Refused
from lossagent.feedback import Feedback

FEWEST = 8
"""With fewer common images the noise is not estimable."""
FEWEST_EACH = 5
"""Where there are conditions, each needs so many: resampling two images says next to nothing of a third."""


@dataclass(frozen=True)
class Change:
    """The change of a metric from one state to another, over the images that both have a score of.

    Attributes:
        mean: child minus parent, in score units; averaged within conditions, then over them. ``None`` without a
            common image.
        low, high: ends of the 95 % interval of the mean, ``None`` where it is not estimable.
        exceeds: whether the change is more than noise: the interval leaves out 0 or, where the noise is not
            estimable, the change is larger than the tolerance. ``None``: nothing to tell by.
        n: common images.
        estimable: whether the interval was estimated: at least 8 common images, and
            5 of each condition where there are several.
        tolerance: what stands in where the noise is not estimable, in score units.
    """

    mean: float | None
    low: float | None
    high: float | None
    exceeds: bool | None
    n: int
    estimable: bool
    tolerance: float | None = None

    @property
    def floor(self) -> float | None:
        """Half the width of the interval, else the tolerance, else ``None``: what a change must exceed."""
        if self.low is not None and self.high is not None:
            return (self.high - self.low) / 2
        return self.tolerance


def paired_change(
    child: Feedback,
    parent: Feedback,
    metric: str,
    tolerance: float | None,
    seed: int,
    resamples: int = 1000,
) -> Change:
    """The change of a metric's mean and its 95 % percentile interval; the same arguments give the same result.

    Images are drawn with replacement within their condition, so that every resample has all conditions. A photograph
    that stands in several conditions counts as so many images.

    Args:
        child, parent: feedback on the two states; images are paired by name, the child's conditions count.
        metric: whose scores.
        tolerance: change that counts as noise where it is not estimable, in score units, >= 0.
        seed: seed of the resampling.
        resamples: how many, >= 1.

    Raises:
        Refused: a tolerance that is negative or NaN, or no resamples.
    """
    if tolerance is not None and not tolerance >= 0:
        raise Refused(f"tolerance of {metric!r} must be a number >= 0 or none; found {tolerance}.")
    if resamples < 1:
        raise Refused(f"resamples must be at least 1; found {resamples}.")
    groups = _differences(child, parent, metric)
    n = sum(len(group) for group in groups)
    if n == 0:
        return Change(None, None, None, None, 0, False, tolerance)
    mean = float(np.mean([group.mean() for group in groups]))
    if n < FEWEST or (len(groups) > 1 and min(len(group) for group in groups) < FEWEST_EACH):
        exceeds = None if tolerance is None else abs(mean) > tolerance
        return Change(mean, None, None, exceeds, n, False, tolerance)
    generator = np.random.default_rng(seed)
    means = np.zeros(resamples)
    for group in groups:
        drawn = generator.integers(0, len(group), size=(resamples, len(group)))
        # Resamples of m images vary less than the images do, by the factor (m - 1) / m.
        wider = math.sqrt(len(group) / (len(group) - 1))
        means += (group.mean() + (group[drawn].mean(axis=1) - group.mean()) * wider) / len(groups)
    low, high = (float(x) for x in np.quantile(means, (0.025, 0.975)))
    return Change(mean, low, high, low > 0 or high < 0, n, True, tolerance)


def _differences(child: Feedback, parent: Feedback, metric: str) -> list[NDArray[np.float64]]:
    """Child minus parent for each common image, one array a condition, in an order that names alone decide."""
    before = parent.scores.get(metric, {})
    groups: dict[str, list[float]] = {}
    for image, score in sorted(child.scores.get(metric, {}).items()):
        old = before.get(image)
        if score is None or old is None or not (math.isfinite(score) and math.isfinite(old)):
            continue
        groups.setdefault(child.conditions.get(image, ""), []).append(score - old)
    return [np.array(groups[name], dtype=np.float64) for name in sorted(groups)]
