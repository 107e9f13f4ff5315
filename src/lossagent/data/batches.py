"""Training batches: what a sample is, which indices a batch is made of, and how samples become tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from lossagent.errors import Refused

SLOT_BITS, ITERATION_BITS, WINDOW_BITS = 12, 28, 24


@dataclass(frozen=True, eq=False)
class Sample:
    """One training pair, RGB.

    Attributes:
        lq: low-quality crop.
        hq: ground truth of ``scale`` times the side.
        name: the photograph that it comes from.
        sharpened: ground truth made crisp, for the losses that want it; ``None`` where it was not asked for.
    """

    lq: UInt8[ndarray, "low low 3"]
    hq: UInt8[ndarray, "high high 3"]
    name: str
    sharpened: UInt8[ndarray, "high high 3"] | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Pairs for one iteration.

    Attributes:
        lq: low-quality RGB in [0, 1], float32, on the CPU, or where the sampler made it.
        hq: ground truth of ``scale`` times the sides.
        names: the photograph that each pair comes from.
        sharpened: the unsharp-masked ground truth of Real-ESRGAN, for L1 and perceptual losses; a discriminator
            compares with ``hq``. ``None`` where it was not asked for.
    """

    lq: Float[Tensor, "batch 3 height width"]
    hq: Float[Tensor, "batch 3 rows columns"]
    names: tuple[str, ...]
    sharpened: Float[Tensor, "batch 3 rows columns"] | None = None


def sample_indices(window: int, iteration: int, batch_size: int, first: int = 0, count: int | None = None) -> range:
    """Indices of the slots ``first .. first + count - 1`` of a batch; no two (window, iteration, slot) share one.

    Args:
        window: which stretch of training, e.g. the number of the stage; below 2**24.
        iteration: counted within the window; below 2**28.
        batch_size: slots of the whole batch, at most 2**12.
        first: first slot wanted.
        count: how many are wanted; by default all from ``first`` on.

    Raises:
        Refused: numbers outside these, or slots outside the batch.
    """
    limits = (window, WINDOW_BITS), (iteration, ITERATION_BITS), (batch_size - 1, SLOT_BITS)
    if any(not 0 <= value < 1 << bits for value, bits in limits):
        raise Refused(
            f"window, iteration, batch_size must lie within 0..2**{WINDOW_BITS}-1, 0..2**{ITERATION_BITS}-1, "
            f"1..2**{SLOT_BITS}; found {window}, {iteration}, {batch_size}."
        )
    count = batch_size - first if count is None else count
    if first < 0 or count < 1 or first + count > batch_size:
        raise Refused(f"first, count must mark slots of a batch of {batch_size}; found {first}, {count}.")
    start = (window << ITERATION_BITS | iteration) << SLOT_BITS | first
    return range(start, start + count)


def collate(samples: Sequence[Sample]) -> Batch:
    """Samples of one size as a batch; either all of them are sharpened or none is."""
    sharpened = [sample.sharpened for sample in samples if sample.sharpened is not None]
    assert len(sharpened) in (0, len(samples))
    return Batch(
        lq=_tensor([sample.lq for sample in samples]),
        hq=_tensor([sample.hq for sample in samples]),
        names=tuple(sample.name for sample in samples),
        sharpened=_tensor(sharpened) if sharpened else None,
    )


def _tensor(images: Sequence[UInt8[ndarray, "side side 3"]]) -> Float[Tensor, "batch 3 side side"]:
    stacked = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
    return torch.from_numpy(stacked).float().div_(255)
