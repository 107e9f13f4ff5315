"""Metrics of an experiment, and what each compares restored images with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from lossagent.build.sets import Sets
from lossagent.data import ImageSet
from lossagent.errors import MissingAsset, Refused
from lossagent.experiment import Experiment
from lossagent.metrics import FIDELITY, FeatureDistance, Metric, MetricOptions, ShiftedPerceptual
from lossagent.metrics import create as create_metric
from lossagent.objectives import Scored, Scores
from lossagent.objectives.base import Pixels
from lossagent.restorers.backbones import backbone

SHIFTED = "shifted-efficientnet-lite0"
"""The perceptual guard that needs no download."""
AGAINST_INPUT = frozenset({"lr_consistency"})
AGAINST_START = frozenset({"drift"})

Lookup = Callable[[str], Pixels | None]


def metric_of(name: str, scale: int) -> Metric:
    """A metric by name, with the border that super-resolution leaves out of PSNR and SSIM.

    Raises:
        UnknownName: names the nearest known one.
        MissingAsset: its weights are not on this machine.
    """
    if name == SHIFTED:
        inside = FeatureDistance(backbone("efficientnet-lite0"))
        return ShiftedPerceptual(inside, name=SHIFTED, backbone="efficientnet-lite0", extent=2)
    border = scale if name in FIDELITY and scale > 1 else 0
    return create_metric(name, MetricOptions(border=border))


def metrics_of(experiment: Experiment, sets: Sets) -> tuple[dict[str, Metric], list[str]]:
    """Targets, named guards and the guards that are always measured; and warnings.

    Guards that compare with references are measured on the sets that have them, if only on a test set.

    Raises:
        Refused: a target that says another direction than its metric; a target or constraint that needs references,
            and the feedback images have none; a guard that no set has references for.
    """
    steering = {t.metric for t in experiment.goal.targets} | {c.metric for c in experiment.goal.constraints}
    referenced = any(images.reference for images in sets.scored.values())
    names = [t.metric for t in experiment.goal.targets] + [c.metric for c in experiment.goal.constraints]
    metrics = {name: metric_of(name, experiment.scale) for name in dict.fromkeys([*names, *experiment.guards])}
    for name, metric in metrics.items():
        if not metric.facts.needs_reference or name in AGAINST_INPUT | AGAINST_START:
            continue
        if name in steering and not sets.feedback.reference:
            raise Refused(f"metric {name!r} compares with a reference image, and the feedback images have none.")
        if not referenced:
            raise Refused(f"guard {name!r} compares with a reference image, and no image set has any.")
    for target in experiment.goal.targets:
        if (facts := metrics[target.metric].facts).direction != target.direction:
            raise Refused(
                f"goal: target {target.metric!r} says {target.direction} is better; its facts say {facts.direction}."
            )
    always = ["psnr_y", SHIFTED] if referenced else []
    if not sets.feedback.reference:
        always += ["lr_consistency", "drift"] if experiment.scale > 1 else ["drift"]
    warnings: list[str] = []
    for name in [*always, "lattice"]:
        try:
            metrics.setdefault(name, metric_of(name, experiment.scale))
        except MissingAsset as error:
            warnings.append(f"guard {name} is not measured: {error}")
    losses = {loss.backbone for loss in experiment.losses.values()}
    if SHIFTED in metrics and "efficientnet-lite0" in losses:
        warnings.append(f"guard {SHIFTED} looks through the same backbone as a loss: it is no independent witness.")
    return metrics, warnings


def objective_of(metrics: Mapping[str, Metric], images: ImageSet, start: Lookup, device: torch.device) -> Scores:
    """Scores of one image set: metrics that need what the set has not got are left out."""
    inputs: dict[str, Pixels] = {}
    references: dict[str, Pixels] = {}
    for item in images:
        inputs[item.name] = item.lq
        if item.hq is not None:
            references[item.name] = item.hq
    scored: dict[str, Scored] = {}
    for name, metric in metrics.items():
        if not metric.facts.needs_reference:
            scored[name] = Scored(metric)
        elif name in AGAINST_INPUT:
            scored[name] = Scored(metric, inputs.get)
        elif name in AGAINST_START:
            scored[name] = Scored(metric, start)
        elif references:
            scored[name] = Scored(metric, references.get)
    return Scores(scored, images.conditions, device)
