"""Image sets that are scored: whole images, with or without references."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from lossagent.data.degradations.base import Degradation
from lossagent.data.images import NamedImage
from lossagent.data.sources import Photographs, check_pair
from lossagent.errors import Refused, UnknownName


@dataclass(frozen=True, eq=False)
class Item:
    """One image of a set.

    Attributes:
        name: unique within the set.
        lq: what the restorer gets, RGB.
        hq: the reference of exactly ``scale`` times the sides; ``None`` for real-world images.
    """

    name: str
    lq: UInt8[ndarray, "height width 3"]
    hq: UInt8[ndarray, "rows columns 3"] | None


@dataclass(frozen=True)
class ImageSet:
    """Images to restore and score, each read when it is asked for.

    Attributes:
        name: what the set is called.
        scale: how many times larger the restored image is.
        images: clean photographs, or the inputs themselves where ``reference`` is false.
        reference: whether ``images`` are references.
        lq: ready-made inputs in the order of ``images``.
        degradation: makes the inputs where they are not ready-made. Its random numbers come from the image's name, so
            an input does not depend on the set it stands in.

    Raises:
        Refused: an empty set, names that repeat, inputs from nowhere or from two places, or another scale.
    """

    name: str
    scale: int
    images: tuple[NamedImage, ...]
    reference: bool = True
    lq: tuple[NamedImage, ...] | None = None
    degradation: Degradation | None = None

    def __post_init__(self) -> None:
        if not self.images:
            raise Refused(f"set {self.name!r} must hold at least one image; found none.")
        names = self.names
        if repeated := sorted({n for n in names if names.count(n) > 1}):
            raise Refused(f"set {self.name!r}: names must be unique; found twice: {', '.join(repeated[:5])}.")
        inputs = (self.lq is not None) + (self.degradation is not None)
        if inputs != int(self.reference):
            raise Refused(
                f"set {self.name!r}: give ready-made inputs (lq) or a degradation with references, neither without "
                f"references; found {inputs} with reference={self.reference}."
            )
        if self.degradation is not None and self.degradation.scale != self.scale:
            raise Refused(
                f"set {self.name!r}: scale is {self.scale}, but the degradation's is {self.degradation.scale}."
            )
        if self.lq is not None:
            if len(self.lq) != len(self.images):
                raise Refused(f"set {self.name!r}: {len(self.images)} references, {len(self.lq)} inputs.")
            for image, low in zip(self.images, self.lq, strict=True):
                check_pair(image, low, self.scale)

    @classmethod
    def of(cls, photographs: Photographs, scale: int, degradation: Degradation) -> ImageSet:
        """A set with references: ready-made inputs where the photographs have them, degraded ones otherwise.

        Raises:
            Refused: ready-made inputs of another scale.
        """
        if photographs.lq is None:
            return cls(photographs.name, scale, photographs.images, degradation=degradation)
        if photographs.scale != scale:
            raise Refused(f"{photographs.name}: inputs are of scale {photographs.scale}; wanted {scale}.")
        return cls(photographs.name, scale, photographs.images, lq=photographs.lq)

    @classmethod
    def real(cls, name: str, scale: int, images: Sequence[NamedImage]) -> ImageSet:
        """A set without references: the images are the restorer's input."""
        return cls(name, scale, tuple(images), reference=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images, in order."""
        return tuple(image.name for image in self.images)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Item]:
        return (self.item(number) for number in range(len(self)))

    def item(self, number: int) -> Item:
        """Reads, and degrades where needed, one image.

        Raises:
            Refused: a file that cannot be read.
        """
        image = self.images[number]
        pixels = image.pixels()
        if not self.reference:
            return Item(image.name, pixels, None)
        if self.degradation is not None:
            low = self.degradation(pixels, name_rng(image.name))
        else:
            assert self.lq is not None
            low = self.lq[number].pixels()
        rows, columns = low.shape[0] * self.scale, low.shape[1] * self.scale
        return Item(image.name, low, pixels[:rows, :columns])

    def take(self, names: Sequence[str]) -> ImageSet:
        """The images of these names, in this order.

        Raises:
            UnknownName: a name that is not in the set.
        """
        own = self.names
        for name in names:
            if name not in own:
                raise UnknownName(f"image of set {self.name!r}", name, own)
        chosen = [own.index(name) for name in names]
        lq = None if self.lq is None else tuple(self.lq[i] for i in chosen)
        return replace(self, images=tuple(self.images[i] for i in chosen), lq=lq)


def name_rng(name: str) -> np.random.Generator:
    """Random numbers that are a function of a name."""
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], dtype=np.uint64)))
