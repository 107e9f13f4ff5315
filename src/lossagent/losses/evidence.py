"""Gradients of the unweighted losses, measured without leaving a trace."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import combinations

import torch
from torch import Tensor, nn

from lossagent.errors import Refused
from lossagent.losses._ranks import one_rank
from lossagent.losses.base import Example
from lossagent.losses.repository import LossRepository
from lossagent.records import Evidence

SEED = 0
"""Of what a network or loss may draw while it is measured."""


def evidence(network: nn.Module, repository: LossRepository, examples: Sequence[Example]) -> Evidence:
    """Raw values and gradients of every loss, those that are off included; means over the examples.

    Image-side norms are Euclidean norms of dL_m/d(restored) over a whole batch; since losses are means over the batch,
    they are comparable between losses, and between runs of one batch size and patch. Layer norms are those of
    dL_m/d(weight of the last layer), see :func:`last_layer`; they are left out where no gradient reaches the output.
    A loss whose gradient does not reach the restored images has norm 0. Each process measures for itself: means that
    losses take over all ranks are here those of the example.

    Networks and losses are in evaluation mode meanwhile; parameters, their gradients, buffers, training flags and
    torch's generators (CPU and CUDA) are afterwards what they were.

    Args:
        network: the restorer.
        repository: the losses.
        examples: batches on the device of the network; fixed ones, for values that can be compared.

    Raises:
        Refused: no examples, a network without a weight, or no average where a loss needs it.
    """
    if not examples:
        raise Refused("examples must hold at least one batch of input and target; found none.")
    weight = last_layer(network)
    with _untouched(network, repository, weight), torch.enable_grad(), one_rank():
        found = [_of_example(network, repository, weight, example) for example in examples]
    return Evidence(
        raw=_mean([e.raw for e in found]),
        image_norms=_mean([e.image_norms for e in found]),
        layer_norms=_mean([e.layer_norms for e in found]),
        cosines=_mean([e.cosines for e in found]),
    )


def last_layer(network: nn.Module) -> Tensor:
    """The weight of the last layer: of ``network.last_layer`` where a network names it (a module or parameter), else
    the last parameter of two or more dimensions in the order of definition.

    Raises:
        Refused: there is none.
    """
    named: object = getattr(network, "last_layer", network)
    if isinstance(named, Tensor):
        return named
    weights = [p for p in named.parameters() if p.ndim >= 2] if isinstance(named, nn.Module) else []
    if not weights:
        raise Refused(f"{type(network).__name__} has no weight of two or more dimensions to measure gradients at.")
    return weights[-1]


def _of_example(network: nn.Module, repository: LossRepository, weight: Tensor, example: Example) -> Evidence:
    restored: Tensor = network(example.degraded)
    take = repository.measuring(example.target, example.sharpened, example.average)
    raw: dict[str, float] = {}
    gradients: dict[str, Tensor] = {}
    layer: dict[str, float] = {}
    for name in repository.names:
        leaf = restored.detach().requires_grad_()
        value = take(name, leaf)
        raw[name] = float(value.detach())
        gradient = gradients[name] = _gradient(value, leaf, None)
        if restored.requires_grad:
            # The chain rule at the restored image: one short backward pass through the last layer alone.
            layer[name] = float(_gradient(restored, weight, gradient).double().norm())
    norms = {name: float(gradient.double().norm()) for name, gradient in gradients.items()}
    cosines = {
        f"{a}|{b}": float((gradients[a].double() * gradients[b].double()).sum()) / (norms[a] * norms[b])
        if norms[a] * norms[b] != 0
        else 0.0
        for a, b in combinations(gradients, 2)
    }
    return Evidence(raw=raw, image_norms=norms, layer_norms=layer, cosines=cosines)


def _gradient(value: Tensor, at: Tensor, upstream: Tensor | None) -> Tensor:
    """d value / d at; zeros where the one does not depend on the other, so that a cut gradient shows as norm 0."""
    if not value.requires_grad:
        return torch.zeros_like(at)
    keep = upstream is not None
    return torch.autograd.grad(value, at, upstream, retain_graph=keep, materialize_grads=True)[0]


def _mean(values: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: sum(v[name] for v in values) / len(values) for name in values[0]}


@contextmanager
def _untouched(network: nn.Module, repository: LossRepository, weight: Tensor) -> Generator[None]:
    """Evaluation mode, gradients for the last layer alone, and generators of their own, for a while."""
    networks = [network, *(loss for loss in repository.losses.values() if isinstance(loss, nn.Module))]
    networks += [opponent.discriminator for opponent in repository.opponents.values()]
    modes = [(module, module.training) for owner in networks for module in owner.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    buffers = [(buffer, buffer.clone()) for owner in networks for buffer in owner.buffers()]
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        try:
            torch.manual_seed(SEED)
            for owner in networks:
                owner.eval()
            network.requires_grad_(False)
            weight.requires_grad_(True)
            yield
        finally:
            for parameter, flag in flags:
                parameter.requires_grad_(flag)
            for module, mode in modes:
                module.training = mode
            for buffer, value in buffers:
                if not torch.equal(buffer, value):
                    buffer.copy_(value)
