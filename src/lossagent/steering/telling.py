"""What a loop tells, as records."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from torch import Tensor

from lossagent.errors import Refused, UnknownName
from lossagent.feedback import POOLED, Feedback
from lossagent.goal import Goal
from lossagent.objectives.given import GivenImages
from lossagent.records import StageReport, State
from lossagent.weights import Weights

BEST = "best by the goal on the feedback images, which it was steered by"
LAST = "the last state: a wish alone has no number"
"""How a loop chooses that scores no other images; it may :meth:`lossagent.Steering.finish` otherwise."""


@dataclass(frozen=True)
class Answer:
    """What became of a stage: images to score, scores, or whole feedback.

    Attributes:
        images, scores, feedback: see :meth:`lossagent.Steering.tell`; exactly one is given.

    Raises:
        Refused: none or more than one.
    """

    images: GivenImages | None = None
    scores: Mapping[str, Mapping[str, float | None] | float | int | None] | None = None
    feedback: Feedback | None = None

    def __post_init__(self) -> None:
        if sum(x is not None for x in (self.images, self.scores, self.feedback)) != 1:
            raise Refused("tell exactly one of images, scores and feedback.")

    @property
    def told(self) -> Feedback:
        """The feedback that was told as such or as scores.

        Raises:
            Refused: scores that are none.
        """
        return self.feedback if self.feedback is not None else feedback_of(self.scores)


def feedback_of(scores: object, where: str = "scores") -> Feedback:
    """Scores of each image, or one score of all images for a metric.

    Args:
        scores: metric -> image -> score, or metric -> score; ``None`` for a missing one.
        where: they came from, for messages.

    Raises:
        Refused: no scores, or something that is no score.
    """
    if not isinstance(scores, Mapping) or not scores:
        raise Refused(f'{where} must be metric -> score such as {{"niqe": 5.2}}; found {_shown(scores)}.')
    found: dict[str, dict[str, float | None]] = {}
    for metric, told in cast("Mapping[object, object]", scores).items():
        entries = cast("Mapping[object, object]", told) if isinstance(told, Mapping) else {POOLED: told}
        if not isinstance(metric, str) or not entries:
            raise Refused(f"{where}: {metric!r} {'has no scores' if isinstance(metric, str) else 'is no metric'}.")
        found[metric] = {}
        for image, score in entries.items():
            if not isinstance(image, str):
                raise Refused(f"{where}: the images of {metric} must have names that are words; found {image!r}.")
            found[metric][image] = None if score is None else number(score, f"{where}: {metric}")
    return Feedback(scores=found)


def number(value: object, where: str) -> float:
    """A number of any library, as a float.

    Args:
        value: a Python or NumPy number, or a tensor with one value.
        where: it stands, for messages.

    Raises:
        Refused: it is none.
    """
    single: object = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
    if isinstance(single, bool) or not isinstance(single, numbers.Real):
        raise Refused(f"{where} must be a number; found {_shown(value)}.")
    return float(single)


def refuse_incomplete(feedback: Feedback, wanted: Iterable[str], why: str) -> None:
    """Refuses feedback that lacks a metric; one whose scores are all missing is there.

    Raises:
        Refused: so it is.
    """
    for metric in wanted:
        if metric not in feedback.scores:
            raise Refused(
                f"the scores told have no {metric!r}, which {why}; found {sorted(feedback.scores) or 'none'}. "
                "Tell None for an image whose score is missing."
            )


def oddities(told: State, start: State, goal: Goal) -> Iterator[str]:
    """What was taken as it is, and most likely was not meant.

    Args:
        told: a state that has its feedback.
        start: S_0.
        goal: what is wanted.
    """
    feedback, first = told.feedback or Feedback(), start.feedback or Feedback()
    for metric in goal.moved:
        if feedback.mean(metric) is None:
            why = f": {feedback.problems[metric]}" if metric in feedback.problems else "."
            yield f"state {told.id} has no score of {metric!r}, from which nothing can be learned{why}"
            continue
        now, before = set(feedback.scores[metric]), set(first.scores.get(metric, {}))
        if before and now != before:
            names = ", ".join(sorted(now ^ before)[:5])
            yield (
                f"state {told.id} was told with other images than S_0 ({names}): scores of different images cannot be "
                "told from a change of the network."
            )
            return


def _shown(value: object) -> str:
    return f"{str(value)[:80]!r}" if isinstance(value, str) else f"{str(value)[:80]} ({type(value).__name__})"


def reported(report: StageReport | None, losses: Mapping[str, float | int] | None, known: Weights) -> StageReport:
    """The report of a stage with the losses told beside it.

    Raises:
        UnknownName: a loss that the run does not have.
        Refused: a loss that is no number.
    """
    report = report or StageReport()
    if losses is None:
        return report
    for name in losses:
        if name not in known.names:
            raise UnknownName("loss", name, known.names)
    return report.model_copy(
        update={"losses": {**report.losses, **{n: number(v, f"losses: {n}") for n, v in losses.items()}}}
    )
