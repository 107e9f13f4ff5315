"""Between 8-bit arrays and float tensors."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lossagent.errors import Refused


def from_uint8(array: UInt8[np.ndarray, "height width 3"]) -> Float[Tensor, "1 3 height width"]:
    """An 8-bit RGB image as a batch of one, float32 in [0, 1]."""
    return torch.from_numpy(np.array(array)).permute(2, 0, 1)[None].float().div(255).contiguous()


def to_uint8(image: Float[Tensor, "1 3 height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """A batch of one RGB image as 8 bit: clamped to [0, 1], times 255, rounded (halves to even, as NumPy does).

    The inverse of :func:`from_uint8`.

    Raises:
        Refused: more than one image, other than three channels, or NaN.
    """
    if image.ndim != 4 or image.shape[:2] != (1, 3):
        raise Refused(f"image must have shape [1, 3, height, width]; found {list(image.shape)}. Convert one at a time.")
    if torch.isnan(image).any():
        raise Refused("image must hold numbers; found NaN. The network that made it has diverged.")
    levels = image.detach()[0].float().clamp(0, 1).mul(255).round().to(torch.uint8)
    return levels.permute(1, 2, 0).contiguous().cpu().numpy()
