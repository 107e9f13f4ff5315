"""Total variation of the restored image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.losses._checks import check_sides
from lossagent.losses._precision import wide


@dataclass(frozen=True)
class TotalVariation:
    """How much neighbouring pixels differ [Rudin, Osher, Fatemi, Physica D 60, 1992]; the target is not looked at.

    Anisotropic, as in the field: mean |u(i+1, j) - u(i, j)| + mean |u(i, j+1) - u(i, j)|. Isotropic, as in the paper:
    mean sqrt((u(i+1, j) - u(i, j))^2 + (u(i, j+1) - u(i, j))^2) where both neighbours are. Means are over pixels,
    channels and batch, so that the value does not grow with the patch.

    Attributes:
        isotropic: the length of the gradient in place of the sum of its parts; edges of all directions cost alike.
    """

    isotropic: bool = False

    def __call__(
        self,
        restored: Float[Tensor, "batch channels height width"],
        target: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """>= 0; 0 for flat images, where the gradient is 0 too.

        Raises:
            Refused: images with a side below 2 px.
        """
        del target
        check_sides(restored, 2, "total variation")
        u = wide(restored)
        down, right = u.diff(dim=-2), u.diff(dim=-1)
        if not self.isotropic:
            return down.abs().mean() + right.abs().mean()
        both = torch.stack([down[..., :, :-1], right[..., :-1, :]])
        return torch.linalg.vector_norm(both, dim=0).mean()
