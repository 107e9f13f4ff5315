"""Metrics as an objective: a score for each restored image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch

from lossagent.errors import Refused
from lossagent.feedback import POOLED, Feedback, MetricFacts
from lossagent.metrics.base import Metric
from lossagent.metrics.command import OfFiles
from lossagent.objectives.base import Pixels, Situation
from lossagent.objectives.guarded import Guarded
from lossagent.objectives.pairs import Pair, Tensors

Lookup = Callable[[str], Pixels | None]
"""Image name -> the image that a metric compares with, ``None`` where there is none."""


@dataclass(frozen=True)
class Scored:
    """A metric and what it compares restored images with.

    Attributes:
        metric: the metric.
        against: looks up the comparison image by name: the ground truth, the degraded input, or S_0's output;
            ``None`` for metrics that look at the restored image alone.
    """

    metric: Metric
    against: Lookup | None = None


@dataclass(frozen=True)
class Scores:
    """Several metrics at once, eq. (5).

    Args:
        metrics: name -> metric with its comparison.
        conditions: image -> condition, see :class:`lossagent.Feedback`.
        device: where metrics compute.

    Raises:
        Refused: a metric needs a comparison and was given none.
    """

    metrics: Mapping[str, Scored]
    conditions: Mapping[str, str] = field(default_factory=dict[str, str])
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        for name, scored in self.metrics.items():
            if scored.metric.facts.needs_reference and scored.against is None:
                raise Refused(f"metric {name!r} compares with a reference image, and the feedback images have none.")

    @property
    def facts(self) -> Mapping[str, MetricFacts]:
        """Facts of every metric, by the name it is asked for."""
        return {name: scored.metric.facts for name, scored in self.metrics.items()}

    def parted(self) -> tuple[Scores, Scores]:
        """Metrics that look at each image by itself, and those that want all images of a set at once."""
        whole = {name: scored for name, scored in self.metrics.items() if wants_all(scored.metric)}
        rest = {name: scored for name, scored in self.metrics.items() if name not in whole}
        return replace(self, metrics=rest), replace(self, metrics=whole)

    def __call__(self, restored: Mapping[str, Pixels], situation: Situation | None = None) -> Feedback:
        """Scores of 8-bit images, each converted once for all metrics.

        A score that is not finite, a metric that fails or hangs: recorded as missing, and why in ``problems``.
        """
        del situation
        tensors = Tensors(self.device)
        scores: dict[str, dict[str, float | None]] = {}
        problems: dict[str, str] = {}
        for name, scored in self.metrics.items():
            known = _pairs(restored, scored.against)
            answer = _guarded(scored.metric).answer(name, known, tensors)
            whole = POOLED in answer.scores
            scores[name] = dict(answer.scores) if whole else {image: answer.scores.get(image) for image in restored}
            if answer.problem is not None:
                problems[name] = answer.problem
        conditions = {i: c for i, c in self.conditions.items() if i in restored}
        return Feedback(scores=scores, conditions=conditions, problems=problems)


def wants_all(metric: Metric) -> bool:
    """Whether a metric is asked once for all images, and may give one score of the whole set."""
    return isinstance(metric.metric if isinstance(metric, Guarded) else metric, OfFiles)


def _pairs(restored: Mapping[str, Pixels], against: Lookup | None) -> list[Pair]:
    """Images with what they are compared with; those that have nothing to be compared with are left out."""
    if against is None:
        return [Pair(name, pixels) for name, pixels in restored.items()]
    return [Pair(n, pixels, other) for n, pixels in restored.items() if (other := against(n)) is not None]


def _guarded(metric: Metric) -> Guarded:
    return metric if isinstance(metric, Guarded) else Guarded(metric)
