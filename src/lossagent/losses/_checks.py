"""What several losses refuse."""

from __future__ import annotations

from torch import Tensor

from lossagent.errors import Refused


def check_sides(images: Tensor, smallest: int, name: str) -> None:
    """Refuses images with a side below ``smallest`` px."""
    if min(images.shape[-2:]) < smallest:
        raise Refused(
            f"images for {name} need sides of at least {smallest} px; found {images.shape[-2]}x{images.shape[-1]}. "
            "Train on larger patches, or leave the loss out."
        )
