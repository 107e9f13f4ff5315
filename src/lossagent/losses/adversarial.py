"""The adversarial loss and its discriminator."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import UnknownName
from lossagent.losses._precision import wide


@dataclass(frozen=True)
class Kind:
    """A GAN criterion on logits.

    Attributes:
        restorer: logits of restored images -> what the restorer minimises.
        discriminator: logits of restored images, logits of targets -> what the discriminator minimises.
    """

    restorer: Callable[[Tensor], Tensor]
    discriminator: Callable[[Tensor, Tensor], Tensor]


def _says(logits: Tensor, real: bool) -> Tensor:
    """Binary cross-entropy of logits with one label everywhere, over all patches."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


KINDS: Mapping[str, Kind] = {
    # The non-saturating game of [Goodfellow et al., NeurIPS 2014, arXiv 1406.2661].
    "vanilla": Kind(
        restorer=lambda restored: _says(restored, real=True),
        discriminator=lambda restored, target: _says(target, real=True) + _says(restored, real=False),
    ),
}


class Adversarial(nn.Module):
    """What the discriminator says of restored images: the restorer's half of a GAN; an :class:`Opponent`.

    The gradient goes through the discriminator to the restored images; the discriminator's own parameters get none from
    this call, and no weight of the restorer's composite multiplies :meth:`discriminator_loss`. That is the *sum* of its
    two terms, target and restored, as in BasicSR, KAIR and Real-ESRGAN, not their half.

    Args:
        discriminator: images [B, 3, H, W] -> logits of any spatial shape.
        kind: a name of :data:`KINDS`.

    Raises:
        UnknownName: another kind.
    """

    def __init__(self, discriminator: nn.Module, kind: str = "vanilla") -> None:
        if kind not in KINDS:
            raise UnknownName("kind of adversarial loss", kind, KINDS)
        super().__init__()
        self.kind = kind
        self.discriminator = discriminator

    def forward(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """>= 0; log 2 where the discriminator cannot tell. The target is not looked at."""
        del target
        with _frozen(self.discriminator):
            return KINDS[self.kind].restorer(wide(self.discriminator(restored)))

    def discriminator_loss(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """>= 0; 2 log 2 where it cannot tell. The two batches are judged apart, targets first."""
        real = wide(self.discriminator(target))
        fake = wide(self.discriminator(restored.detach()))
        return KINDS[self.kind].discriminator(fake, real)


@contextmanager
def _frozen(network: nn.Module) -> Generator[None]:
    """Parameters that need no gradient for a while; their flags come back."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
