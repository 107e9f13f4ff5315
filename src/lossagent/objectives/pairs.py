"""Images to be scored, each with what it is compared with, and their tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.objectives.base import Pixels
from lossagent.restorers import from_uint8

KEPT = 1 << 30
"""Bytes of tensors that are kept during one scoring; images beyond are converted again for each metric."""


@dataclass(frozen=True)
class Pair:
    """An image, and what a metric compares it with.

    Attributes:
        name: of the image.
        pixels: the restored image.
        reference: ground truth, degraded input or S_0's output; ``None`` for metrics that look at one image alone.
    """

    name: str
    pixels: Pixels
    reference: Pixels | None = None


@dataclass
class Tensors:
    """8-bit images as float32 in [0, 1], each converted once for all metrics.

    Args:
        device: where they are put.
        room: bytes that are kept.
    """

    device: torch.device
    room: int = KEPT
    _kept: dict[int, tuple[Pixels, Tensor]] = field(default_factory=dict[int, "tuple[Pixels, Tensor]"])

    def of(self, pixels: Pixels) -> Float[Tensor, "1 3 height width"]:
        """The tensor of an array; the same array gets the same tensor."""
        if (known := self._kept.get(id(pixels))) is not None:
            return known[1]
        tensor = from_uint8(pixels).to(self.device)
        size = tensor.numel() * tensor.element_size()
        if size <= self.room:
            self.room -= size
            self._kept[id(pixels)] = pixels, tensor  # the array too: its id is its own while it lives
        return tensor

    def batch(self, arrays: Sequence[Pixels]) -> Float[Tensor, "batch 3 height width"]:
        """Several images of one size."""
        return self.of(arrays[0]) if len(arrays) == 1 else torch.cat([self.of(array) for array in arrays])


def batches(pairs: Sequence[Pair], size: int) -> Iterator[tuple[Pair, ...]]:
    """Pairs in batches: within one all images have the same size, and all references."""
    groups: dict[tuple[object, ...], list[Pair]] = {}
    for pair in pairs:
        key = (pair.pixels.shape, None if pair.reference is None else pair.reference.shape)
        groups.setdefault(key, []).append(pair)
    for group in groups.values():
        for start in range(0, len(group), size):
            yield tuple(group[start : start + size])
