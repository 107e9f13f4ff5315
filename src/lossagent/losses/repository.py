"""The losses of a run, and their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.losses.base import Compares, Loss, Opponent
from lossagent.weights import Weights


class LossRepository:
    """The named losses L_m of eq. (1), in a fixed order.

    Args:
        losses: name -> loss; at least one.
        sharpened: names of those that compare with the sharpened target where there is one, as L1 and perceptual
            losses do in Real-ESRGAN while the discriminator sees the plain one.

    Raises:
        Refused: no losses, or names in ``sharpened`` that are none.
    """

    def __init__(self, losses: Mapping[str, Loss], sharpened: Iterable[str] = frozenset()) -> None:
        if not losses:
            raise Refused("losses must name at least one loss; found none.")
        self.losses: Mapping[str, Loss] = MappingProxyType(dict(losses))
        self.sharpened = frozenset(sharpened)
        if unknown := sorted(self.sharpened - set(self.losses)):
            raise Refused(f"sharpened must name losses of {', '.join(self.losses)}; found {', '.join(unknown)}.")

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(self.losses)

    @property
    def opponents(self) -> dict[str, Opponent]:
        """Those that bring a discriminator."""
        return {name: loss for name, loss in self.losses.items() if isinstance(loss, Opponent)}

    @property
    def want_average(self) -> tuple[str, ...]:
        """Names of those that need the output of the averaged restorer."""
        return tuple(n for n, loss in self.losses.items() if isinstance(loss, Compares) and loss.wants_average)

    def weigh(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
        weights: Weights,
        *,
        sharpened: Float[Tensor, "batch channels height width"] | None = None,
        average: Callable[[], Tensor] | None = None,
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """L = sum_m w_m L_m, eqs. (1) and (3), over the losses that are on; the others cost nothing.

        Args:
            restored: output of the restorer, RGB, nominally in [0, 1].
            target: ground truth of the same shape.
            weights: the weight of every loss.
            sharpened: the sharpened ground truth; without it every loss compares with ``target``.
            average: gives the averaged restorer's output for the same input; called at most once, without gradients,
                and only when a loss that is on needs it.

        Returns:
            The sum, to be differentiated, and the raw L_m, detached, on the device.

        Raises:
            Refused: weights of other losses, or no ``average`` where a loss that is on needs it.
        """
        self.check(weights)
        take = self.measuring(target, sharpened, average)
        total: Tensor | None = None
        raw: dict[str, Tensor] = {}
        for name in self.losses:
            if weights[name] > 0:
                value = take(name, restored)
                raw[name] = value.detach()
                total = weights[name] * value if total is None else total + weights[name] * value
        assert total is not None, "Weights keep at least one loss on"
        return total, raw

    def measuring(
        self, target: Tensor, sharpened: Tensor | None, average: Callable[[], Tensor] | None
    ) -> Callable[[str, Tensor], Tensor]:
        """(name, restored) -> the raw loss on one batch; the averaged output is made when it is first needed.

        Raises:
            Refused: when called for a loss that needs ``average``, and there is none.
        """
        made: list[Tensor] = []

        def take(name: str, restored: Tensor) -> Tensor:
            loss = self.losses[name]
            wanted = sharpened if sharpened is not None and name in self.sharpened else target
            if not (isinstance(loss, Compares) and loss.wants_average):
                return loss(restored, wanted)
            if average is None:
                raise Refused(
                    f"loss {name!r} compares with the output of the averaged restorer; there is none. "
                    "Keep an average (training.ema, e.g. 0.999), or leave the loss out."
                )
            if not made:
                with torch.no_grad():
                    made.append(average().detach())
            return loss.compare(restored, wanted, made[0])

        return take

    def check(self, weights: Weights) -> None:
        """Refuses weights of other losses."""
        if set(weights.names) != set(self.losses):
            raise Refused(f"weights must name the losses {', '.join(self.losses)}; found {', '.join(weights.names)}.")
