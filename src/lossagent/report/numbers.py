"""Means, paired differences and their intervals: every number in the tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lossagent.feedback import Direction, Feedback
from lossagent.noise import paired_change

RESAMPLES = 4000
Scores = Mapping[str, float | None]
Conditions = Mapping[str, str]
"""Image -> condition; images without one share one."""
NONE: Conditions = MappingProxyType({})


@dataclass(frozen=True)
class Difference:
    """Mean over images of (score - the other's score), and a paired bootstrap interval where there is one.

    Attributes:
        mean: in score units.
        images: how many images have both scores.
        low, high: 95 % percentile interval over images; ``None`` with too few images (:data:`lossagent.noise.FEWEST`).
    """

    mean: float
    images: int
    low: float | None = None
    high: float | None = None

    def verdict(self, direction: Direction | None) -> str:
        """``"gain"`` or ``"setback"`` where the interval leaves 0 out, ``"noise"`` where not, "" without one."""
        if self.low is None or self.high is None or direction is None:
            return ""
        if self.low <= 0 <= self.high:
            return "noise"
        return "gain" if (self.low > 0) == (direction == "higher") else "setback"


def mean(scores: Scores, conditions: Conditions = NONE) -> float | None:
    """Mean over the images that have a finite score, within conditions, then over them; ``None`` if none has."""
    return Feedback(scores={"score": dict(scores)}, conditions=dict(conditions)).mean("score")


def infinite(scores: Scores) -> bool:
    """Whether every score there is is infinite: the PSNR of an image against itself."""
    values = [v for v in scores.values() if v is not None]
    return bool(values) and all(math.isinf(v) for v in values)


def paired(
    scores: Scores, other: Scores, conditions: Conditions = NONE, *, interval: bool = True, seed: int = 0
) -> Difference | None:
    """The paired difference of two rows of scores; ``None`` where they share no image.

    The interval is :func:`lossagent.noise.paired_change`'s: it says how the mean varies with the images, not
    with the training seed. Images are drawn again within each condition, so that each keeps its weight.

    Args:
        scores, other: image -> score.
        conditions: differences are averaged within them, then over them.
        interval: whether an interval is wanted.
        seed: of the resampling; fixed, so that a report is the same when written again.
    """
    change = paired_change(
        Feedback(scores={"score": dict(scores)}, conditions=dict(conditions)),
        Feedback(scores={"score": dict(other)}),
        "score",
        tolerance=None,
        seed=seed,
        resamples=RESAMPLES if interval else 1,
    )
    if change.mean is None:
        return None
    return Difference(change.mean, change.n, change.low if interval else None, change.high if interval else None)


def digits(unit: float | None, value: float | None = None) -> int:
    """Decimals that show a tenth of a unit: PSNR (0.1) 2, SSIM (0.005) 4; by size where no unit is known."""
    if unit is not None and unit > 0:
        return max(0, min(6, math.ceil(-math.log10(unit)) + 1))
    if value is None or value == 0 or not math.isfinite(value):
        return 3
    return max(0, min(6, 3 - math.floor(math.log10(abs(value))) - 1))


def plain(value: float | None, places: int) -> str:
    """A number for a table, with a real minus sign."""
    if value is None or math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "∞"
    return f"{value:.{places}f}".replace("-", "−")


def signed(value: float, places: int) -> str:
    """A difference with its sign; an exact zero has none."""
    text = f"{abs(value):.{places}f}"
    if not float(text):
        return text
    return f"{'−' if value < 0 else '+'}{text}"


def compact(value: float) -> str:
    """A weight in at most four significant digits."""
    return f"{value:.4g}".replace("e-0", "e−").replace("e+0", "e").replace("-", "−")
