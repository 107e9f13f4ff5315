"""The perceptual loss: a distance between features of a frozen classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.errors import Refused
from lossagent.losses._precision import per_image_mean, wide
from lossagent.restorers.backbones import ARCHITECTURES, BackboneWeights, backbone

Criterion = Literal["l1", "mse", "relative-l1"]
CRITERIA: tuple[Criterion, ...] = ("l1", "mse", "relative-l1")
DARK = 1e-6
"""Least mean activation by which a relative difference is divided."""


@dataclass(frozen=True)
class Defaults:
    """How a backbone is used unless something else is asked for.

    Attributes:
        layer_weights: layer -> weight.
        criterion: how features are compared.
        shift: extent of random shifts in pixels, 1 for none.
    """

    layer_weights: Mapping[str, float]
    criterion: Criterion
    shift: int = 1


def _equal(*layers: str) -> dict[str, float]:
    return {layer: 1 / len(layers) for layer in layers}


DEFAULTS: Mapping[str, Defaults] = {
    # Features before the ReLU: [Wang et al., ESRGAN, arXiv 1809.00219]; the weights are Real-ESRGAN's [2107.10833].
    "vgg19": Defaults({"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}, "l1"),
    "vgg16": Defaults(_equal(*ARCHITECTURES["vgg16"].taps), "relative-l1"),
    "alexnet": Defaults(_equal(*ARCHITECTURES["alexnet"].taps), "relative-l1", shift=4),
    "squeezenet1_1": Defaults(_equal("relu1", "fire3", "fire5"), "relative-l1", shift=4),
    "efficientnet-lite0": Defaults(_equal("stage1", "stage2", "stage3"), "relative-l1", shift=4),
}


class Perceptual(nn.Module):
    """sum_l w_l d(f_l(restored), f_l(target)) [Johnson et al., ECCV 2016, arXiv 1603.08155].

    d is the mean of |f - g| (``"l1"``), of (f - g)^2 (``"mse"``), or mean |f - g| / mean |g| for each image
    (``"relative-l1"``, ours: layers of any magnitude count alike, and 1 means "as different as the features are
    large"). Gradients reach the restored images alone.

    A backbone with a strided first layer sees images on a grid, in which a restorer can hide a lattice. While the
    module is in training mode, both images are therefore cut at one random offset of 0 .. ``shift`` - 1 pixels in each
    direction for every call (from torch's global generator), so that over the steps no phase is blind. In evaluation
    mode nothing is random.

    Args:
        backbone: a name of :func:`lossagent.restorers.backbones.backbone`.
        layer_weights: layer -> weight > 0; ``None`` for the published ones (VGG19: .1 .1 1 1 1 before the ReLU).
        criterion: ``None`` for ``"l1"`` with VGG19 and ``"relative-l1"`` with others.
        weights: ``"pretrained"`` or ``"random"`` ones of the backbone.
        seed: of random weights.
        upsample: factor by which images are enlarged first; 2 costs about four times as much as a shift.
        shift: extent of the shifts in pixels, ``None`` for 4 with strided backbones and 1 (none) with VGG.

    Raises:
        UnknownName: no such backbone or layer.
        Refused: weights that are not > 0, an unknown criterion, a shift below 1.
        MissingAsset: the backbone's weights are not on this machine.
    """

    def __init__(
        self,
        backbone: str = "vgg19",
        layer_weights: Mapping[str, float] | None = None,
        criterion: Criterion | None = None,
        weights: BackboneWeights = "pretrained",
        seed: int = 0,
        upsample: int = 1,
        shift: int | None = None,
    ) -> None:
        super().__init__()
        usual = DEFAULTS.get(backbone, Defaults({}, "relative-l1"))
        self.layer_weights = dict(layer_weights if layer_weights is not None else usual.layer_weights)
        self.criterion: Criterion = criterion if criterion is not None else usual.criterion
        self.shift = shift if shift is not None else usual.shift
        if not all(0 < weight < float("inf") for weight in self.layer_weights.values()):
            raise Refused(f"layer_weights must be finite numbers > 0; found {self.layer_weights}.")
        if self.criterion not in CRITERIA:
            raise Refused(f"criterion must be one of {', '.join(CRITERIA)}; found {self.criterion!r}.")
        if self.shift < 1:
            raise Refused(f"shift must be at least 1 px; found {self.shift}.")
        self.backbone = _make(backbone, self.layer_weights, weights, seed, upsample)

    def per_image(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        target: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, "batch"]:
        """The loss of each image: >= 0, 0 for equal images.

        Raises:
            Refused: images too small for the deepest layer.
        """
        if self.training and self.shift > 1:
            restored, target = _cut(restored, target, self.shift)
        with torch.no_grad():
            wanted = self.backbone(target)
        found = self.backbone(restored)
        total = torch.zeros(restored.shape[0], device=restored.device)
        for layer, weight in self.layer_weights.items():
            total = total + weight * self._distance(wide(found[layer]), wide(wanted[layer]))
        return total

    def forward(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        target: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, ""]:
        """Mean over the batch of :meth:`per_image`."""
        return self.per_image(restored, target).mean()

    def _distance(self, found: Tensor, wanted: Tensor) -> Tensor:
        if self.criterion == "mse":
            return per_image_mean((found - wanted).square())
        difference = per_image_mean((found - wanted).abs())
        if self.criterion == "l1":
            return difference
        return difference / per_image_mean(wanted.abs()).clamp(min=DARK)


def _make(
    name: str, layer_weights: Mapping[str, float], weights: BackboneWeights, seed: int, upsample: int
) -> nn.Module:
    return backbone(name, weights, seed, tuple(layer_weights), upsample)


def _cut(restored: Tensor, target: Tensor, extent: int) -> tuple[Tensor, Tensor]:
    """Both images at one random offset, smaller by extent - 1 px."""
    down, right = torch.randint(extent, (2,)).tolist()
    height, width = (side - extent + 1 for side in restored.shape[-2:])
    window = (..., slice(down, down + height), slice(right, right + width))
    return restored[window], target[window]
