"""Scores that can be compared: means over the images that S_0 has a score of, or none.

A metric may fail on an image. A mean over the others is of easier images, and an arm would look better for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lossagent.feedback import Feedback
from lossagent.study.outcome import Outcome

Scores = Mapping[str, float | None]


class Gap(NamedTuple):
    """A mean that counts as missing.

    Attributes:
        place: the test set, or ``"the selection set"``.
        row: whose scores.
        metric: its name.
        images: of those that S_0 has a score of, how many are missing.
        of: how many S_0 has a score of.
    """

    place: str
    row: str
    metric: str
    images: int
    of: int


def complete(feedback: Feedback, start: Feedback | None) -> Feedback:
    """The same over the images that S_0 has a score of, metric by metric; no score where one of them is missing.

    A metric that S_0 has no score of stays as it is.

    Args:
        feedback: on a state.
        start: on S_0, over the same set.
    """
    if start is None:
        return feedback
    scores: dict[str, dict[str, float | None]] = {}
    for metric, own in feedback.scores.items():
        wanted = _scored(start.scores.get(metric, {}))
        if not wanted:
            scores[metric] = own
        else:
            scores[metric] = {} if wanted - _scored(own) else {image: own[image] for image in own if image in wanted}
    return feedback.model_copy(update={"scores": scores})


def row_of(one: Outcome, name: str, row: str) -> Feedback | None:
    """A row of a test set, complete; ``None`` where there is no such row."""
    rows = one.tests.get(name, {})
    return complete(rows[row], rows.get("start")) if row in rows else None


def mean_of(one: Outcome, name: str, row: str, metric: str) -> float | None:
    """Mean of a metric in a row of a test set; ``None`` where it cannot be compared."""
    found = row_of(one, name, row)
    return found.mean(metric) if found is not None else None


def state_of(one: Outcome, state: int) -> Feedback | None:
    """Scores of a state on the selection set, complete; ``None`` where it was not scored there."""
    found = one.selection.get(state)
    return complete(found, one.selection.get(0)) if found is not None else None


def gaps(one: Outcome) -> Iterator[Gap]:
    """Every mean of a run that counts as missing though some of its images have a score."""
    for name, rows in one.tests.items():
        for row, feedback in rows.items():
            yield from _gaps(name, row, feedback, rows.get("start"))
    if (kept := one.selection.get(one.selected)) is not None:
        yield from _gaps("the selection set", "selected", kept, one.selection.get(0))


def _gaps(place: str, row: str, feedback: Feedback, start: Feedback | None) -> Iterator[Gap]:
    for metric, own in feedback.scores.items():
        wanted = _scored(start.scores.get(metric, {})) if start is not None else set[str]()
        lacking = wanted - _scored(own)
        if lacking and _scored(own):
            yield Gap(place, row, metric, len(lacking), len(wanted))


def _scored(scores: Scores) -> set[str]:
    return {image for image, score in scores.items() if score is not None and math.isfinite(score)}
