"""The adversarial loss and its discriminator."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import UnknownName
from lossagent.losses._precision import wide
from lossagent.losses.gan_kinds import KINDS


class Adversarial(nn.Module):
    """What the discriminator says of restored images: the restorer's half of a GAN; an :class:`Opponent`.

    The gradient goes through the discriminator to the restored images; the discriminator's own parameters get none from
    this call, and no weight of the restorer's composite multiplies :meth:`discriminator_loss`. That is the *sum* of its
    two terms, target and restored, as in BasicSR, KAIR and Real-ESRGAN, not their half; ``ragan`` alone takes halves.

    Targets and restored images are judged apart, targets first: the order in which batch norms and spectral norms of
    the discriminator move.

    Args:
        discriminator: images [B, 3, H, W] -> logits of any spatial shape.
        kind: a name of :data:`~lossagent.losses.gan_kinds.KINDS`: ``vanilla``, ``lsgan``, ``hinge``, ``ragan`` or
            ``wgan-softplus``.

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
        """>= 0, except with ``hinge``; log 2 where a ``vanilla``, ``ragan`` or ``wgan-softplus`` discriminator cannot
        tell. The target is judged by ``ragan`` alone, without a gradient.
        """
        kind = KINDS[self.kind]
        with _frozen(self.discriminator):
            if not kind.relative:
                fake = wide(self.discriminator(restored))
                return kind.restorer(fake, fake)
            with torch.no_grad():
                real = wide(self.discriminator(target))
            return kind.restorer(wide(self.discriminator(restored)), real)

    def discriminator_loss(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """>= 0; where it cannot tell, 2 log 2 with ``vanilla`` and ``wgan-softplus``, log 2 with ``ragan``. The two
        batches are judged apart, targets first.
        """
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
