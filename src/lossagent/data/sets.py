"""Image sets that are scored: whole images, with or without references, each perhaps under a condition."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from lossagent.data.degradations.base import Degradation
from lossagent.data.degradations.named import for_image
from lossagent.data.images import NamedImage, size
from lossagent.data.sources import Photographs, check_pair
from lossagent.errors import Refused, UnknownName


@dataclass(frozen=True, eq=False)
class Item:
    """One image of a set.

    Attributes:
        name: unique within the set.
        lq: what the restorer gets, RGB.
        hq: the reference of exactly ``scale`` times the sides; ``None`` for real-world images.
        condition: what was done to it, e.g. ``"noise 25"``; ``None`` where the set knows of one kind only.
    """

    name: str
    lq: UInt8[ndarray, "height width 3"]
    hq: UInt8[ndarray, "rows columns 3"] | None
    condition: str | None = None


@dataclass(frozen=True)
class Entry:
    """Where one image of a set comes from.

    Attributes:
        name: unique within the set.
        image: the clean photograph, or the input itself where ``reference`` is false.
        low: the ready-made input.
        degradation: makes the input where it is not ready-made. Its random numbers come from the file's name, so an
            input depends neither on the set it stands in nor on its place there.
        reference: whether ``image`` is a reference.
        condition: scores are averaged within conditions first.
        crop: input and reference are cropped about their centre so that the input's sides are multiples of this.

    Raises:
        Refused: an input from nowhere or from two places, a crop below 1, a condition that cannot be part of a name.
    """

    name: str
    image: NamedImage
    low: NamedImage | None = None
    degradation: Degradation | None = None
    reference: bool = True
    condition: str | None = None
    crop: int = 1

    def __post_init__(self) -> None:
        inputs = (self.low is not None) + (self.degradation is not None)
        if inputs != int(self.reference):
            raise Refused(
                f"image {self.name!r}: give a ready-made input (low) or a degradation with a reference, neither "
                f"without one; found {inputs} with reference={self.reference}."
            )
        if self.crop < 1:
            raise Refused(f"image {self.name!r}: crop must be at least 1; found {self.crop}.")
        if self.condition is not None and (not self.condition.strip() or set(self.condition) & set("/\\\0")):
            raise Refused(f"a condition must be a word or two without slashes; found {self.condition!r}.")

    def check(self, scale: int) -> None:
        """Compares scales and sizes; headers only.

        Raises:
            Refused: a degradation of another scale or without this image, a pair that does not fit, an image smaller
                than the crop.
        """
        if self.degradation is not None:
            if self.degradation.scale != scale:
                raise Refused(
                    f"{self.image.path}: scale is {scale}, but the degradation's is {self.degradation.scale}."
                )
            for_image(self.degradation, self.image)
        if self.low is not None:
            check_pair(self.image, self.low, scale)
        if self.crop > 1:
            least = self.crop * (scale if self.reference else 1)
            if min(found := size(self.image.path)) < least:
                raise Refused(
                    f"{self.image.path}: {found[0]} x {found[1]} pixels, but a crop to multiples of {self.crop} at "
                    f"scale {scale} needs {least} x {least}. Leave the image out or crop to less."
                )

    def item(self, scale: int) -> Item:
        """Reads, degrades and crops.

        Raises:
            Refused: a file that cannot be read.
        """
        pixels = self.image.pixels()
        if not self.reference:
            return Item(self.name, _centre(pixels, self.crop, 1), None, self.condition)
        if self.degradation is not None:
            low = for_image(self.degradation, self.image)(pixels, name_rng(self.image.path.stem))
        else:
            assert self.low is not None
            low = self.low.pixels()
        high = pixels[: low.shape[0] * scale, : low.shape[1] * scale]
        return Item(self.name, _centre(low, self.crop, 1), _centre(high, self.crop, scale), self.condition)


@dataclass(frozen=True)
class ImageSet:
    """Images to restore and score, each read when it is asked for.

    Attributes:
        name: what the set is called.
        scale: how many times larger the restored image is.
        entries: the images.

    Raises:
        Refused: an empty set, names that repeat, references for some images only, or what :meth:`Entry.check` refuses.
    """

    name: str
    scale: int
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        if not self.entries:
            raise Refused(f"set {self.name!r} must hold at least one image; found none.")
        if repeated := sorted(name for name, times in Counter(self.names).items() if times > 1):
            raise Refused(
                f"set {self.name!r}: names must be unique; found twice: {', '.join(repeated[:5])}. "
                "Take an image once, or give parts that share images conditions of their own."
            )
        if len({entry.reference for entry in self.entries}) > 1:
            bare = [entry.name for entry in self.entries if not entry.reference]
            raise Refused(
                f"set {self.name!r}: all images must have references or none; {len(bare)} of {len(self)} have none, "
                f"first {', '.join(bare[:3])}. Make two sets of them."
            )
        for entry in self.entries:
            entry.check(self.scale)

    @classmethod
    def of(
        cls,
        photographs: Photographs,
        scale: int,
        degradation: Degradation | None,
        condition: str | None = None,
        crop: int = 1,
    ) -> ImageSet:
        """A set with references: ready-made inputs where the photographs have them, degraded ones otherwise.

        Args:
            photographs: clean photographs.
            scale: how many times larger the restored image is.
            degradation: not used, and may be ``None``, where inputs are ready-made.
            condition: of all its images.
            crop: inputs are cropped about the centre to multiples of this, references with them; PromptIR's
                evaluation wants 16.

        Raises:
            Refused: ready-made inputs of another scale.
        """
        if photographs.lq is None:
            entries = [Entry(i.name, i, None, degradation, True, condition, crop) for i in photographs.images]
            return cls(photographs.name, scale, tuple(entries))
        if photographs.scale != scale:
            raise Refused(f"{photographs.name}: inputs are of scale {photographs.scale}; wanted {scale}.")
        pairs = zip(photographs.images, photographs.lq, strict=True)
        return cls(photographs.name, scale, tuple(Entry(i.name, i, x, None, True, condition, crop) for i, x in pairs))

    @classmethod
    def real(
        cls, name: str, scale: int, images: Sequence[NamedImage], condition: str | None = None, crop: int = 1
    ) -> ImageSet:
        """A set without references: the images are the restorer's input."""
        return cls(
            name, scale, tuple(Entry(i.name, i, reference=False, condition=condition, crop=crop) for i in images)
        )

    @classmethod
    def join(cls, name: str, sets: Sequence[ImageSet]) -> ImageSet:
        """Several sets as one, in order. Where a name repeats, each of its images gets ``CONDITION-`` in front.

        Raises:
            Refused: no sets, sets of different scales, or names that repeat within a condition.
        """
        if len(scales := {part.scale for part in sets}) != 1:
            raise Refused(f"set {name!r}: wanted sets of one scale to join; found {sorted(scales) or 'no sets'}.")
        entries = [entry for part in sets for entry in part.entries]
        times = Counter(entry.name for entry in entries)
        renamed = [
            replace(e, name=f"{e.condition}-{e.name}") if times[e.name] > 1 and e.condition is not None else e
            for e in entries
        ]
        return cls(name, scales.pop(), tuple(renamed))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images, in order."""
        return tuple(entry.name for entry in self.entries)

    @property
    def images(self) -> tuple[NamedImage, ...]:
        """Files of the references, or of the inputs where there are none, under the names of this set, in order."""
        return tuple(NamedImage(entry.name, entry.image.path) for entry in self.entries)

    @property
    def reference(self) -> bool:
        """Whether the images have references; all of them do or none does."""
        return self.entries[0].reference

    @property
    def conditions(self) -> dict[str, str]:
        """Name of an image -> its condition, of those that have one."""
        return {entry.name: entry.condition for entry in self.entries if entry.condition is not None}

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Item]:
        return (self.item(number) for number in range(len(self)))

    def item(self, number: int) -> Item:
        """Reads, and degrades where needed, one image.

        Raises:
            Refused: a file that cannot be read.
        """
        return self.entries[number].item(self.scale)

    def take(self, names: Sequence[str]) -> ImageSet:
        """The images of these names, in this order.

        Raises:
            UnknownName: a name that is not in the set.
        """
        own = {entry.name: entry for entry in self.entries}
        for name in names:
            if name not in own:
                raise UnknownName(f"image of set {self.name!r}", name, own)
        return replace(self, entries=tuple(own[name] for name in names))


def name_rng(name: str) -> np.random.Generator:
    """Random numbers that are a function of a name."""
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], dtype=np.uint64)))


def _centre(image: UInt8[ndarray, "height width 3"], multiple: int, scale: int) -> UInt8[ndarray, "rows columns 3"]:
    """The middle of an image of ``scale`` times an input whose sides become multiples; an odd rest is cut after it."""
    kept: list[slice] = []
    for side in image.shape[:2]:
        rest = side // scale % multiple
        kept.append(slice(rest // 2 * scale, side - (rest - rest // 2) * scale))
    return image[kept[0], kept[1]]
