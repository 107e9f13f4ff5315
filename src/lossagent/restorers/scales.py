"""The upscaling factor of weights, told from their names and shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from torch import Tensor


def scales(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """The upscaling factors that a SwinIR or compact network with these weights can have.

    Several where the weights do not tell: enlarging by nearest neighbours has none. Empty for other networks.

    Args:
        state: name -> tensor; only shapes are looked at.
    """
    if "conv_first.weight" in state and any(name.startswith("layers.0.residual_group.") for name in state):
        return _swinir(state)
    if {"head.weight", "tail.weight", "up.0.weight"} <= state.keys():
        return {1: (1, 2, 3), 2: (4,), 3: (8,)}.get(_count(state, r"up\.\d+\.weight"), ())
    return ()


def _swinir(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    shuffles = [tensor.shape for name, tensor in state.items() if re.fullmatch(r"upsample\.\d+\.weight", name)]
    if "conv_before_upsample.0.weight" in state and "conv_hr.weight" not in state:
        return (math.prod(_side(shape[0], shape[1]) for shape in shuffles),)
    if "conv_hr.weight" in state:
        return {0: (1,), 1: (2, 3), 2: (4,), 3: (8,)}.get(_count(state, r"conv_up\d+\.weight"), ())
    if shuffles:
        return (_side(shuffles[0][0], state["conv_first.weight"].shape[1]),)
    return (1,)


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    return sum(re.fullmatch(pattern, name) is not None for name in state)


def _side(outputs: int, channels: int) -> int:
    """The factor of a pixel shuffle."""
    return max(math.isqrt(outputs // max(channels, 1)), 1)
