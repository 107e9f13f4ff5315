"""Networks and losses of an experiment."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from lossagent import assets, checkpoints_data
from lossagent.build.naming import about
from lossagent.errors import DoesNotFit, Refused, UnknownName
from lossagent.experiment import Experiment, LossSettings, NetworkSettings, load
from lossagent.losses import LOSSES, Loss, LossOptions, LossRepository, Opponent
from lossagent.records import State
from lossagent.restorers import Foreign, build, build_discriminator, load_foreign, load_into
from lossagent.runs import read_trajectory
from lossagent.training import checkpoints
from lossagent.training.networks import Networks
from lossagent.training.pictures import Application

FOREIGN = "spandrel"
"""Name of networks that spandrel builds from a checkpoint file."""


def start_file(name: str) -> Path:
    """The file of a start checkpoint: a path, the name of one of ours, or of an asset.

    Raises:
        MissingAsset: an asset that is not on this machine.
    """
    if name in checkpoints_data.NAMES:
        return checkpoints_data.path(name)
    return assets.locate(name) if name in assets.ASSETS else Path(name)


def weights_file(name: str) -> Path:
    """The file of a start checkpoint that is loaded now; a name that is none is told from a file that is gone.

    Raises:
        UnknownName: neither a file nor a name that is known.
        MissingAsset: an asset that is not on this machine.
    """
    file = start_file(name)
    if not file.suffix and not file.exists():
        known = [*checkpoints_data.NAMES, *assets.ASSETS]
        raise UnknownName("checkpoint, and no file of that name:", file.name, known)
    return file


def empty_restorer(settings: NetworkSettings, scale: int) -> nn.Module:
    """The network of an experiment, before its start weights; spandrel's come with those of the file.

    Raises:
        Refused, UnknownName: no such network, arguments it does not take, a file without one.
        MissingPackage: spandrel is not installed.
    """
    if settings.network != FOREIGN:
        return build(settings.network, settings.arguments)
    if settings.start is None or settings.arguments:
        raise Refused(
            "restorer: network spandrel takes the architecture from its checkpoint: give start, and no arguments; "
            f"found start: {settings.start or 'null'} and {len(settings.arguments)} argument(s)."
        )
    foreign = load_foreign(weights_file(settings.start))
    if foreign.scale != scale:
        raise DoesNotFit(
            f"restorer.start {settings.start} enlarges by {foreign.scale}; the experiment's scale is {scale}."
        )
    return foreign.network


def build_restorer(settings: NetworkSettings, scale: int) -> nn.Module:
    """A restorer with its start weights.

    Raises:
        Refused, UnknownName, MissingPackage: see :func:`empty_restorer`.
        DoesNotFit: a checkpoint of another network or scale.
    """
    network = empty_restorer(settings, scale)
    if settings.start is not None and settings.network != FOREIGN:
        load_into(network, weights_file(settings.start), settings.key)
    return network


def build_losses(experiment: Experiment, device: torch.device) -> tuple[LossRepository, dict[str, Opponent]]:
    """The loss repository, and the adversarial losses in it with their discriminators.

    Raises:
        UnknownName: no such loss, backbone or discriminator.
        MissingAsset: weights that are not on this machine.
    """
    losses: dict[str, Loss] = {}
    opponents: dict[str, Opponent] = {}
    for number, (name, settings) in enumerate(experiment.losses.items()):
        # Each network draws its first weights from a generator of its own: adding a loss moves no other.
        torch.manual_seed(experiment.seed * 1000 + number)
        with about(f"losses.{name}"):
            loss = LOSSES.create(settings.kind, options_of(name, settings))
        if isinstance(loss, nn.Module):
            loss.to(device)
        losses[name] = loss
        if isinstance(loss, Opponent):
            opponents[name] = loss
    repository = LossRepository(losses, sharpened_losses(experiment))
    if repository.want_average and experiment.training.ema is None:
        raise Refused(
            f"losses {', '.join(repository.want_average)} compare with the average of the weights, and there is none: "
            "set training.ema, or refine: false of the loss."
        )
    if experiment.training.accumulate > 1:
        for name, loss in experiment.losses.items():
            if loss.adversarial == "ragan":
                raise Refused(
                    f"losses.{name}: a relativistic loss takes means over the whole batch, which gradient accumulation "
                    "cuts up: set training.accumulate: 1 or take another adversarial kind."
                )
    return repository, opponents


def sharpened_losses(experiment: Experiment) -> frozenset[str]:
    """Losses that compare with the sharpened target where there is one: all but adversarial ones, unless said."""
    return frozenset(
        name
        for name, loss in experiment.losses.items()
        if (loss.sharpened if loss.sharpened is not None else loss.kind != "adversarial")
    )


def options_of(name: str, settings: LossSettings) -> LossOptions:
    """What a loss is made from."""
    discriminator: nn.Module | None = None
    if settings.discriminator is not None:
        discriminator = build_discriminator(settings.discriminator.network, settings.discriminator.arguments)
        if settings.discriminator.start is not None:
            load_into(discriminator, weights_file(settings.discriminator.start), settings.discriminator.key)
    elif settings.kind == "adversarial":
        raise Refused(
            f"losses.{name}: an adversarial loss needs a discriminator, e.g. discriminator: {{network: unet}}."
        )
    return LossOptions(
        backbone=settings.backbone,
        weights=settings.weights,
        layers=settings.layers,
        adversarial=settings.adversarial,
        discriminator=discriminator,
        isotropic=settings.isotropic,
        refine=settings.refine,
        metric=settings.metric,
        metric_options=settings.metric_options,
        download=settings.download,
        unpickle=settings.unpickle,
    )


def build_networks(experiment: Experiment, opponents: dict[str, Opponent], device: torch.device) -> Networks:
    """Everything that training changes, in the state before S_0."""
    torch.manual_seed(experiment.seed)
    with about("restorer"):
        restorer = build_restorer(experiment.restorer, experiment.scale).to(device)
    return Networks(restorer, opponents, experiment.training)


def application_of(experiment: Experiment) -> Application:
    """How the restorer is applied to whole images."""
    restorer = experiment.restorer
    if restorer.network == FOREIGN and restorer.start is not None:
        foreign = foreign_application(load_foreign(start_file(restorer.start)))
        multiple = math.lcm(foreign.multiple, restorer.multiple)
        return replace(foreign, multiple=multiple, strictly_larger=restorer.strictly_larger, tile=restorer.tile)
    return Application(experiment.scale, restorer.multiple, restorer.strictly_larger, restorer.tile)


def foreign_application(foreign: Foreign) -> Application:
    """How spandrel applies a network to whole images."""
    return Application(foreign.scale, foreign.multiple, reflect=True, minimum=foreign.minimum)


def load_scored(experiment: Experiment, run: Path, state: State, network: nn.Module) -> None:
    """Loads the weights by which a state is scored into a network."""
    tensors, _ = checkpoints.load(run / "checkpoints" / state.name)
    network.load_state_dict(tensors["ema" if experiment.training.score == "ema" else "restorer"])


def network_of_run(run: Path, which: str) -> tuple[nn.Module, Application]:
    """The network of a state of a run, and how to apply it.

    Args:
        run: the run folder.
        which: ``selected``, ``last``, ``start`` or the number of a state.

    Raises:
        Refused: no such run or state, or a state whose checkpoint was let go.
    """
    experiment = load(run / "experiment.yaml")
    state = chosen_state(run, which)
    if not state.restorable:
        raise Refused(f"{state.name} of {run} was pruned; set training.keep: null to keep every checkpoint.")
    network = empty_restorer(experiment.restorer, experiment.scale)
    load_scored(experiment, run, state, network)
    return network, application_of(experiment)


def chosen_state(run: Path, which: str) -> State:
    """The state of a run that is meant by ``start``, ``last``, ``selected`` or a number.

    Raises:
        Refused: no such state, or the run has not got that far.
    """
    trajectory = read_trajectory(run)
    numbers = {str(s.id): s.id for s in trajectory.scored}
    if trajectory.scored:
        numbers |= {"start": 0, "last": trajectory.scored[-1].id}
    if trajectory.finished is not None:
        numbers["selected"] = trajectory.finished.selected
    if which not in numbers:
        raise Refused(f"run {run} has no state {which!r} yet; there are: {', '.join(numbers) or 'none'}.")
    return trajectory.states[numbers[which]]
