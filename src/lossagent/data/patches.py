"""Training patches, each a pure function of (seed, index).

No sampler state exists, so nothing has to be saved: the batch of a given iteration is the same after a resume, with
any number of threads, and in every arm of a comparison that shares the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from lossagent.data.degradations.base import Degradation
from lossagent.data.images import ImageCache, NamedImage, size
from lossagent.data.sources import check_pair
from lossagent.errors import Refused

SLOT_BITS, ITERATION_BITS, WINDOW_BITS = 12, 28, 24


@dataclass(frozen=True, eq=False)
class Batch:
    """Pairs for one iteration.

    Attributes:
        lq: low-quality RGB in [0, 1], float32, on the CPU.
        hq: ground truth of ``scale`` times the sides.
        names: the photograph that each pair comes from.
    """

    lq: Float[Tensor, "batch 3 height width"]
    hq: Float[Tensor, "batch 3 rows columns"]
    names: tuple[str, ...]


class PatchSampler:
    """Random square crops of photographs, flipped and rotated in 8 ways, each with its low-quality twin.

    Args:
        images: clean photographs.
        scale: how many times smaller the low-quality side is.
        patch: side of the low-quality crop, pixels.
        degradation: makes the low-quality side; ``None`` where ``lq`` gives it ready-made.
        seed: 0 to 2**64 - 1.
        jitter: crops start at any pixel of the photograph rather than at multiples of ``scale``, so that the phase of
            the sampling grid varies. Without it, or with ready-made pairs, crops lie on the grid of the whole image.
        lq: ready-made low-quality images, in the order of ``images``.
        cache: where decoded photographs are kept; by default 2 GiB of its own.

    Raises:
        Refused: no images, an image too small for the patch, a degradation of another scale, pairs that do not match,
            or both or neither of ``degradation`` and ``lq``.
    """

    def __init__(
        self,
        images: Sequence[NamedImage],
        scale: int,
        patch: int,
        degradation: Degradation | None,
        seed: int,
        jitter: bool = True,
        lq: Sequence[NamedImage] | None = None,
        cache: ImageCache | None = None,
    ) -> None:
        if not images:
            raise Refused("images must hold at least one photograph; found none.")
        if patch < 1 or scale < 1 or not 0 <= seed < 2**64:
            raise Refused(f"patch, scale must be >= 1, seed from 0 to 2**64-1; found {patch}, {scale}, {seed}.")
        if (degradation is None) == (lq is None):
            raise Refused("give either a degradation or ready-made low-quality images (lq), not both or neither.")
        if degradation is not None and degradation.scale != scale:
            raise Refused(f"scale is {scale}, but the degradation's is {degradation.scale}; make them equal.")
        self.images, self.lq = tuple(images), None if lq is None else tuple(lq)
        self.scale, self.patch, self.seed = scale, patch, seed
        self.degradation = degradation
        self.jitter = jitter and lq is None
        self.cache = cache if cache is not None else ImageCache(2 << 30)
        self._check_sizes()

    def _check_sizes(self) -> None:
        if self.lq is not None and len(self.lq) != len(self.images):
            raise Refused(f"lq must give one image for each of {len(self.images)}; found {len(self.lq)}.")
        need = self.patch * self.scale
        for number, image in enumerate(self.images):
            height, width = size(image.path)
            if min(height, width) < need:
                raise Refused(
                    f"{image.path}: {height} x {width} pixels, but patch {self.patch} at scale {self.scale} needs "
                    f"{need} x {need}. Take a smaller patch or leave the image out."
                )
            if self.lq is not None:
                check_pair(image, self.lq[number], self.scale)

    def sample(self, index: int) -> tuple[UInt8[ndarray, "low low 3"], UInt8[ndarray, "high high 3"], str]:
        """The pair of a given index: low-quality crop, ground truth crop, name of the photograph.

        Args:
            index: 0 to 2**64 - 1.
        """
        # Philox is counter-based: every (seed, index) is a stream of its own [Salmon et al., SC 2011].
        rng = np.random.Generator(np.random.Philox(key=np.array([self.seed, index], dtype=np.uint64)))
        number = int(rng.integers(len(self.images)))
        image = self.images[number]
        hq = self.cache.pixels(image)
        height, width = hq.shape[:2]
        phase = 0, 0
        if self.jitter:
            spare = [min(self.scale, side - self.patch * self.scale + 1) for side in (height, width)]
            phase = int(rng.integers(spare[0])), int(rng.integers(spare[1]))
            hq = hq[phase[0] :, phase[1] :]
        room = [side // self.scale - self.patch + 1 for side in hq.shape[:2]]
        top, left = int(rng.integers(room[0])), int(rng.integers(room[1]))
        turn = int(rng.integers(8))
        if self.degradation is not None:
            low = self.degradation.patch(hq, top, left, self.patch, rng)
        else:
            assert self.lq is not None
            low = self.cache.pixels(self.lq[number])[top : top + self.patch, left : left + self.patch]
        span, row, column = self.patch * self.scale, top * self.scale, left * self.scale
        high = hq[row : row + span, column : column + span]
        return turned(low, turn), turned(high, turn), image.name

    def batch(self, window: int, iteration: int, batch_size: int) -> Batch:
        """The pairs of one iteration; no two (window, iteration, slot) share an index.

        Args:
            window: which stretch of training, e.g. the number of the stage; below 2**24.
            iteration: counted within the window; below 2**28.
            batch_size: at most 2**12.

        Raises:
            Refused: numbers outside these.
        """
        limits = (window, WINDOW_BITS), (iteration, ITERATION_BITS), (batch_size - 1, SLOT_BITS)
        if any(not 0 <= value < 1 << bits for value, bits in limits):
            raise Refused(
                f"window, iteration, batch_size must lie within 0..2**{WINDOW_BITS}-1, 0..2**{ITERATION_BITS}-1, "
                f"1..2**{SLOT_BITS}; found {window}, {iteration}, {batch_size}."
            )
        first = (window << ITERATION_BITS | iteration) << SLOT_BITS
        pairs = [self.sample(first | slot) for slot in range(batch_size)]
        return Batch(
            lq=_tensor([low for low, _, _ in pairs]),
            hq=_tensor([high for _, high, _ in pairs]),
            names=tuple(name for _, _, name in pairs),
        )


def turned(image: UInt8[ndarray, "height width channels"], turn: int) -> UInt8[ndarray, "rows columns channels"]:
    """One of the 8 symmetries of the square: ``turn % 4`` quarter turns, mirrored first from 4 on."""
    return np.rot90(image[:, ::-1] if turn >= 4 else image, turn % 4)


def _tensor(images: Sequence[UInt8[ndarray, "side side 3"]]) -> Float[Tensor, "batch 3 side side"]:
    stacked = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
    return torch.from_numpy(stacked).float().div_(255)
