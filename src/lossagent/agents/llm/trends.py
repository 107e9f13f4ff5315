"""Slopes of scores and raw losses over the path to the head, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from lossagent.agents.llm.scores import Shown
from lossagent.agents.llm.text import number
from lossagent.records import State

FEWEST = 3
"""With fewer points a line fits without a rest, and its slope has no uncertainty."""


@dataclass(frozen=True)
class Slope:
    """A least-squares line through values of states.

    Attributes:
        mean: change a stage.
        half: half the width of its 95 % interval (Student's t, independent residuals).
        n: points.
    """

    mean: float
    half: float
    n: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return abs(self.mean) > self.half


def slope(points: Iterable[tuple[int, float | None]]) -> Slope | None:
    """The slope of (depth, value) pairs, missing and infinite values left out; ``None`` with fewer than three."""
    kept = [(x, y) for x, y in points if y is not None and math.isfinite(y)]
    if len(kept) < FEWEST:
        return None
    x, y = np.array(kept, dtype=np.float64).T
    x = x - x.mean()
    spread = float(x @ x)
    mean = float(x @ y) / spread
    rest = y - y.mean() - mean * x
    error = math.sqrt(float(rest @ rest) / (len(kept) - 2) / spread)
    return Slope(mean, float(stdtrit(len(kept) - 2, 0.975)) * error, len(kept))


def score_slopes(shown: Shown, path: Sequence[State]) -> dict[str, Slope]:
    """Label of each shown score -> its slope."""
    found = {_label(shown, m): slope((s.depth, shown.value(s, m)) for s in path) for m in shown.metrics}
    return {label: s for label, s in found.items() if s is not None}


def loss_slopes(path: Sequence[State]) -> dict[str, Slope]:
    """Loss -> slope of its raw value, for those that the last state has a value of."""
    values = [(s.depth, raw_losses(s)) for s in path]
    found = {name: slope((depth, raw.get(name)) for depth, raw in values) for name in raw_losses(path[-1])}
    return {name: s for name, s in found.items() if s is not None}


def trends(shown: Shown, path: Sequence[State]) -> list[str]:
    """Two lines at most: scores and raw losses, a stage."""
    kinds = {"the scores": score_slopes(shown, path), "the raw losses": loss_slopes(path)}
    return [
        f"Trend of {kind} over this path, change a stage (95 % interval): {'; '.join(map(told, s, s.values()))}."
        for kind, s in kinds.items()
        if s
    ]


def told(label: str, found: Slope) -> str:
    """``mean score -0.21 +/- 0.15 over 8 states``, and that it is unclear where it is."""
    text = f"{label} {'-' if found.mean < 0 else '+'}{_size(found.mean)} +/- {_size(found.half)} over {found.n} states"
    return text if found.clear else f"{text} (no clear trend)"


def raw_losses(state: State) -> dict[str, float]:
    """Raw losses on the fixed batches, else the stage's means."""
    if state.report is None:
        return {}
    return dict(state.report.evidence.raw or state.report.losses)


def _label(shown: Shown, metric: str) -> str:
    return shown.noun if len(shown.metrics) == 1 else metric


def _size(value: float) -> str:
    """Without the rounding errors of a line that fits."""
    return number(abs(value) if abs(value) > 1e-9 else 0.0, 4)
