"""How single images differ from their set's mean: what makes paired image noise exist in simulation as in reality."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median_low

import numpy as np

from lossagent.feedback import Feedback
from lossagent.records import Record
from lossagent.simulator.noise_model import spread_and_correlation
from lossagent.simulator.transitions import Array
from lossagent.study.outcome import Outcome

Row = tuple[float, ...]


class ImageModel(Record):
    """The images of one set.

    score(image) = mean + offset(image) + e(image), where e follows the network from stage to stage:
    e = persistence x e(parent) + noise. Both parts are 0 in the mean, so that the set's mean stays the mean's.

    Attributes:
        images, conditions: their names, and the condition of each ("" for none).
        metrics: in the order of the rows below.
        offsets: metric -> image -> mean score less the set's mean at S_0.
        persistence: metric -> in [0, 1].
        spread: metric -> image -> standard deviation of the noise of one stage.
        correlation: metric -> metric -> of that noise.
    """

    images: tuple[str, ...]
    conditions: tuple[str, ...]
    metrics: tuple[str, ...]
    offsets: tuple[Row, ...]
    persistence: Row
    spread: tuple[Row, ...]
    correlation: tuple[Row, ...]

    @cached_property
    def shares(self) -> Array:
        """(images,) weight of each in the mean; they sum to 1."""
        return _shares(self.conditions)

    @cached_property
    def _factor(self) -> Array:
        return np.linalg.cholesky(np.array(self.correlation).reshape(len(self.metrics), len(self.metrics)))

    def still(self) -> Array:
        """(metrics, images) deviations at S_0: none."""
        return np.zeros((len(self.metrics), len(self.images)))

    def moved(self, before: Array, draw: Array) -> Array:
        """(metrics, images) deviations after a stage, from those of the parent and standard normal numbers."""
        noise = (self._factor @ draw) * np.array(self.spread)
        after = np.array(self.persistence)[:, None] * before + noise
        return after - (after @ self.shares)[:, None]

    def feedback(self, means: Mapping[str, float], deviations: Array) -> Feedback:
        """Scores of every image."""
        scores: dict[str, dict[str, float | None]] = {}
        for m, metric in enumerate(self.metrics):
            values = means[metric] + np.array(self.offsets[m]) + deviations[m]
            scores[metric] = dict(zip(self.images, map(float, values), strict=True))
        named = {i: c for i, c in zip(self.images, self.conditions, strict=True) if c}
        return Feedback(scores=scores, conditions=named)


@dataclass(frozen=True)
class _Deviations:
    """(metrics, images) arrays of one stage: before and after it, S_0's offsets taken off."""

    before: Array
    after: Array


def images_of(
    outcomes: Sequence[Outcome], side: Callable[[Outcome], Mapping[int, Feedback]], wanted: Collection[str]
) -> ImageModel | None:
    """The model of a set's images; ``None`` where runs have no scores of it.

    Args:
        outcomes: the runs.
        side: run -> state id -> feedback on the set. Metrics are those that S_0 of every run has, with each of its
            images; where runs drew images of their own, all are learned from, and as many as a run has are modelled:
            those that most runs have.
        wanted: metrics whose means are modelled; others are left out.
    """
    runs = [(one, scores) for one in outcomes if 0 in (scores := side(one))]
    starts = [scores[0] for _, scores in runs]
    if not starts:
        return None
    metrics = tuple(m for m in starts[0].scores if m in wanted and all(f.mean(m) is not None for f in starts))
    drawn = [[i for i in f.scores[metrics[0]] if all(_score(f, m, i) is not None for m in metrics)] for f in starts
             ] if metrics else []  # fmt: skip
    counts = Counter(image for images in drawn for image in images)
    if not counts:
        return None
    named = {image: condition for f in starts for image, condition in f.conditions.items()}
    every = ImageModel(
        images=tuple(counts), conditions=tuple(named.get(i, "") for i in counts), metrics=metrics,
        offsets=(), persistence=(), spread=(), correlation=(),
    )  # fmt: skip
    stages = [stage for one, scores in runs for stage in _stages(one, scores, every)]
    persistence, spread, correlation = _dynamics(stages, len(metrics), len(counts))
    modelled = {image for image, _ in counts.most_common(median_low(map(len, drawn)))}
    places = [place for place, image in enumerate(every.images) if image in modelled]
    offsets = _means([_centred(f, every) for f in starts])[:, places]
    conditions = tuple(every.conditions[i] for i in places)
    return ImageModel(
        images=tuple(every.images[i] for i in places),
        conditions=conditions,
        metrics=metrics,
        offsets=_rows(offsets - (offsets @ _shares(conditions))[:, None]),
        persistence=tuple(map(float, persistence)),
        spread=_rows(spread[:, places]),
        correlation=_rows(correlation),
    )


def _shares(conditions: Sequence[str]) -> Array:
    """Weight of each image in the mean, which is taken within conditions first."""
    counts = Counter(conditions)
    return np.array([1 / (len(counts) * counts[name]) for name in conditions])


def _means(rows: Sequence[Array]) -> Array:
    """The mean of each place over the rows that have it; every place is in one."""
    table = np.array(rows)
    return np.nansum(table, axis=0) / (~np.isnan(table)).sum(axis=0)


def _stages(one: Outcome, scores: Mapping[int, Feedback], every: ImageModel) -> list[_Deviations]:
    """Every stage of a run that has scores; deviations are from the offsets of its own S_0."""
    found: list[_Deviations] = []
    start = _centred(scores[0], every)
    for state in one.states[1:]:
        if state.id in scores and state.parent is not None and state.parent in scores:
            before, after = _centred(scores[state.parent], every), _centred(scores[state.id], every)
            found.append(_Deviations(before - start, after - start))
    return found


def _dynamics(stages: Sequence[_Deviations], metrics: int, images: int) -> tuple[Array, Array, Array]:
    """Persistence (m,), spread (m, i) and correlation (m, m) of the deviations of recorded stages."""
    if not stages:
        return np.ones(metrics), np.zeros((metrics, images)), np.eye(metrics)
    before, after = np.array([s.before for s in stages]), np.array([s.after for s in stages])
    both = ~np.isnan(before) & ~np.isnan(after)
    before, after = np.where(both, before, 0.0), np.where(both, after, 0.0)
    power = (before**2).sum(axis=(0, 2))
    slope = (before * after).sum(axis=(0, 2)) / np.where(power > 0, power, 1.0)
    persistence = np.where(power > 0, np.clip(slope, 0.0, 1.0), 1.0)
    noise = np.where(both, after - persistence[:, None] * before, np.nan)
    counts = np.maximum(both.sum(axis=0), 1)
    spread = np.sqrt(np.nansum(noise**2, axis=0) / counts)
    z = noise / np.where(spread > 0, spread, 1.0)
    _, correlation = spread_and_correlation(z.transpose(0, 2, 1).reshape(-1, metrics))
    return persistence, spread, correlation


def _centred(feedback: Feedback, model: ImageModel) -> Array:
    """(metrics, images) scores less the set's mean; NaN where one is missing."""
    rows: list[Array] = []
    for metric in model.metrics:
        values = np.array([_or_nan(_score(feedback, metric, i)) for i in model.images])
        known = ~np.isnan(values)
        shares = model.shares[known]
        mean = float(values[known] @ shares / shares.sum()) if known.any() else math.nan
        rows.append(values - mean)
    return np.array(rows)


def _score(feedback: Feedback, metric: str, image: str) -> float | None:
    value = feedback.scores.get(metric, {}).get(image)
    return value if value is not None and math.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _rows(values: Array) -> tuple[Row, ...]:
    return tuple(tuple(map(float, row)) for row in values)
