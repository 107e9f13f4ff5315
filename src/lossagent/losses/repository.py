"""The losses of a run, and their weighted sum."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.losses.base import Loss, Opponent
from lossagent.weights import Weights


class LossRepository:
    """The named losses L_m of eq. (1), in a fixed order.

    Args:
        losses: name -> loss; at least one.

    Raises:
        Refused: no losses.
    """

    def __init__(self, losses: Mapping[str, Loss]) -> None:
        if not losses:
            raise Refused("losses must name at least one loss; found none.")
        self.losses: Mapping[str, Loss] = MappingProxyType(dict(losses))

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(self.losses)

    @property
    def opponents(self) -> dict[str, Opponent]:
        """Those that bring a discriminator."""
        return {name: loss for name, loss in self.losses.items() if isinstance(loss, Opponent)}

    def weigh(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
        weights: Weights,
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """L = sum_m w_m L_m, eqs. (1) and (3), over the losses that are on; the others cost nothing.

        Args:
            restored: output of the restorer, RGB, nominally in [0, 1].
            target: ground truth of the same shape.
            weights: the weight of every loss.

        Returns:
            The sum, to be differentiated, and the raw L_m, detached, on the device.

        Raises:
            Refused: weights of other losses.
        """
        self.check(weights)
        total: Tensor | None = None
        raw: dict[str, Tensor] = {}
        for name, loss in self.losses.items():
            if weights[name] > 0:
                value = loss(restored, target)
                raw[name] = value.detach()
                total = weights[name] * value if total is None else total + weights[name] * value
        assert total is not None, "Weights keep at least one loss on"
        return total, raw

    def check(self, weights: Weights) -> None:
        """Refuses weights of other losses."""
        if set(weights.names) != set(self.losses):
            raise Refused(f"weights must name the losses {', '.join(self.losses)}; found {', '.join(weights.names)}.")
