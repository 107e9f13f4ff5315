"""What every metric refuses, and the conversions that all of them share."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused

IMPLEMENTATION = "lossagent"


@cache
def implementation_version() -> str:
    """Version of this library, stored beside each score."""
    return version("lossagent")


def check_images(images: Tensor, parameter: str, *, smallest: int = 1) -> None:
    """Refuses what is not a batch of RGB images in [0, 1].

    Args:
        images: what was given.
        parameter: its name, for the message.
        smallest: least height and width in pixels.

    Raises:
        Refused: another shape or dtype, an empty batch, a value outside [0, 1] or NaN, or too small an image.
    """
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[0] == 0:
        raise Refused(
            f"{parameter} must have shape [batch, 3, height, width] with batch > 0; found {list(images.shape)}. "
            "Repeat a gray image over three channels and add a batch dimension."
        )
    if not images.is_floating_point():
        raise Refused(f"{parameter} must be floating point in [0, 1]; found {images.dtype}. Divide 8-bit by 255.")
    height, width = images.shape[-2:]
    if min(height, width) < smallest:
        raise Refused(f"{parameter} must be at least {smallest} px high and wide; found {height}x{width}.")
    low, high = (float(v) for v in images.detach().aminmax())
    if not (low >= 0.0 and high <= 1.0):
        raise Refused(f"{parameter} must lie in [0, 1]; found [{low:.6g}, {high:.6g}]. Clamp the images first.")


def check_pair(restored: Tensor, reference: Tensor | None, metric: str) -> Tensor:
    """The reference, when both are images of one size.

    Raises:
        Refused: a missing reference, unequal shapes (both sizes are named), or what :func:`check_images` refuses.
    """
    check_images(restored, "restored")
    if reference is None:
        raise Refused(f"{metric} compares with a reference; none was given. Pass the ground truth as reference.")
    check_images(reference, "reference")
    if restored.shape != reference.shape:
        raise Refused(
            f"{metric} needs images of one size; restored is {size_of(restored)}, reference is "
            f"{size_of(reference)}. Crop the ground truth to the size of the low-quality image times the scale."
        )
    return reference.to(restored.device)


def size_of(images: Tensor) -> str:
    """``batch x height x width``, for messages."""
    return f"{images.shape[0]} x {images.shape[-2]}x{images.shape[-1]} px"


def crop_border(images: Tensor, border: int, *, smallest: int = 1) -> Tensor:
    """Images without ``border`` pixels on each side.

    Raises:
        Refused: a negative border, or less than ``smallest`` pixels left in a direction.
    """
    if border < 0:
        raise Refused(f"border must be >= 0 px; found {border}.")
    height, width = (side - 2 * border for side in images.shape[-2:])
    if min(height, width) < smallest:
        raise Refused(
            f"border {border} leaves {max(height, 0)}x{max(width, 0)} px of {images.shape[-2]}x{images.shape[-1]}; "
            f"at least {smallest} px are needed in each direction."
        )
    return images[..., border : border + height, border : border + width]


def double(images: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The images in float64; from a device that has none they go to the CPU."""
    source = images.detach()
    return (source.cpu() if source.device.type == "mps" else source).to(torch.float64)


def scores(values: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """What a metric returns: float64 on the CPU, without a graph."""
    return values.detach().to("cpu").to(torch.float64)
