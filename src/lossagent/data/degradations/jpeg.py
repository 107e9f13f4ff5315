"""JPEG through a real codec (libjpeg, by Pillow): the CPU path of the degradations."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from lossagent.errors import Refused


def codec(image: UInt8[ndarray, "height width channels"], quality: int) -> UInt8[ndarray, "height width channels"]:
    """The image written as baseline JPEG with 4:2:0 chroma and read again.

    Args:
        image: RGB, or one channel, which is written as gray.
        quality: libjpeg's, 1 to 100.

    Raises:
        Refused: another quality, or a number of channels that JPEG does not have.
    """
    if not 1 <= quality <= 100:
        raise Refused(f"quality must be 1 to 100; found {quality}.")
    if image.shape[2] not in (1, 3):
        raise Refused(f"JPEG takes 1 or 3 channels; found {image.shape[2]}.")
    picture = Image.fromarray(np.ascontiguousarray(image if image.shape[2] == 3 else image[:, :, 0]))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=2 if image.shape[2] == 3 else -1)
    with Image.open(buffer) as read:
        return np.asarray(read).reshape(image.shape)


def codec_batch(
    images: Float[Tensor, "batch channels height width"], qualities: Sequence[int]
) -> Float[Tensor, "batch channels height width"]:
    """:func:`codec` on images in [0, 1], which are rounded to 8 bit first; on the CPU."""
    pixels = (images.clamp(0, 1) * 255).round_().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    made = np.stack([codec(image, quality) for image, quality in zip(pixels, qualities, strict=True)])
    return torch.from_numpy(made).permute(0, 3, 1, 2).to(torch.float32).div_(255)
