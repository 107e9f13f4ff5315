"""What can only be known by trying: each part is used once, on something small, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from lossagent.build.naming import about
from lossagent.build.scores import AGAINST_INPUT, AGAINST_START, is_own
from lossagent.build.sets import Sets
from lossagent.chat import ChatModel, Embedded
from lossagent.data import ImageSet, size
from lossagent.errors import LossAgentError, Refused
from lossagent.experiment import Experiment
from lossagent.losses import LossRepository, evidence
from lossagent.metrics import Metric
from lossagent.training.networks import Networks
from lossagent.training.pictures import Application
from lossagent.training.randomness import EVIDENCE_WINDOW, saved_generators
from lossagent.training.sampler import Sampler
from lossagent.training.settings import TrainingSettings
from lossagent.training.step import Stepper

SIDE = 24
"""Side of the picture that the restorer is tried on."""
PERIOD = 8
"""Networks that want multiples of more (windows, pools) pad by themselves; remainders are tried up to it."""


def check_networks(
    networks: Networks,
    repository: LossRepository,
    sampler: Sampler,
    application: Application,
    device: torch.device,
    training: TrainingSettings,
) -> None:
    """Restores a small picture and takes every loss on one training patch.

    Raises:
        Refused: another scale than the experiment's, tiles that cannot be, a loss that the patch is too small for.
    """
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE + 8, 3), dtype=np.uint8)
    batch = sampler.batch(EVIDENCE_WINDOW, 0, 1)
    patch = f"{tuple(batch.lq.shape[-2:])} low-quality and {tuple(batch.hq.shape[-2:])} target pixels"
    try:
        with saved_generators():
            with about("restorer"):
                application(networks.restorer, picture, device)
            with about(f"training patches of {patch} (data.patch, scale)"):
                example = Stepper(networks, repository, training, device).example(batch)
                evidence(networks.restorer, repository, [example])
    except LossAgentError:
        raise
    except (RuntimeError, ValueError, TypeError) as error:  # somebody's network or loss may raise anything of these
        reason = str(error).splitlines()[0]
        raise Refused(
            f"the restorer and the losses do not work on a patch of {patch} (data.patch, scale): {reason}"
        ) from error


def check_sets(sets: Sets, metrics: Mapping[str, Metric], experiment: Experiment) -> None:
    """Scores a picture of the smallest size of each set, and looks whether the goal can be measured where it is used.

    Raises:
        Refused: an image that is too small for a metric; a selection set that the goal cannot be measured on.
    """
    every = {"feedback": sets.feedback, **sets.test}
    if sets.selection is not None:
        every["selection"] = sets.selection
        for name in sorted(set(experiment.goal.kept_by.metrics) & set(metrics)):  # people's are none of them
            blind = metrics[name].facts.needs_reference and name not in AGAINST_INPUT | AGAINST_START
            if blind and not sets.selection.reference:
                raise Refused(
                    f"data.selection has no references, and the goal's metric {name!r} compares with them: no "
                    "checkpoint could be chosen. Give it references, or leave it out (the last state is kept then)."
                )
    for label, images in every.items():
        _check_smallest(_key(label, sets), images, metrics)


def check_sizes(sets: Sets, network: nn.Module, application: Application, device: torch.device) -> None:
    """Restores a small picture for each remainder of the inputs' sides, which a network may refuse.

    Raises:
        Refused: inputs that the restorer does not take as it is applied (``restorer.multiple``).
    """
    if application.tile is not None or application.multiple % PERIOD == 0:
        return
    tried: set[int] = {0}
    for label, images in {"feedback": sets.feedback, "selection": sets.selection, **sets.test}.items():
        for number, name in enumerate(images.names if images is not None else ()):
            assert images is not None
            height, width = _low(images, number)
            for side in (height, width):
                if (rest := side % PERIOD) in tried:
                    continue
                tried.add(rest)
                picture = np.zeros((SIDE + rest, SIDE + rest, 3), dtype=np.uint8)
                try:
                    with saved_generators():
                        application(network, picture, device)
                except (RuntimeError, ValueError, TypeError, LossAgentError) as error:
                    raise Refused(
                        f"data.{_key(label, sets)}: the restorer does not take image {name!r}, an input of {height} x "
                        f"{width}: "
                        f"{str(error).splitlines()[0]} See restorer.multiple, found {application.multiple}."
                    ) from error


def _key(label: str, sets: Sets) -> str:
    return f"test.{label}" if label in sets.test else label


def _low(images: ImageSet, number: int) -> tuple[int, int]:
    """(height, width) of an input, cropped as its set says."""
    height, width = size(images.images[number].path)
    scale, crop = images.scale if images.reference else 1, images.entries[number].crop
    return height // scale // crop * crop, width // scale // crop * crop


def _check_smallest(label: str, images: ImageSet, metrics: Mapping[str, Metric]) -> None:
    def output(number: int) -> tuple[int, int]:
        low = _low(images, number)
        return low[0] * images.scale, low[1] * images.scale

    number = min(range(len(images)), key=lambda n: min(output(n)))
    height, width = output(number)
    restored = _noise(height, width)
    low = _noise(height // images.scale, width // images.scale)
    for name, metric in metrics.items():
        if is_own(metric):  # those are tried on an image of the user's own
            continue
        reference: Tensor | None = None
        if metric.facts.needs_reference:
            reference = low if name in AGAINST_INPUT else _noise(height, width)
            if not images.reference and name not in AGAINST_INPUT | AGAINST_START:
                continue
        try:
            metric(restored, reference)
        except Refused as error:
            raise Refused(
                f"data.{label}: image {images.names[number]!r} ({height} x {width} restored) cannot be scored "
                f"by {name}: {error}"
            ) from error


def _noise(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height * width))


def check_chat(chat: ChatModel | None) -> None:
    """Looks whether the embedded engine and its model are there; servers are met when they are asked.

    Raises:
        MissingPackage, MissingAsset: they are not.
    """
    if isinstance(chat, Embedded):
        chat.check()
