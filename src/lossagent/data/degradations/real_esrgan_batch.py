"""Real-ESRGAN's degradation of a batch, where the batch lies: the published way to make data during training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.data.degradations.draws import SeededDraws
from lossagent.data.degradations.jpeg_torch import jpeg
from lossagent.data.degradations.kernels import padded
from lossagent.data.degradations.real_esrgan import degrade
from lossagent.data.degradations.real_esrgan_plan import Common, Own, Ranges
from lossagent.data.degradations.sharpening import usm_sharpen_batch
from lossagent.errors import Refused


@dataclass(frozen=True)
class RealESRGANBatch:
    """The degradation of :class:`RealESRGAN` on batches of any device, with JPEG in tensor operations.

    Attributes:
        scale: reduction factor, at least 1.
        sharpen: degrade the unsharp-masked images rather than the images themselves, as published.
        ranges: what is drawn from.

    Raises:
        Refused: a scale below 1.
    """

    scale: int
    sharpen: bool = True
    ranges: Ranges = field(default_factory=Ranges)

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise Refused(f"scale must be >= 1; found {self.scale}.")

    @torch.no_grad()
    def __call__(
        self, images: Float[Tensor, "batch 3 height width"], common: Common, owns: Sequence[Own], seeds: Sequence[int]
    ) -> tuple[Float[Tensor, "batch 3 rows columns"], Float[Tensor, "batch 3 height width"] | None]:
        """Low-quality images, and the sharpened ones where ``sharpen`` is set.

        Args:
            images: RGB in [0, 1], sides that are multiples of ``scale``.
            common, owns: what :func:`draw_common` and :func:`draw_own` drew.
            seeds: of the pixel noise, one for each image, 0 to 2**62.

        Raises:
            Refused: sides that are no multiples of ``scale``, or not one of ``owns`` and ``seeds`` for each image.
        """
        if any(side % self.scale for side in images.shape[-2:]):
            raise Refused(f"sides must be multiples of scale {self.scale}; found {tuple(images.shape[-2:])}.")
        if len(owns) != len(images) or len(seeds) != len(images):
            raise Refused(f"owns and seeds must give one for each of {len(images)} images.")
        with torch.autocast(images.device.type, enabled=False):
            sharp = usm_sharpen_batch(images) if self.sharpen else None
            source = images if sharp is None else sharp
            draws = SeededDraws(seeds, images.device)
            alike = [_alike(own, self.ranges) for own in owns]
            return degrade(source, self.scale, common, alike, draws, jpeg), sharp


def _alike(own: Own, ranges: Ranges) -> Own:
    """All kernels at their largest size, a last filter in any case: an image's filters do not hang on its company.

    Otherwise the rounding of the filter would, and where a value sits between two levels the Poisson noise behind it.
    """
    first = replace(own.first, kernel=padded(own.first.kernel, ranges.first.blur.largest))
    second = replace(own.second, kernel=padded(own.second.kernel, ranges.second.blur.largest))
    sinc = own.sinc
    if ranges.final.probability > 0:
        sinc = padded(np.ones((1, 1)) if sinc is None else sinc, max(ranges.final.sizes))
    return Own(first, second, sinc)
