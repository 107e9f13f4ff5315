"""Mirror padding at the bottom and the right, by any amount."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def mirror(
    x: Float[Tensor, "batch channels height width"], height: int, width: int, *, repeat_edge: bool
) -> Float[Tensor, "batch channels rows columns"]:
    """Continues images by their mirror image, down and to the right.

    Unlike :func:`torch.nn.functional.pad` it may add more pixels than there are: the mirror image is mirrored again.

    Args:
        x: images, at least 1x1.
        height, width: size wanted, not smaller than the image's.
        repeat_edge: whether the last row and column come twice (``cba|abc``, "symmetric") or once ("reflect").
    """
    if height > x.shape[-2]:
        x = x.index_select(-2, _source(x.shape[-2], height, repeat_edge, x.device))
    if width > x.shape[-1]:
        x = x.index_select(-1, _source(x.shape[-1], width, repeat_edge, x.device))
    return x


def _source(size: int, total: int, repeat_edge: bool, device: torch.device) -> Tensor:
    """For each of ``total`` positions the one of ``size`` it shows."""
    period = 2 * size if repeat_edge else max(2 * size - 2, 1)
    position = torch.arange(total, device=device) % period
    return torch.minimum(position, period - int(repeat_edge) - position)


def next_multiple(size: int, multiple: int, *, strict: bool = False) -> int:
    """The smallest multiple that is at least ``size``, or with ``strict`` larger than it."""
    return (size // multiple + 1) * multiple if strict else -(-size // multiple) * multiple
