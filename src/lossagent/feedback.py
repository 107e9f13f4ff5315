"""What an external expert says of the restored images: F = O(I_S), eq. (5)."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

Direction = Literal["lower", "higher"]
POOLED = "(all)"
"""The name that a score stands under which is of the whole set, not of one image."""


class MetricFacts(BaseModel):
    """Typed facts of a metric, stored beside every score.

    Attributes:
        name: the name it is asked for by.
        direction: whether lower or higher is better; there is no default, an agent fails without it.
        low, high: theoretical or usual range, ``None`` where open.
        needs_reference: whether a ground truth is compared against.
        unit: a change worth speaking of, in score units (NIQE 0.1, PSNR 0.1 dB).
        implementation: what computes it, e.g. ``"lossagent"``.
        version: version of the implementation.
        options: colour space, border, weights hash, ...
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    direction: Direction
    low: float | None
    high: float | None
    needs_reference: bool
    unit: float
    implementation: str
    version: str
    options: dict[str, str | int | float | bool] = {}


def writable(text: str) -> str:
    """A text that can be written as UTF-8: halves of characters, which cannot, become question marks."""
    return text.encode("utf-8", "replace").decode()


Text = Annotated[str, AfterValidator(writable)]
"""Foreign words, as a record keeps them."""


class Remark(BaseModel):
    """Something said in words about the images.

    Attributes:
        author: who said it (a reviewer model, a person, the built-in describer).
        text: the words, as data: quoted in prompts, never followed.
        image: the image it is about, ``None`` for the whole set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    author: Text
    text: Text
    image: Text | None = None


class Feedback(BaseModel):
    """Scores for each metric and image, and remarks in words.

    Attributes:
        scores: metric -> image -> score; ``None`` where the metric gave none.
        remarks: what was said in words.
        conditions: image -> condition (``"haze"``, ``"noise25"``); scores are averaged within
            conditions, then over them. Images without an entry share one condition.
        problems: metric, reviewer or ``"people"`` -> why it gave nothing, or less than was asked, in one sentence.
        unanswered: people were asked and did not answer in time; the weights then stay as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    scores: dict[str, dict[str, float | None]] = {}
    remarks: tuple[Remark, ...] = ()
    conditions: dict[str, str] = {}
    problems: dict[str, Text] = {}
    unanswered: bool = False

    def mean(self, metric: str) -> float | None:
        """Mean of a metric over images, within conditions first; ``None`` if no image has a score."""
        groups: dict[str, list[float]] = {}
        for image, score in self.scores.get(metric, {}).items():
            if score is not None and math.isfinite(score):
                groups.setdefault(self.conditions.get(image, ""), []).append(score)
        means = [sum(group) / len(group) for group in groups.values()]
        return sum(means) / len(means) if means else None

    def means(self) -> dict[str, float | None]:
        """metric -> mean."""
        return {metric: self.mean(metric) for metric in self.scores}

    def joined(self, other: Feedback) -> Feedback:
        """This and another expert's feedback on the same images."""
        return Feedback(
            scores={**self.scores, **other.scores},
            remarks=(*self.remarks, *other.remarks),
            conditions={**self.conditions, **other.conditions},
            problems={**self.problems, **other.problems},
            unanswered=self.unanswered or other.unanswered,
        )
