"""DISTS as a metric: the module of :mod:`lossagent.losses.dists`, scored image by image."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.feedback import MetricFacts
from lossagent.metrics._checks import IMPLEMENTATION, check_pair, crop_border, implementation_version, scores
from lossagent.metrics.lpips import LPIPSWeights
from lossagent.metrics.shifted import SMALLEST


class DISTSMetric:
    """Deep image structure and texture similarity (Ding et al., TPAMI 2020), at the size of the image.

    The authors' script and some packages first shrink images so that the smaller side is 256 px; scores of large
    photographs differ from theirs.

    Args:
        weights: ``"pretrained"``: published weights on the ImageNet backbone; ``"random"``: a random backbone, which
            measures structure only and is marked so in the facts.
        border: pixels left out on each side.

    Raises:
        MissingAsset: the backbone's weights are not on this machine.
    """

    def __init__(self, weights: LPIPSWeights = "pretrained", border: int = 0) -> None:
        if weights not in ("pretrained", "random"):
            raise Refused(f"weights must be 'pretrained' or 'random'; found {weights!r}.")
        self.weights: LPIPSWeights = weights
        self.border = border
        # Late, because the losses are seconds of imports that no other metric should wait for.
        from lossagent.losses.dists import DISTS

        self.module = DISTS(weights).eval().requires_grad_(False)

    @property
    def facts(self) -> MetricFacts:
        """0 for equal images; the published weights sum to 1, so that values above 1 are rare."""
        return MetricFacts(
            name="dists",
            direction="lower",
            low=0.0,
            high=None,
            needs_reference=True,
            unit=0.005,
            implementation=IMPLEMENTATION,
            version=implementation_version(),
            options={
                "backbone": "vgg16",
                "weights": self.weights,
                "published_weights": self.weights == "pretrained",
                "border": self.border,
                "resize": "none",
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
            return scores(self.module.per_image(*pair).clamp(min=0))
