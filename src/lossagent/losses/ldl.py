"""Locally discriminative learning: an L1 loss where artefacts are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.losses._checks import check_sides
from lossagent.losses._precision import wide

WINDOW = 7


@dataclass(frozen=True)
class LDL:
    """mean M |restored - target| [Liang, Zeng, Zhang, CVPR 2022, arXiv 2203.09195].

    With the residual R = sum over channels of |target - restored|, the map of artefacts is

    M = var(R)^(1/5) * local variance of R,

    the first over the whole image, the second over 7x7 pixels (reflected at the border), both unbiased. It is then
    *refined*: 0 wherever R is smaller than the residual of the averaged (EMA) restorer's output, since what the steady
    network does worse is detail, not artefact.

    M is a weight: no gradient goes through it (through its fifth root there is none at a flat residual; released code
    lets it pass).

    Attributes:
        refine: ``True`` is the paper's loss and needs the averaged output, by :meth:`compare`; with ``False`` the map
            stays unrefined, so that details are held back as well.
    """

    refine: bool = True

    @property
    def wants_average(self) -> bool:
        """Whether the output of the averaged restorer is needed."""
        return self.refine

    def __call__(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """The loss with the map unrefined: >= 0; 0 for equal images.

        Raises:
            Refused: a loss that refines its map, or images with a side below 7 px.
        """
        if self.refine:
            raise Refused(
                "LDL refines its map with the output of the averaged restorer; none was given. Keep an average "
                "(training.ema, e.g. 0.999), or set refine: false."
            )
        return self._weighed(wide(restored), wide(target), None)

    def compare(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
        average: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """The same with the map refined by the averaged restorer's output; plain where ``refine`` is off.

        Raises:
            Refused: images with a side below 7 px.
        """
        return self._weighed(wide(restored), wide(target), wide(average).detach() if self.refine else None)

    def _weighed(self, restored: Tensor, target: Tensor, average: Tensor | None) -> Tensor:
        check_sides(restored, WINDOW, "LDL")
        return (artefact_map(restored.detach(), target, average) * (restored - target).abs()).mean()


def artefact_map(
    restored: Float[Tensor, "batch channels height width"],
    target: Float[Tensor, "batch channels height width"],
    average: Float[Tensor, "batch channels height width"] | None = None,
) -> Float[Tensor, "batch 1 height width"]:
    """M >= 0 of each pixel; refined where the averaged restorer's output is given."""
    residual = (target - restored).abs().sum(dim=1, keepdim=True)
    weight = residual.var(dim=(1, 2, 3), keepdim=True) ** 0.2 * _local_variance(residual)
    if average is None:
        return weight
    steady = (target - average).abs().sum(dim=1, keepdim=True)
    return torch.where(residual < steady, torch.zeros_like(weight), weight)


def _local_variance(residual: Tensor) -> Tensor:
    # Around the mean of the image: the difference of squares then loses fewer digits.
    centred = residual - residual.mean(dim=(1, 2, 3), keepdim=True)
    padded = F.pad(centred, (WINDOW // 2,) * 4, mode="reflect")
    mean, square = (F.avg_pool2d(values, WINDOW, stride=1) for values in (padded, padded.square()))
    count = WINDOW**2
    return (square - mean.square()).clamp(min=0) * (count / (count - 1))
