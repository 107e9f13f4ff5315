"""What is not the same with micro-batches, as sentences for the reader of a run."""

from __future__ import annotations

from torch import nn

from lossagent.build import Parts
from lossagent.restorers.spectral import SpectralConv2d
from lossagent.training.shared_norm import PLAIN, SharedBatchNorm


def exceptions(parts: Parts) -> list[str]:
    """Where a step of several micro-batches differs from one of the whole batch.

    Several processes make no difference here: means over the batch are taken over all of them.
    """
    count = parts.experiment.training.accumulate
    if count == 1:
        return []
    networks = {"the restorer": parts.networks.restorer}
    networks |= {f"discriminator {name}": o.discriminator for name, o in parts.networks.opponents.items()}
    found: list[str] = []
    for name, network in networks.items():
        if holds(network, (*PLAIN, SharedBatchNorm)):
            found.append(f"{name} normalises by the statistics of a micro-batch")
        if holds(network, (SpectralConv2d,)):
            found.append(f"spectral norms of {name} move {count} times as often")
    return (
        [f"training.accumulate {count} is not quite one step of the whole batch: {'; '.join(found)}."] if found else []
    )


def holds(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> bool:
    """Whether a network has a layer of one of these kinds."""
    return any(isinstance(module, kinds) for module in network.modules())
