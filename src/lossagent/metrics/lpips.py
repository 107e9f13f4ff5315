"""LPIPS as a metric: the module of :mod:`lossagent.losses.lpips`, scored image by image."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.feedback import MetricFacts
from lossagent.metrics._checks import IMPLEMENTATION, check_pair, crop_border, implementation_version, scores
from lossagent.metrics.shifted import SMALLEST

Backbone = Literal["vgg", "alex", "squeeze"]
LPIPSWeights = Literal["pretrained", "random"]


class LPIPSMetric:
    """Learned perceptual image patch similarity v0.1 (Zhang et al., CVPR 2018).

    Args:
        backbone: ``"vgg"``, ``"alex"`` (the authors' choice for measuring) or ``"squeeze"``.
        weights: ``"pretrained"``: published heads on the ImageNet backbone; ``"random"``: a random backbone, which
            measures structure only and is marked so in the facts.
        border: pixels left out on each side.

    Raises:
        MissingAsset: the backbone's weights are not on this machine.
    """

    def __init__(self, backbone: Backbone = "alex", weights: LPIPSWeights = "pretrained", border: int = 0) -> None:
        if backbone not in ("vgg", "alex", "squeeze"):
            raise Refused(f"backbone must be 'vgg', 'alex' or 'squeeze'; found {backbone!r}.")
        if weights not in ("pretrained", "random"):
            raise Refused(f"weights must be 'pretrained' or 'random'; found {weights!r}.")
        self.backbone: Backbone = backbone
        self.weights: LPIPSWeights = weights
        self.border = border
        # Late, because it brings torchvision and torchmetrics: seconds that no other metric should wait for.
        from lossagent.losses.lpips import LPIPS

        self.module = LPIPS(backbone, weights).eval().requires_grad_(False)

    @property
    def facts(self) -> MetricFacts:
        """0 for equal images; above 1 only for very unlike ones. A change of 0.005 is worth speaking of."""
        return MetricFacts(
            name=f"lpips-{self.backbone}",
            direction="lower",
            low=0.0,
            high=None,
            needs_reference=True,
            unit=0.005,
            implementation=IMPLEMENTATION,
            version=implementation_version(),
            options={
                "backbone": self.backbone,
                "weights": self.weights,
                "published_weights": self.weights == "pretrained",
                "border": self.border,
            },
        )

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """Distance for each image, computed in float32 on the device of ``restored``.

        Raises:
            Refused: what :class:`PSNR` refuses, or images below 32 px.
        """
        reference = check_pair(restored, reference, self.facts.name)
        self.module.to(restored.device)
        pair = (crop_border(image, self.border, smallest=SMALLEST).float() for image in (restored, reference))
        with torch.no_grad():
            return scores(self.module.per_image(*pair))
