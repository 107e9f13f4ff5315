"""What is simulated of a state: numbers, each with a name and a scale on which its changes are alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from lossagent.feedback import Feedback
from lossagent.records import Evidence, Record, StageReport, State

Transform = Literal["identity", "log", "atanh"]
FEEDBACK, SELECTION = "feedback", "selection"
LOSS, RAW, IMAGE, LAYER, COSINE = "loss", "raw", "image-norm", "layer-norm", "cosine"
TRANSFORMS: Mapping[str, Transform] = {
    FEEDBACK: "identity",
    SELECTION: "identity",
    LOSS: "log",
    RAW: "log",
    IMAGE: "log",
    LAYER: "log",
    COSINE: "atanh",
}
"""Group of channels -> the scale that they are modelled on."""
LARGEST = 0.999
"""Cosines are cut to it before atanh."""


class Channel(Record):
    """One number of a state.

    Attributes:
        group: ``"feedback"`` and ``"selection"`` (a metric's mean over the images of that set), ``"loss"`` (mean of
            a raw loss over the stage), and from the gradient evidence ``"raw"``, ``"image-norm"``, ``"layer-norm"``,
            ``"cosine"``.
        name: the metric, the loss, or ``"a|b"``.
    """

    group: str
    name: str

    @property
    def key(self) -> str:
        """``feedback/niqe``."""
        return f"{self.group}/{self.name}"

    @property
    def is_score(self) -> bool:
        """Whether it is a metric's mean."""
        return self.group in (FEEDBACK, SELECTION)

    @property
    def remembers(self) -> bool:
        """Whether it is a property of the network, which changes stage by stage; means over a stage are not."""
        return self.group != LOSS

    def inside(self, value: float | None) -> float:
        """A recorded value on the scale of the model; NaN where there is none, or none that fits the scale."""
        if value is None or not math.isfinite(value):
            return math.nan
        match TRANSFORMS[self.group]:
            case "identity":
                return value
            case "log":
                return math.log(value) if value > 0 else math.nan
            case "atanh":
                return math.atanh(min(max(value, -LARGEST), LARGEST))

    def outside(self, value: float) -> float:
        """The inverse of :meth:`inside`."""
        match TRANSFORMS[self.group]:
            case "identity":
                return value
            case "log":
                return math.exp(value)
            case "atanh":
                return math.tanh(value)


def values_of(state: State, selection: Feedback | None) -> dict[Channel, float]:
    """Every recorded number of a state, on the scale of the model; NaN where one is missing."""
    found: dict[Channel, float] = {}
    for group, feedback in ((FEEDBACK, state.feedback), (SELECTION, selection)):
        for metric, value in (feedback.means() if feedback is not None else {}).items():
            found[Channel(group=group, name=metric)] = value if value is not None else math.nan
    report = state.report or StageReport()
    evidence = report.evidence
    for group, numbers in (
        (LOSS, report.losses),
        (RAW, evidence.raw),
        (IMAGE, evidence.image_norms),
        (LAYER, evidence.layer_norms),
        (COSINE, evidence.cosines),
    ):
        for name, number in numbers.items():
            channel = Channel(group=group, name=name)
            found[channel] = channel.inside(number)
    return found


def report_of(values: Mapping[Channel, float], iterations: int) -> StageReport:
    """What a simulated stage leaves behind beside scores: raw losses and gradient evidence."""
    groups: dict[str, dict[str, float]] = {group: {} for group in TRANSFORMS}
    for channel, value in values.items():
        if math.isfinite(value):
            groups[channel.group][channel.name] = channel.outside(value)
    evidence = Evidence(raw=groups[RAW], image_norms=groups[IMAGE], layer_norms=groups[LAYER], cosines=groups[COSINE])
    return StageReport(iterations=iterations, losses=groups[LOSS], evidence=evidence)
