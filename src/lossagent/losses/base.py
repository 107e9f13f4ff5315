"""What a loss is: (restored, target) -> scalar. It never knows its weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
class Compares(Protocol):
    """A loss that can also look at what the averaged (EMA) restorer makes of the same input."""

    @property
    def wants_average(self) -> bool:
        """Whether it must be given that image."""
        ...

    def compare(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
        average: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """The loss, averaged over the batch; no gradient goes to ``average``."""
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


@dataclass(frozen=True)
class Example:
    """A batch that losses are measured on, on one device.

    Attributes:
        degraded: inputs of the restorer.
        target: ground truth, RGB in [0, 1].
        sharpened: the sharpened ground truth, for the losses that compare with it.
        average: gives the averaged restorer's output for the same input, of the shape of ``target``.
    """

    degraded: Float[Tensor, "batch channels low_height low_width"]
    target: Float[Tensor, "batch 3 height width"]
    sharpened: Float[Tensor, "batch 3 height width"] | None = None
    average: Callable[[], Tensor] | None = None
