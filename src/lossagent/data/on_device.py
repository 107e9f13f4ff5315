"""Training pairs whose low-quality side is made on the training device, batch by batch, with Real-ESRGAN's pair pool.

The published code degrades a batch with one resize factor, one kind of noise and one order of operations, and then
trades pairs with a pool of 180 so that a training batch mixes several degradations. A pool that remembers could not be
resumed; here it is a permutation: sample numbers fall into blocks of ``pool``, and inside a block each number is given
the pair of another. All is a function of (seed, window, iteration, slot); what is kept is only what was computed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from lossagent.data.batches import Batch, sample_indices
from lossagent.data.degradations.real_esrgan_batch import RealESRGANBatch
from lossagent.data.degradations.real_esrgan_plan import Own, draw_common, draw_own
from lossagent.data.patches import PatchSampler
from lossagent.errors import Refused

CONTEXT = 72
"""Published crops are 400 px for pairs of 256: so many more on each side, on average."""

# Streams of random numbers of one seed.
POOL, GROUP, OWN = range(3)


@dataclass(frozen=True, eq=False)
class Pair:
    """One finished pair on the device, 8 bit, and the photograph that it comes from."""

    lq: UInt8[Tensor, "3 low low"]
    hq: UInt8[Tensor, "3 high high"]
    sharpened: UInt8[Tensor, "3 high high"] | None
    name: str


@dataclass(frozen=True)
class Request:
    """What stays the same over the batches of a window: its number, and the slots asked for."""

    window: int
    batch: int
    first: int
    count: int


class OnDeviceSampler:
    """Batches of pairs made by :class:`RealESRGANBatch`; implements the trainer's ``Sampler``.

    Numbers of a sample in a window: ``iteration * batch + slot``. Blocks of ``pool`` of them are permuted; ``batch``
    neighbours before the permutation share what the published code draws once for a batch. A rank's share is computed
    alone; that a pair's company may be smaller then moves it by float rounding at most.

    Args:
        crops: crops of ground truth with the degradation :class:`Untouched`, so many pixels larger than the pairs as
            ``context`` on either side.
        degradation: makes the low-quality side.
        device: where.
        pool: samples a block; a multiple of the batch. With ``pool`` equal to the batch there is no mixing.
        context: pixels; the pair is cut from the degraded crop at a random place.

    Raises:
        Refused: crops of another scale than 1, with a side that is no multiple of the scale, or too small.
    """

    def __init__(
        self,
        crops: PatchSampler,
        degradation: RealESRGANBatch,
        device: torch.device,
        pool: int = 180,
        context: int = CONTEXT,
    ) -> None:
        if crops.scale != 1 or crops.patch % degradation.scale:
            raise Refused(
                f"crops must be of scale 1 and their side a multiple of {degradation.scale}; "
                f"found scale {crops.scale}, side {crops.patch}."
            )
        patch = crops.patch // degradation.scale - 2 * context // degradation.scale
        if context < 0 or patch < 1:
            raise Refused(f"crops of {crops.patch} px leave nothing inside a context of {context} px on each side.")
        if pool < 1:
            raise Refused(f"pool must be at least 1; found {pool}.")
        self.crops, self.degradation, self.device, self.pool = crops, degradation, device, pool
        self.scale, self.patch, self.sharpen = degradation.scale, patch, degradation.sharpen
        self._made: dict[tuple[Request, int], dict[int, Pair]] = {}
        self._lock = threading.Lock()

    def batch(self, window: int, iteration: int, batch_size: int, first: int = 0, count: int | None = None) -> Batch:
        """The pairs of one iteration, or a rank's share of them; see :func:`sample_indices` for the arguments.

        Raises:
            Refused: numbers outside their ranges, or a batch that does not divide the pool.
            Failed: more images than allowed turned out to be damaged.
        """
        count = len(sample_indices(window, iteration, batch_size, first, count))
        if self.pool % batch_size:
            raise Refused(
                f"pool must be a multiple of the batch; found {self.pool} and {batch_size}. Nearest: "
                f"{max(self.pool // batch_size, 1) * batch_size}."
            )
        request, groups = Request(window, batch_size, first, count), self.pool // batch_size
        block, place = divmod(iteration, groups)
        with self._lock:
            self._forget(request, block)
            pairs: dict[int, Pair] = {}
            for group in range(block * groups, (block + 1) * groups):
                pairs |= self._group(request, group)
            # One group of the next block a batch: the work is even over the iterations.
            self._group(request, (block + 1) * groups + place)
        sources = self._sources(window, block)[place * batch_size :][first : first + count]
        return _together([pairs[int(source)] for source in sources])

    def notices(self) -> tuple[str, ...]:
        """Sentences for the reader since the last call: images that were left out."""
        return self.crops.notices()

    def _sources(self, window: int, block: int) -> Sequence[int]:
        """For each number of a block, in order, the number whose pair it gets."""
        return (block * self.pool + self._rng(POOL, window, block).permutation(self.pool)).tolist()

    def _forget(self, request: Request, block: int) -> None:
        """Keeps the block in use, its neighbours (threads may still be there) and nothing of other windows."""
        groups = self.pool // request.batch
        near = range((block - 1) * groups, (block + 2) * groups)
        self._made = {k: v for k, v in self._made.items() if k[0] == request and k[1] in near}

    def _group(self, request: Request, group: int) -> dict[int, Pair]:
        """The pairs of a group that this request wants, computed together; by number."""
        if (known := self._made.get((request, group))) is None:
            known = self._made[request, group] = self._compute(request, group)
        return known

    def _compute(self, request: Request, group: int) -> dict[int, Pair]:
        block = group * request.batch // self.pool
        wanted = {
            source
            for number, source in enumerate(self._sources(request.window, block))
            if request.first <= number % request.batch < request.first + request.count
        }
        numbers = [n for n in range(group * request.batch, (group + 1) * request.batch) if n in wanted]
        if not numbers:
            return {}
        rngs = [self._rng(OWN, request.window, number) for number in numbers]
        owns: list[Own] = [draw_own(rng, self.degradation.ranges) for rng in rngs]
        seeds = [int(rng.integers(2**62)) for rng in rngs]
        common = draw_common(self._rng(GROUP, request.window, group), self.degradation.ranges)
        samples = [
            self.crops.sample(sample_indices(request.window, number // request.batch, request.batch)[slot])
            for number in numbers
            for slot in [number % request.batch]
        ]
        crops = torch.from_numpy(np.ascontiguousarray(np.stack([s.hq for s in samples]).transpose(0, 3, 1, 2)))
        crops = crops.to(self.device)
        low, sharp = self.degradation(crops.float() / 255, common, owns, seeds)
        lows, sharps = _bytes(low), None if sharp is None else _bytes(sharp)
        made: dict[int, Pair] = {}
        for i, number in enumerate(numbers):
            room = lows.shape[-1] - self.patch + 1
            top, left = (int(value) for value in rngs[i].integers(room, size=2))
            span, row, column = self.patch * self.scale, top * self.scale, left * self.scale
            made[number] = Pair(
                lows[i, :, top : top + self.patch, left : left + self.patch].clone(),
                crops[i, :, row : row + span, column : column + span].clone(),
                None if sharps is None else sharps[i, :, row : row + span, column : column + span].clone(),
                samples[i].name,
            )
        return made

    def _rng(self, stream: int, window: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.crops.seed, stream, window, number])


def _bytes(images: Tensor) -> UInt8[Tensor, "batch 3 height width"]:
    return (images * 255).round().to(torch.uint8)


def _together(pairs: Sequence[Pair]) -> Batch:
    sharpened = [pair.sharpened for pair in pairs if pair.sharpened is not None]
    return Batch(
        lq=torch.stack([pair.lq for pair in pairs]).float() / 255,
        hq=torch.stack([pair.hq for pair in pairs]).float() / 255,
        names=tuple(pair.name for pair in pairs),
        sharpened=torch.stack(sharpened).float() / 255 if sharpened else None,
    )
