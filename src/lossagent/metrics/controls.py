"""A control for no-reference metrics: what cheap noise does to a score, with no training at all."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.metrics._checks import check_images
from lossagent.metrics._filters import filter_same, gaussian_taps


def correlated_noise(
    images: Float[Tensor, "batch 3 height width"], seed: int, *, amplitude: float = 4.0, blur: float = 0.7
) -> Float[Tensor, "batch 3 height width"]:
    """The images with gray, slightly blurred noise on them: the known way to game NIQE.

    On a PSNR network's x4 output the defaults lowered NIQE by 1.9 for 0.55 dB, more than any trained setting: a
    report shows this control beside every NIQE. Each image of a batch gets the noise that it would get alone.

    Args:
        images: RGB in [0, 1].
        seed: the same seed and size give the same noise.
        amplitude: standard deviation of the noise *after* blurring, in grey levels of 255.
        blur: sigma of the Gaussian that correlates neighbours, in pixels.

    Returns:
        Images of the same dtype and device, clamped to [0, 1].

    Raises:
        Refused: values outside [0, 1], a negative amplitude or a blur that is not positive.
    """
    check_images(images, "images")
    if amplitude < 0 or blur <= 0:
        raise Refused(f"amplitude must be >= 0 and blur > 0; found amplitude {amplitude}, blur {blur}.")
    height, width = images.shape[-2:]
    margin = max(1, round(4 * blur))
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn(1, 1, height + 2 * margin, width + 2 * margin, generator=generator, dtype=torch.float64)
    taps = gaussian_taps(2 * margin + 1, blur)
    noise = filter_same(white, taps)[..., margin : margin + height, margin : margin + width]
    noise = noise * (amplitude / 255) / sum(tap * tap for tap in taps)
    return (images + noise.to(images)).clamp(0, 1)
