"""A metric itself as a loss: the baseline that steering by a metric must be compared with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.iqa import Network, Scalar, entry
from lossagent.iqa.listing import PREFIX

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "psnr": "mse",
        "ssim": "ssim",
        "ms_ssim": "ms-ssim",
        "lpips-vgg": "lpips",
        "lpips-alex": "lpips",
        "lpips-squeeze": "lpips",
        "dists": "dists",
    }
)
"""Metric of this library -> the kind of loss that it is."""

NO_OPTIONS: Mapping[str, Scalar] = MappingProxyType({})


class MetricLoss:
    """A metric of pyiqa (extra ``iqa``), with the sign by which lower is better: -m where higher is.

    Images are held to [0, 1] on their way into the metric, and gradients pass as if they were not (straight through).
    Metrics without a reference do not look at the target. Values are in the metric's own units, so that a weight has
    to bring them to the size of the other losses; computed in float32, also under autocast. At its first use it is
    tried on noise of the images' size: what gives no gradient there is refused.

    Args:
        metric: ``pyiqa:NAME``.
        options: of pyiqa's own class.
        download: whether weights that are missing may be fetched.
        unpickle: whether checkpoints may hold more than tensors, which can run any code.

    Raises:
        MissingPackage, MissingAsset: pyiqa, a package or weights are not on this machine.
        UnknownName: pyiqa has no such metric.
        Refused: not a metric of pyiqa, or options that it does not take.
    """

    def __init__(
        self,
        metric: str,
        options: Mapping[str, Scalar] = NO_OPTIONS,
        *,
        download: bool = False,
        unpickle: bool = False,
    ) -> None:
        if not metric.startswith(PREFIX):
            kind = BUILT_IN.get(metric)
            hint = (
                f"The loss of kind {kind!r} is that metric" if kind else "It has no gradient, or is no loss by itself"
            )
            raise Refused(f"a metric as a loss must be one of pyiqa's, metric: pyiqa:NAME; found {metric!r}. {hint}.")
        self.entry = entry(metric)
        self.network = Network(self.entry, options, gradient=True, download=download, unpickle=unpickle)
        self.network.load(torch.device("cpu"))
        self._tried = False

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        target: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, ""]:
        """Mean over the batch of the metric, negated where higher is better.

        Raises:
            Refused: a metric without a gradient, or one that does not take images of this size.
        """
        if not self._tried:
            self._try(restored)
            self._tried = True
        return self._value(restored, target)

    def _value(self, restored: Tensor, target: Tensor) -> Tensor:
        with torch.autocast(restored.device.type, enabled=False):
            wide = restored.float()
            held = wide + (wide.clamp(0, 1) - wide).detach()
            reference = target.float().clamp(0, 1) if self.entry.needs_reference else None
            mean = self.network(held, reference).mean()
        signed = mean if self.entry.direction == "lower" else -mean
        return signed.to(torch.promote_types(restored.dtype, torch.float32))

    def _try(self, like: Tensor) -> None:
        """Refuses a metric through which nothing useful comes back to the image."""
        generator = torch.Generator().manual_seed(0)
        noise = torch.rand(2, *like.shape, generator=generator, dtype=torch.float32).to(like.device)
        image = noise[0].requires_grad_()
        with torch.enable_grad():
            value = self._value(image, noise[1])
            gradient = torch.autograd.grad(value, image, allow_unused=True)[0] if value.requires_grad else None
        if gradient is None:
            why = "no gradient reaches the image"
        elif not torch.isfinite(gradient).all():
            why = "the gradient at the image is not finite"
        elif not gradient.any():
            why = "the gradient at the image is zero everywhere"
        else:
            return
        raise Refused(
            f"metric {self.entry.full_name!r} cannot be a loss: {why}. Steer by it as a target of the goal instead."
        )
