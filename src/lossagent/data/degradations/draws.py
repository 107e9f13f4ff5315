"""Pixel noise: from numpy's generator for one image on the CPU, from a seed for each image of a batch elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Draws(Protocol):
    """Where random fields come from."""

    def normal(self, shape: Sequence[int], members: Sequence[int]) -> Float[Tensor, "members *shape"]:
        """Standard normal numbers, float32.

        Args:
            shape: for one image.
            members: the images of the batch that get one field each.
        """
        ...

    def poisson(self, rate: Float[Tensor, "members *shape"], members: Sequence[int]) -> Float[Tensor, "members *shape"]:
        """Poisson counts of these rates, float32."""
        ...


class NumpyDraws:
    """Random fields on the CPU, a function of the generator's state."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def normal(self, shape: Sequence[int], members: Sequence[int]) -> Float[Tensor, "members *shape"]:
        """See the protocol."""
        return torch.from_numpy(self.rng.standard_normal((len(members), *shape), dtype=np.float32))

    def poisson(self, rate: Float[Tensor, "members *shape"], members: Sequence[int]) -> Float[Tensor, "members *shape"]:
        """See the protocol."""
        return torch.from_numpy(self.rng.poisson(rate.numpy()).astype(np.float32))


class SeededDraws:
    """Random fields on any device; those of an image depend on its own seed only, not on its company in the batch.

    Args:
        seeds: one for each image of the batch, 0 to 2**62.
        device: where the fields are made.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self._next = list(seeds)
        self._generator = torch.Generator(device)

    def normal(self, shape: Sequence[int], members: Sequence[int]) -> Float[Tensor, "members *shape"]:
        """See the protocol."""
        device = self._generator.device
        return torch.stack([torch.randn(tuple(shape), generator=self._of(i), device=device) for i in members])

    def poisson(self, rate: Float[Tensor, "members *shape"], members: Sequence[int]) -> Float[Tensor, "members *shape"]:
        """See the protocol."""
        return torch.stack([torch.poisson(own, self._of(i)) for own, i in zip(rate, members, strict=True)])

    def _of(self, member: int) -> torch.Generator:
        self._generator.manual_seed(self._next[member])
        self._next[member] += 1
        return self._generator
