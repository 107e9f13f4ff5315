"""Which scores a prompt shows, what they are called, and which way they are better."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lossagent.agents.base import View
from lossagent.agents.llm.text import number, score
from lossagent.feedback import POOLED, Direction
from lossagent.records import State


@dataclass(frozen=True)
class Shown:
    """The scores of one prompt.

    Attributes:
        metrics: the metrics whose scores stand in the history.
        image: the image that the prompt is about, ``None`` for means over all.
        images: how many images the means are over.
        pooled: those metrics whose scores are of the whole set alone, such as people's preference.
    """

    metrics: tuple[str, ...]
    image: str | None
    images: int
    pooled: frozenset[str] = frozenset()

    @property
    def of(self) -> str:
        """ "of the image" or "over 10 images"; "over all images" where scores are of the whole set alone."""
        if self.metrics and self.pooled.issuperset(self.metrics):
            return "over all images"
        if self.image is not None:
            return "of the image"
        return "of the image" if self.images == 1 else f"over {self.images} images"

    @property
    def noun(self) -> str:
        """ "score" or "mean score"."""
        single = self.image is not None or self.images == 1 or self.pooled.issuperset(self.metrics)
        return "score" if single else "mean score"

    def label(self, metric: str) -> str:
        """A single metric is "the score", as in the paper; several go by their names."""
        return "score" if len(self.metrics) == 1 else metric

    def value(self, state: State, metric: str) -> float | None:
        """The image's score, or the mean; of the whole set where no image has one of its own."""
        if state.feedback is None:
            return None
        if self.image is None:
            return state.feedback.mean(metric)
        scores = state.feedback.scores.get(metric, {})
        value = scores.get(POOLED if metric in self.pooled else self.image)
        return value if value is not None and math.isfinite(value) else None

    def values(self, state: State) -> str:
        """``2.9642``, or ``niqe 2.9642, psnr 27.1`` where there are several; empty where words are all there is."""
        if len(self.metrics) == 1:
            return score(self.value(state, self.metrics[0]))
        return ", ".join(f"{m} {score(self.value(state, m))}{self._scope(m)}" for m in self.metrics)

    def listed(self, states: Sequence[State], decimals: Mapping[str, int]) -> str:
        """The scores of states in their order, with so many decimals: ``5.53, 4.52``; by metric where there are
        several: ``niqe 5.53, 4.52; psnr 27.1, 27.3``."""
        told = {m: ", ".join(_rounded(self.value(s, m), decimals[m]) for s in states) for m in self.metrics}
        if len(self.metrics) == 1:
            return told[self.metrics[0]]
        return "; ".join(f"{m} {values}{self._scope(m)}" for m, values in told.items())

    def _scope(self, metric: str) -> str:
        """Said of a score of the whole set that stands beside an image's own."""
        apart = self.image is not None and metric in self.pooled and not self.pooled.issuperset(self.metrics)
        return " (over all images)" if apart else ""


def metrics_of(view: View) -> tuple[str, ...]:
    """The targets and the constrained metrics; for a wish without targets every metric that is no guard."""
    names = [t.metric for t in view.goal.targets]
    names += [c.metric for c in view.goal.constraints if c.metric not in names]
    if not view.goal.targets:
        names += [m for m in view.metrics if m not in names and m not in view.guards]
    return tuple(dict.fromkeys(names))


def shown(view: View, image: str | None) -> Shown:
    """The scores of a prompt about an image, or about means over all."""
    unique = metrics_of(view)
    named = {metric: _scored_images(view, (metric,)) for metric in unique}
    pooled = frozenset(metric for metric, images in named.items() if images == (POOLED,))
    return Shown(unique, image, len(images_of(view, unique)), pooled)


def images_of(view: View, metrics: Iterable[str]) -> tuple[str, ...]:
    """Names of the feedback images that any state has a score of, in order of first appearance.

    Where no image has a score of its own (words alone, or scores of the whole set), those that a remark is about.
    """
    found = tuple(image for image in _scored_images(view, metrics) if image != POOLED)
    if found:
        return found
    states = view.trajectory.scored
    remarks = (remark for s in states if s.feedback is not None for remark in s.feedback.remarks)
    return tuple(dict.fromkeys(remark.image for remark in remarks if remark.image is not None))


def _scored_images(view: View, metrics: Iterable[str]) -> tuple[str, ...]:
    """Names that scores of some metrics stand under, the one for the whole set included."""
    wanted = tuple(metrics)
    found: dict[str, None] = {}
    for state in view.trajectory.scored:
        scores = state.feedback.scores if state.feedback is not None else {}
        for metric in wanted:
            found.update(dict.fromkeys(scores.get(metric, {})))
    return tuple(found)


def direction_of(view: View, metric: str) -> Direction | None:
    """Which way is better: the target's word, else the facts'; ``None`` where neither says."""
    for target in view.goal.targets:
        if target.metric == metric:
            return target.direction
    facts = view.metrics.get(metric)
    return facts.direction if facts is not None else None


def directions(view: View) -> str:
    """Sentences such as ``A LOWER score means better quality.``"""
    parts: list[str] = []
    metrics = metrics_of(view)
    for metric in metrics:
        direction = direction_of(view, metric)
        if direction is not None:
            label = "score" if len(metrics) == 1 else f"{metric} score"
            parts.append(f"A {direction.upper()} {label} means better quality.")
    return " ".join(parts)


def aims(view: View, clear: bool) -> str:
    """What is to be reached: ``reach a LOWER score``; with ``clear`` false the direction is left out."""
    targets = view.goal.targets
    if not targets:
        return "fulfil the wish"
    if len(metrics_of(view)) == 1:
        return f"reach a {targets[0].direction.upper()} score" if clear else "reach a better score"
    names = [f"a {t.direction.upper()} {t.metric}" if clear else f"a better {t.metric}" for t in targets]
    text = f"reach {_joined(names)}"
    weights = [t.importance for t in targets]
    if len(set(weights)) > 1:
        text += f" (importance {_joined([f'{t.metric} {t.importance:g}' for t in targets])})"
    return text


def point(view: View) -> str:
    """What the utility is counted in: ``points (one is 0.1 of niqe)``."""
    parts = [f"{t.unit / t.importance:g} of {t.metric}" for t in view.goal.scalar]
    return f"points (one is {' or '.join(parts)})" if parts else "points"


def order(view: View, metric: str) -> Callable[[float], float]:
    """Sort key under which the best score comes first; the number itself where no direction is known."""
    return (lambda x: -x) if direction_of(view, metric) == "higher" else (lambda x: x)


def decimals_of(view: View, metric: str) -> int:
    """Decimals that tell a tenth of a metric's unit apart; four where the unit is not known."""
    facts = view.metrics.get(metric)
    return min(max(1 - math.floor(math.log10(facts.unit)), 0), 6) if facts is not None and facts.unit > 0 else 4


def _rounded(value: float | None, decimals: int) -> str:
    return "none" if value is None or not math.isfinite(value) else number(value, decimals)


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
