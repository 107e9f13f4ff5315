"""Paired comparisons over seeds: intervals, permutation tests, and Holm's correction.

Runs of two arms under one seed share their first weights and their data, so their scores are compared seed by seed.
Under the hypothesis that the arms do the same, a difference is as likely to have one sign as the other; the test
counts how many of all sign patterns give a mean as far from 0 as the one found. With n seeds there are 2^n of them:
the smallest two-sided p is 2 / 2^n, and fewer than six seeds can never reach p < .05 (:func:`fewest`).

Sources: Fisher, "The Design of Experiments" (1935), section 21; Pitman, "Significance tests which may be applied to
samples from any populations", Suppl. J. R. Stat. Soc. 4 (1937); for the interval Hartigan, "Using subsample values as
typical values", JASA 64 (1969); Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6
(1979); Student, "The probable error of a mean", Biometrika 6 (1908); Wilson, "Probable inference", JASA 22 (1927).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lossagent.errors import Refused

Method = Literal["permutation", "t"]
Floats = NDArray[np.float64]
ALPHA = 0.05
"""A difference is shown where p is below this."""
EXACT = 18
"""Up to so many differences every sign pattern is looked at; beyond, a seeded sample of them."""
DRAWS = 19_999
"""Sign patterns of that sample."""


@dataclass(frozen=True)
class Paired:
    """What paired differences say about their mean.

    Attributes:
        mean: of the differences, in their units.
        low, high: ends of the interval; infinite where so few differences bound nothing.
        p: two-sided, in (0, 1], of the hypothesis that there is no difference (0 where three or more differences are
            equal and Student's t has no spread to judge by).
        n: differences.
        method: ``"permutation"`` (sign flips; they need symmetric differences) or ``"t"`` (normal ones).
        level: of the interval.
        exact: whether every sign pattern was looked at.
    """

    mean: float
    low: float
    high: float
    p: float
    n: int
    method: Method = "permutation"
    level: float = 0.95
    exact: bool = True

    @property
    def bounded(self) -> bool:
        """Whether the interval has ends."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0 and p is below 1 - level."""
        # 1 - 0.95 is a little above .05, and a p of .05 is not below it.
        return (self.low > 0 or self.high < 0) and self.p < round(1 - self.level, 12)


def paired(differences: Sequence[float], method: Method = "permutation", level: float = 0.95, seed: int = 0) -> Paired:
    """The mean of paired differences, its interval and its p.

    The permutation interval holds every shift that the sign-flip test does not refuse at 1 - level: its ends are order
    statistics of the means of all non-empty subsets (Hartigan 1969, theorem 1). It is two-sided with equal tails.

    Args:
        differences: one a seed, finite; each stands for itself.
        method: sign flips, or Student's t.
        level: of the interval, in (0, 1).
        seed: of the sample of sign patterns where there are too many for all of them.

    Raises:
        Refused: no difference, one that is not finite, or a level outside (0, 1).
    """
    values = np.array(differences, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise Refused(f"differences must be finite numbers, at least one; found {list(differences)}.")
    if not 0 < level < 1:
        raise Refused(f"level must lie between 0 and 1; found {level}.")
    return _student(values, level) if method == "t" else _sign_flips(values, level, seed)


def fewest(family: int = 1, alpha: float = ALPHA) -> int:
    """The smallest number of seeds with which a sign-flip test can reach p < alpha: 6 for .05.

    Args:
        family: tests that Holm corrects for; the smallest p of the family is multiplied by so many.
        alpha: the level, > 0.
    """
    n = 1
    while not family * 2.0 ** (1 - n) < alpha:
        n += 1
    return n


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjusted p of a family of tests: compare each with the level that the whole family may err at.

    The i-th smallest of m is multiplied by m - i + 1, never falls below the one before it, and is at most 1.
    """
    adjusted: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p, key=lambda n: p[n])):
        largest = max(largest, min(1.0, p[name] * (len(p) - place)))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p}


def wilson(kept: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share, without continuity correction; (0, 1) where nothing was counted."""
    if of == 0:
        return 0.0, 1.0
    found = stats.binomtest(kept, of).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def bootstrap(rows: Floats, level: float = 0.95, seed: int = 0, resamples: int = 4000) -> tuple[Floats, Floats]:
    """Percentile intervals of column means; whole rows (seeds) are drawn with replacement.

    Args:
        rows: (seeds, columns), finite.
        level: of the intervals.
        seed, resamples: of the resampling.

    Returns:
        Low and high ends, one a column; infinite with fewer than two rows.
    """
    n, columns = rows.shape
    if n < 2:
        return np.full(columns, -np.inf), np.full(columns, np.inf)
    drawn = np.random.default_rng(seed).integers(0, n, size=(resamples, n))
    counts = np.zeros((resamples, n))
    np.add.at(counts, (np.arange(resamples)[:, None], drawn), 1.0)
    # Resamples of n rows vary less than the rows do, by the factor (n - 1) / n.
    middle = rows.mean(axis=0)
    means = middle + (counts @ rows / n - middle) * math.sqrt(n / (n - 1))
    low, high = np.quantile(means, ((1 - level) / 2, (1 + level) / 2), axis=0)
    return low, high


def _student(values: Floats, level: float) -> Paired:
    n, mean = len(values), float(values.mean())
    if n == 1:
        return Paired(mean, -math.inf, math.inf, 1.0, 1, "t", level)
    error = float(values.std(ddof=1)) / math.sqrt(n)
    if error <= 1e-12 * float(np.abs(values).max()):
        if n < 3:  # two equal differences are one number seen twice: no spread to judge by, and none to be sure of
            return Paired(mean, -math.inf, math.inf, 1.0, n, "t", level)
        return Paired(mean, mean, mean, 0.0 if mean else 1.0, n, "t", level)
    reach = float(stats.t.ppf((1 + level) / 2, n - 1)) * error
    p = 2.0 * float(stats.t.sf(abs(mean) / error, n - 1))
    return Paired(mean, mean - reach, mean + reach, p, n, "t", level)


def _sign_flips(values: Floats, level: float, seed: int) -> Paired:
    """Flipping the signs of a subset S about theta leaves the sum as large or larger where mean(S) <= theta."""
    n = len(values)
    exact = n <= EXACT
    sums, sizes = _all_subsets(values) if exact else _some_subsets(values, seed)
    # The pattern that flips nothing is always as extreme as itself; it stands beside the non-empty subsets.
    patterns = len(sums) + 1
    close = 1e-12 * float(np.abs(values).sum())
    upper = (1 + int((sums <= close).sum())) / patterns
    lower = (1 + int((sums >= -close).sum())) / patterns
    p = min(1.0, 2 * min(upper, lower))
    rank = math.floor((1 - level) / 2 * patterns + 1e-9)
    if rank < 1:
        return Paired(float(values.mean()), -math.inf, math.inf, p, n, "permutation", level, exact)
    means = np.sort(sums / sizes)
    return Paired(float(values.mean()), float(means[rank - 1]), float(means[-rank]), p, n, "permutation", level, exact)


def _all_subsets(values: Floats) -> tuple[Floats, Floats]:
    """Sum and size of each of the 2^n - 1 non-empty subsets."""
    sums, sizes = np.zeros(1), np.zeros(1)
    for value in values:
        sums, sizes = np.concatenate([sums, sums + value]), np.concatenate([sizes, sizes + 1])
    return sums[1:], sizes[1:]


def _some_subsets(values: Floats, seed: int) -> tuple[Floats, Floats]:
    """The same for subsets drawn at random, each as likely as any other."""
    chosen = np.random.default_rng(seed).random((DRAWS, len(values))) < 0.5
    chosen = chosen[chosen.any(axis=1)].astype(np.float64)
    return chosen @ values, chosen.sum(axis=1)
