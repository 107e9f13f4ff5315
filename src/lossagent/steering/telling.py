"""What a loop tells, as records."""

from __future__ import annotations

from collections.abc import Mapping

from lossagent.errors import UnknownName
from lossagent.feedback import POOLED, Feedback
from lossagent.records import StageReport
from lossagent.weights import Weights

BEST = "best by the goal on the feedback images, which it was steered by"
LAST = "the last state: a wish alone has no number"
"""How a loop chooses that scores no other images; it may :meth:`lossagent.Steering.finish` otherwise."""


def feedback_of(scores: Mapping[str, Mapping[str, float | None] | float | int | None]) -> Feedback:
    """Scores of each image, or one score of all images for a metric."""
    return Feedback(scores={m: dict(s) if isinstance(s, Mapping) else {POOLED: s} for m, s in scores.items()})


def reported(report: StageReport | None, losses: Mapping[str, float | int] | None, known: Weights) -> StageReport:
    """The report of a stage with the losses told beside it.

    Raises:
        UnknownName: a loss that the run does not have.
    """
    report = report or StageReport()
    if losses is None:
        return report
    for name in losses:
        if name not in known.names:
            raise UnknownName("loss", name, known.names)
    return report.model_copy(update={"losses": {**report.losses, **{n: float(v) for n, v in losses.items()}}})
