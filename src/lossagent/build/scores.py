"""Metrics of an experiment, and what each compares restored images with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import torch

from lossagent.build.naming import about
from lossagent.build.sets import Sets
from lossagent.data import ImageSet
from lossagent.errors import MissingAsset, Refused, UnknownName
from lossagent.experiment import Experiment
from lossagent.experiment.metrics import (
    PEOPLE,
    SHIFTED,
    CommandSettings,
    MetricSettings,
    PyIQASettings,
    PythonSettings,
)
from lossagent.feedback import MetricFacts
from lossagent.metrics import FIDELITY, METRICS, FeatureDistance, Metric, MetricOptions, ShiftedPerceptual
from lossagent.metrics import create as create_metric
from lossagent.metrics.command import OfFiles, from_command
from lossagent.metrics.foreign import PyIQA
from lossagent.metrics.own import OfPixels, from_file
from lossagent.metrics.table import FOREIGN
from lossagent.objectives import Scored, Scores
from lossagent.objectives.base import Pixels
from lossagent.objectives.guarded import Guarded
from lossagent.objectives.pairs import Pair, Tensors
from lossagent.restorers.backbones import backbone

NONE: Mapping[str, MetricSettings] = MappingProxyType({})
AGAINST_INPUT = frozenset({"lr_consistency"})
AGAINST_START = frozenset({"drift"})

Lookup = Callable[[str], Pixels | None]


def metric_of(name: str, scale: int, own: Mapping[str, MetricSettings] = NONE) -> Metric:
    """A metric by name, with the border that super-resolution leaves out of PSNR and SSIM.

    Args:
        name: one of ``own``, a built-in metric, or ``pyiqa:NAME``.
        scale: of the experiment.
        own: the experiment's section ``metrics``.

    Raises:
        UnknownName: names the nearest known one.
        MissingPackage, MissingAsset: what it needs is not on this machine.
        Refused: settings that cannot be; they are named.
    """
    if name in own:
        with about(f"metrics.{name}"):
            return own_metric(name, own[name])
    if name.startswith(FOREIGN):
        with about(name):
            return own_metric(name, PyIQASettings(name=name))
    if name == SHIFTED:
        inside = FeatureDistance(backbone("efficientnet-lite0"))
        return ShiftedPerceptual(inside, name=SHIFTED, backbone="efficientnet-lite0", extent=2)
    if name not in METRICS:
        raise UnknownName("metric", name, {*METRICS, *own, SHIFTED})
    border = scale if name in FIDELITY and scale > 1 else 0
    return create_metric(name, MetricOptions(border=border))


def own_metric(name: str, settings: MetricSettings) -> Guarded:
    """A metric that is not built in, with its deadline.

    Raises:
        MissingPackage, Refused: see :class:`lossagent.metrics.foreign.PyIQA`, :func:`lossagent.metrics.from_file` and
            :func:`lossagent.metrics.from_command`.
    """
    match settings:
        case PyIQASettings():
            foreign = PyIQA(
                settings.name,
                settings.options,
                border=settings.border,
                device=settings.device,
                batch=settings.batch,
                unit=settings.unit,
                download=settings.download,
                unpickle=settings.unpickle,
            )
            return Guarded(foreign, settings.deadline, settings.unload)
        case PythonSettings():
            function = from_file(
                Path(settings.file),
                settings.function,
                name=name,
                direction=settings.direction,
                unit=settings.unit,
                low=settings.low,
                high=settings.high,
                reference=settings.reference,
            )
            return Guarded(function, settings.deadline)
        case CommandSettings():
            command = from_command(
                settings.command,
                name=name,
                direction=settings.direction,
                unit=settings.unit,
                low=settings.low,
                high=settings.high,
                reference=settings.reference,
                deadline=settings.deadline,
            )
            return Guarded(command)


def is_own(metric: Metric) -> bool:
    """Whether it is a function or an executable of the user's."""
    return isinstance(metric, Guarded) and isinstance(metric.metric, OfPixels | OfFiles)


def metrics_of(experiment: Experiment, sets: Sets) -> tuple[dict[str, Metric], list[str]]:
    """Targets, named guards and the guards that are always measured; and warnings. What people say is none of them.

    Guards that compare with references are measured on the sets that have them, if only on a test set. The user's own
    functions and executables are tried once, on a feedback image.

    Raises:
        Refused: a target that says another direction than its metric; a target or constraint that needs references,
            and the feedback images have none; a guard that no set has references for; an own metric that fails.
    """
    referenced = any(images.reference for images in sets.scored.values())
    names = dict.fromkeys(n for n in (*experiment.goal.metrics, *experiment.guards) if n not in PEOPLE)
    metrics = {name: _named(name, experiment) for name in names}
    for name, metric in metrics.items():
        if not metric.facts.needs_reference or name in AGAINST_INPUT | AGAINST_START:
            continue
        if name in experiment.goal.metrics and not sets.feedback.reference:
            raise Refused(f"metric {name!r} compares with a reference image, and the feedback images have none.")
        if not referenced:
            raise Refused(f"guard {name!r} compares with a reference image, and no image set has any.")
    _check_directions(experiment, {name: metric.facts for name, metric in metrics.items()})
    always = ["psnr_y", SHIFTED] if referenced else []
    if not sets.feedback.reference:
        always += ["lr_consistency", "drift"] if experiment.scale > 1 else ["drift"]
    warnings = [
        f"metrics.{name} is not measured: name it in the goal or in guards."
        for name in experiment.metrics
        if name not in metrics
    ]
    for name in [*always, "lattice"]:
        try:
            metrics.setdefault(name, metric_of(name, experiment.scale))
        except MissingAsset as error:
            warnings.append(f"guard {name} is not measured: {error}")
    losses = {loss.backbone for loss in experiment.losses.values()}
    if SHIFTED in metrics and "efficientnet-lite0" in losses:
        warnings.append(f"guard {SHIFTED} looks through the same backbone as a loss: it is no independent witness.")
    try_own(metrics, sets.feedback)
    return metrics, warnings


def _named(name: str, experiment: Experiment) -> Metric:
    """A metric that the goal or ``guards`` name, which a refusal then says."""
    if name in experiment.metrics:
        return metric_of(name, experiment.scale, experiment.metrics)
    with about("goal" if name in experiment.goal.metrics else "guards"):
        return metric_of(name, experiment.scale, experiment.metrics)


def _check_directions(experiment: Experiment, facts: Mapping[str, MetricFacts]) -> None:
    known = {**PEOPLE, **facts}
    for section, targets in (("targets", experiment.goal.targets), ("proxy", experiment.goal.proxy)):
        for target in targets:
            if (direction := known[target.metric].direction) != target.direction:
                raise Refused(
                    f"goal.{section}: {target.metric!r} says {target.direction} is better; its facts say {direction}. "
                    f"Write direction: {direction}, or leave it out."
                )


def try_own(metrics: Mapping[str, Metric], images: ImageSet) -> None:
    """Asks each function and executable of the user's for a score of one image, its reference or else its input.

    Raises:
        Refused: it gives none; the reason is named.
    """
    own = {name: metric for name, metric in metrics.items() if is_own(metric)}
    if not own:
        return
    item = images.item(0)
    picture = item.hq if item.hq is not None else item.lq
    for name, metric in own.items():
        reference = picture if metric.facts.needs_reference else None
        assert isinstance(metric, Guarded)
        answer = metric.answer(name, [Pair(item.name, picture, reference)], Tensors(torch.device("cpu")))
        if answer.problem is not None:
            raise Refused(f"{answer.problem} when it was tried on the image {item.name!r}.")


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
