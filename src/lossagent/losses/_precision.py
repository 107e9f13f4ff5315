"""Sums are taken in float32 or wider, also where autocast made the features narrow."""

from __future__ import annotations

import torch
from torch import Tensor


def wide(values: Tensor) -> Tensor:
    """bfloat16 and float16 as float32; others unchanged."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def without_autocast(values: Tensor) -> torch.autocast:
    """A context in which convolutions and matrix products keep the precision of their inputs."""
    return torch.autocast(values.device.type, enabled=False)


def per_image_mean(values: Tensor) -> Tensor:
    """[B, ...] -> [B]: mean over all that belongs to an image."""
    return values.flatten(1).mean(dim=1)
