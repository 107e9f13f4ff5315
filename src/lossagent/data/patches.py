"""Training patches, each a pure function of (seed, index).

No sampler state exists, so nothing has to be saved: the batch of a given iteration is the same after a resume, with
any number of threads, and in every arm of a comparison that shares the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from lossagent.data.batches import Batch, Sample, collate, sample_indices
from lossagent.data.damage import Damage
from lossagent.data.degradations.base import Degradation
from lossagent.data.degradations.named import for_image
from lossagent.data.images import CorruptImage, ImageCache, NamedImage, size
from lossagent.data.sources import check_pair
from lossagent.errors import Refused

SHARPENING_REACH = 25
"""Half of the blur of unsharp masking, pixels. Its mask is blurred too, so that values near a crop's border may be off
by a level from the whole's (two in a thousand are); Real-ESRGAN sharpens crops without any margin."""


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
        sharpen: samples carry the unsharp-masked ground truth as well.
        max_damaged: share of the images that may turn out to be damaged. Such images are left out and told in
            :meth:`notices`; where one is drawn the sample draws again from its own stream.

    Raises:
        Refused: no images, an image too small for the patch, a degradation of another scale or that lacks an image,
            pairs that do not match, or both or neither of ``degradation`` and ``lq``.
        Failed: more images than allowed have no readable header.
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
        sharpen: bool = False,
        max_damaged: float = 0.01,
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
        self.sharpen = sharpen
        self._sharp = _sharpener() if sharpen else None
        self._damage = Damage(len(self.images), max_damaged)
        self._check_images()

    def _check_images(self) -> None:
        if self.lq is not None and len(self.lq) != len(self.images):
            raise Refused(f"lq must give one image for each of {len(self.images)}; found {len(self.lq)}.")
        for number, image in enumerate(self.images):
            if self.degradation is not None:
                for_image(self.degradation, image)
            try:
                self._check_size(number)
            except CorruptImage as error:
                self._damage.add(number, error)

    def _check_size(self, number: int) -> None:
        image, need = self.images[number], self.patch * self.scale
        height, width = size(image.path)
        if min(height, width) < need:
            raise Refused(
                f"{image.path}: {height} x {width} pixels, but patch {self.patch} at scale {self.scale} needs "
                f"{need} x {need}. Take a smaller patch or leave the image out."
            )
        if self.lq is not None:
            check_pair(image, self.lq[number], self.scale)

    def sample(self, index: int) -> Sample:
        """The pair of a given index.

        Args:
            index: 0 to 2**64 - 1.

        Raises:
            Failed: more images than allowed turned out to be damaged.
        """
        # Philox is counter-based: every (seed, index) is a stream of its own [Salmon et al., SC 2011].
        rng = np.random.Generator(np.random.Philox(key=np.array([self.seed, index], dtype=np.uint64)))
        number, whole, low_whole = self._drawn(rng)
        hq, phase = whole, (0, 0)
        if self.jitter:
            spare = [min(self.scale, side - self.patch * self.scale + 1) for side in whole.shape[:2]]
            phase = int(rng.integers(spare[0])), int(rng.integers(spare[1]))
            hq = whole[phase[0] :, phase[1] :]
        room = [side // self.scale - self.patch + 1 for side in hq.shape[:2]]
        top, left = int(rng.integers(room[0])), int(rng.integers(room[1]))
        turn = int(rng.integers(8))
        if self.degradation is not None:
            low = for_image(self.degradation, self.images[number]).patch(hq, top, left, self.patch, rng)
        else:
            assert low_whole is not None
            low = low_whole[top : top + self.patch, left : left + self.patch]
        span, row, column = self.patch * self.scale, top * self.scale, left * self.scale
        high = hq[row : row + span, column : column + span]
        sharp = None
        if self._sharp is not None:
            sharp = turned(_crop_of(self._sharp, whole, row + phase[0], column + phase[1], span), turn)
        return Sample(turned(low, turn), turned(high, turn), self.images[number].name, sharp)

    def _drawn(
        self, rng: np.random.Generator
    ) -> tuple[int, UInt8[ndarray, "height width 3"], UInt8[ndarray, "rows columns 3"] | None]:
        """A whole image at random: its number, its pixels and its ready-made input."""
        while True:
            number = int(rng.integers(len(self.images)))
            if number in self._damage:
                continue
            try:
                low = self.cache.pixels(self.lq[number]) if self.lq is not None else None
                return number, self.cache.pixels(self.images[number]), low
            except CorruptImage as error:
                self._damage.add(number, error)

    def batch(self, window: int, iteration: int, batch_size: int, first: int = 0, count: int | None = None) -> Batch:
        """The pairs of one iteration, or a rank's share of them; see :func:`sample_indices` for the arguments.

        Raises:
            Refused: numbers outside their ranges.
            Failed: more images than allowed turned out to be damaged.
        """
        return collate([self.sample(index) for index in sample_indices(window, iteration, batch_size, first, count)])

    def notices(self) -> tuple[str, ...]:
        """Sentences for the reader since the last call: images that were left out."""
        return self._damage.notices()


def turned(image: UInt8[ndarray, "height width channels"], turn: int) -> UInt8[ndarray, "rows columns channels"]:
    """One of the 8 symmetries of the square: ``turn % 4`` quarter turns, mirrored first from 4 on."""
    return np.rot90(image[:, ::-1] if turn >= 4 else image, turn % 4)


Sharpen = Callable[[UInt8[ndarray, "height width 3"]], UInt8[ndarray, "height width 3"]]


def _sharpener() -> Sharpen:
    from lossagent.data.degradations.sharpening import usm_sharpen

    return usm_sharpen


def _crop_of(
    sharpen: Sharpen, image: UInt8[ndarray, "height width 3"], row: int, column: int, span: int
) -> UInt8[ndarray, "{span} {span} 3"]:
    """``sharpen(image)[row:row + span, column:column + span]`` from the pixels around it."""
    top, left = max(row - SHARPENING_REACH, 0), max(column - SHARPENING_REACH, 0)
    around = image[top : row + span + SHARPENING_REACH, left : column + span + SHARPENING_REACH]
    # A copy: cached photographs are read-only, and torch warns of those.
    return sharpen(around.copy())[row - top : row - top + span, column - left : column - left + span]
