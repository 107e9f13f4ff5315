"""A perceptual distance averaged over small pixel shifts.

A backbone whose first layers are strided samples the image on a grid, and a restorer trained on its features can hide
a lattice between the samples: the distance falls while the image gets worse. Averaged over all shifts of that grid
the distance has no such blind places.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.feedback import MetricFacts
from lossagent.metrics._checks import IMPLEMENTATION, check_pair, implementation_version, scores

Distance = Callable[[Tensor, Tensor], Tensor]
"""(restored, reference), both [B, 3, H, W] in [0, 1] -> [B]; e.g. the method ``per_image`` of an LPIPS module."""

Features = Callable[[Tensor], Mapping[str, Tensor]]
"""RGB [B, 3, H, W] in [0, 1] -> layer name -> [B, C, h, w]; normalises its input itself."""

HELD = 512 * 2**20
"""Bytes of features of references that a distance keeps on a CPU."""
SMALLEST = 32
"""Least side in pixels after shifting: deep layers have nothing left below it."""


class FeatureDistance:
    """A plain perceptual distance of any backbone: mean over layers of the relative difference of features.

    Each layer gives ||f(x) - f(y)||_1 / ||f(y)||_1 for an image, so that layers of any magnitude count alike and 0
    means equal features. It has no fitted weights and is no LPIPS.

    References are looked at once and their features kept, on a CPU and as far as ``HELD`` goes: a run scores the same
    images after every stage.

    Args:
        features: the backbone; it must not change.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        self._held: OrderedDict[tuple[tuple[int, ...], bytes], Mapping[str, Tensor]] = OrderedDict()
        self._bytes = 0

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, "batch"]:
        """Distances >= 0, on the device of the images."""
        with torch.no_grad():
            found, wanted = self.features(restored), self._wanted(reference)
        layers = [
            (found[name] - wanted[name]).abs().flatten(1).mean(1)
            / wanted[name].abs().flatten(1).mean(1).clamp(min=1e-12)
            for name in wanted
        ]
        return torch.stack(layers).mean(dim=0)

    def _wanted(self, reference: Tensor) -> Mapping[str, Tensor]:
        if reference.device.type != "cpu":
            return self.features(reference)
        key = (tuple(reference.shape), blake2b(reference.contiguous().numpy().tobytes()).digest())
        features = self._held.pop(key, None)
        if features is None:
            features = self.features(reference)
            self._bytes += _size(features)
        self._held[key] = features
        while self._bytes > HELD:
            self._bytes -= _size(self._held.popitem(last=False)[1])
        return features


def _size(features: Mapping[str, Tensor]) -> int:
    return sum(f.nbytes for f in features.values())


class ShiftedPerceptual:
    """A distance averaged over crops of both images at every offset of a small square of pixels; a metric.

    Args:
        distance: (restored, reference) -> [B].
        name: what facts and tables call it, e.g. ``"shifted-efficientnet-lite0"``.
        backbone: name of the network inside, so that a report can say whether the loss uses it too.
        extent: shifts 0 .. extent-1 in both directions, extent^2 evaluations. 4 covers strides up to 4.
        published: whether the backbone's weights are published ones; random ones measure structure only.

    Raises:
        Refused: an extent below 1.
    """

    def __init__(
        self, distance: Distance, *, name: str, backbone: str, extent: int = 4, published: bool = True
    ) -> None:
        if extent < 1:
            raise Refused(f"extent must be at least 1 px; found {extent}.")
        self.distance = distance
        self.name = name
        self.backbone = backbone
        self.extent = extent
        self.published = published

    @property
    def facts(self) -> MetricFacts:
        """A guard. Its values are comparable only within one backbone."""
        return MetricFacts(
            name=self.name,
            direction="lower",
            low=0.0,
            high=None,
            needs_reference=True,
            unit=0.005,
            implementation=IMPLEMENTATION,
            version=implementation_version(),
            options={
                "backbone": self.backbone,
                "extent": self.extent,
                "published_weights": self.published,
            },
        )

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """Mean distance for each image.

        Raises:
            Refused: what :class:`PSNR` refuses, or images below 32 px after shifting.
        """
        reference = check_pair(restored, reference, self.name)
        height, width = (side - self.extent + 1 for side in restored.shape[-2:])
        if min(height, width) < SMALLEST:
            raise Refused(
                f"{self.name} needs images of at least {SMALLEST + self.extent - 1} px; found "
                f"{restored.shape[-2]}x{restored.shape[-1]}."
            )
        total = torch.zeros(restored.shape[0], dtype=torch.float64)
        with torch.no_grad():
            for down in range(self.extent):
                for right in range(self.extent):
                    window = (..., slice(down, down + height), slice(right, right + width))
                    total += scores(self.distance(restored[window], reference[window]))
        return total / self.extent**2
