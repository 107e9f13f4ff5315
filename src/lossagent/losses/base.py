"""What a loss is: (restored, target) -> scalar. It never knows its weight."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn


@runtime_checkable
class Loss(Protocol):
    """One L_m of eq. (1): unweighted and differentiable."""

    def __call__(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """The loss, averaged over the batch.

        Args:
            restored: output of the restorer, RGB, nominally in [0, 1], not clamped.
            target: ground truth, RGB in [0, 1].
        """
        ...


@runtime_checkable
class Opponent(Protocol):
    """What an adversarial loss brings along: a discriminator that is trained beside the restorer."""

    @property
    def discriminator(self) -> nn.Module:
        """Images [B, 3, H, W] -> logits of any spatial shape."""
        ...

    def discriminator_loss(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """The discriminator's own loss, on detached restored images. No weight of the restorer multiplies it."""
        ...
