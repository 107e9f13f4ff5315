"""Means over a batch that is spread over processes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx

_together: ContextVar[bool] = ContextVar("together", default=True)


def mean_over_ranks(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The mean over all ranks of equally shaped values; the values themselves where there is one rank.

    Differentiable: where each rank differentiates a loss of its own and gradients are then averaged over the ranks, as
    data-parallel training does, the result is the gradient of the mean of these losses. Every rank must call it, and
    differentiate through it, in the same order; ranks must hold shares of equal size.
    """
    if not (_together.get() and dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return values
    return _MeanOverRanks.apply(values)  # pyright: ignore[reportReturnType]  (torch leaves apply untyped)


@contextmanager
def one_rank() -> Generator[None]:
    """For a while means are those of this process alone: what only some ranks do must not wait for the others."""
    token = _together.set(False)
    try:
        yield
    finally:
        _together.reset(token)


class _MeanOverRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        del ctx
        return _mean(values)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        del ctx
        return _mean(gradient)


def _mean(values: Tensor) -> Tensor:
    total = values.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total / dist.get_world_size()
