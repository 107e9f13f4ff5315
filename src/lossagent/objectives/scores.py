"""Metrics as an objective: a score for each restored image."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from lossagent.errors import Refused
from lossagent.feedback import Feedback, MetricFacts
from lossagent.metrics.base import Metric
from lossagent.objectives.base import Pixels
from lossagent.restorers import from_uint8

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

    def __call__(self, restored: Mapping[str, Pixels]) -> Feedback:
        """Scores of 8-bit images; a score that is not finite is recorded as missing."""
        scores: dict[str, dict[str, float | None]] = {name: {} for name in self.metrics}
        for image, pixels in restored.items():
            tensor = from_uint8(pixels).to(self.device)
            for name, scored in self.metrics.items():
                scores[name][image] = self._score(scored, image, tensor)
        return Feedback(scores=scores, conditions={i: c for i, c in self.conditions.items() if i in restored})

    def _score(self, scored: Scored, image: str, tensor: torch.Tensor) -> float | None:
        other = scored.against(image) if scored.against is not None else None
        if scored.against is not None and other is None:
            return None
        reference = from_uint8(other).to(self.device) if other is not None else None
        with torch.inference_mode():
            value = float(scored.metric(tensor, reference)[0])
        return value if math.isfinite(value) else None
