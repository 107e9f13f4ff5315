"""Several data sets, or several tasks, drawn from by weight."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol, runtime_checkable

import numpy as np

from lossagent.data.batches import Batch, Sample, collate, sample_indices
from lossagent.errors import Refused


@runtime_checkable
class Indexed(Protocol):
    """A source of training samples, each a pure function of (seed, index)."""

    scale: int
    patch: int
    sharpen: bool

    def sample(self, index: int) -> Sample:
        """The sample of a given index."""
        ...

    def notices(self) -> tuple[str, ...]:
        """Sentences for the reader since the last call."""
        ...


class MixedSampler:
    """Every sample comes from one of several sources, chosen by weight and by the sample's index alone.

    Args:
        parts: (source, weight); weights are relative, and over many samples each source gets its share of them. A
            mixture among the sources counts as its own sources.
        seed: 0 to 2**64 - 1; it may be that of the sources.

    Raises:
        Refused: no sources, a weight that is not a positive number, or sources of different scale, patch or sharpening.
    """

    def __init__(self, parts: Sequence[tuple[Indexed, float]], seed: int) -> None:
        if not parts:
            raise Refused("parts must hold at least one source; found none.")
        if not 0 <= seed < 2**64:
            raise Refused(f"seed must be from 0 to 2**64-1; found {seed}.")
        if bad := [weight for _, weight in parts if not 0 < weight < float("inf")]:
            raise Refused(f"weights of parts must be positive numbers; found {bad[0]}. Leave out what is not wanted.")
        kinds = [(part.scale, part.patch, part.sharpen) for part, _ in parts]
        if len(set(kinds)) > 1:
            raise Refused(f"parts must share scale, patch and sharpen; found {', '.join(map(str, kinds))}.")
        self.scale, self.patch, self.sharpen = kinds[0]
        self.seed = seed
        total = sum(weight for _, weight in parts)
        self.parts: tuple[tuple[Indexed, float], ...] = tuple(
            (leaf, weight / total * share)
            for part, weight in parts
            for leaf, share in (part.parts if isinstance(part, MixedSampler) else [(part, 1.0)])
        )
        self._ends = list(accumulate(weight for _, weight in self.parts))

    def chosen(self, index: int) -> int:
        """Number of the source that a sample comes from.

        Args:
            index: 0 to 2**64 - 1.
        """
        # The sources use the same keys; with a counter that they never reach this stream is none of theirs.
        stream = np.random.Philox(key=np.array([self.seed, index], dtype=np.uint64), counter=1 << 192)
        at = float(np.random.Generator(stream).random()) * self._ends[-1]
        return min(bisect.bisect_right(self._ends, at), len(self.parts) - 1)

    def sample(self, index: int) -> Sample:
        """The sample of a given index.

        Raises:
            Failed: a source has more damaged images than it allows.
        """
        return self.parts[self.chosen(index)][0].sample(index)

    def batch(self, window: int, iteration: int, batch_size: int, first: int = 0, count: int | None = None) -> Batch:
        """The samples of one iteration, or a rank's share; see :func:`~lossagent.data.batches.sample_indices`.

        Raises:
            Refused: numbers outside their ranges.
            Failed: a source has more damaged images than it allows.
        """
        return collate([self.sample(index) for index in sample_indices(window, iteration, batch_size, first, count)])

    def notices(self) -> tuple[str, ...]:
        """Those of all sources."""
        return tuple(text for part, _ in self.parts for text in part.notices())


NOISE_REPEATS, RAIN_REPEATS, HAZE_REPEATS = 3, 120, 1


def promptir_weights(noise_images: int = 5144, rain_pairs: int = 200, haze_pairs: int = 72135) -> dict[str, float]:
    """How often all-in-one restoration trains on each task [PromptIR, Potlapalli et al., NeurIPS 2023].

    One epoch shows every image of the denoising set three times at each noise level, every rainy image 120 times and
    every hazy image once. With the published sets (5,144 images of BSD400 and WED, 200 of Rain100L, 72,135 of OTS),
    the defaults, the five shares are 10.8 % for each noise level, 16.9 % rain and 50.6 % haze.

    Args:
        noise_images, rain_pairs, haze_pairs: sizes of the data sets; 0 leaves a task out.

    Returns:
        ``"noise 15"``, ``"noise 25"``, ``"noise 50"``, ``"rain"``, ``"haze"`` -> samples in an epoch, to be used as
        weights of a :class:`MixedSampler`.

    Raises:
        Refused: a negative size, or nothing to train on.
    """
    sizes = noise_images, rain_pairs, haze_pairs
    if min(sizes) < 0 or not any(sizes):
        raise Refused(f"noise_images, rain_pairs, haze_pairs must be 0 or more and not all 0; found {sizes}.")
    weights = {f"noise {sigma}": float(NOISE_REPEATS * noise_images) for sigma in (15, 25, 50)}
    weights |= {"rain": float(RAIN_REPEATS * rain_pairs), "haze": float(HAZE_REPEATS * haze_pairs)}
    return {task: weight for task, weight in weights.items() if weight > 0}
