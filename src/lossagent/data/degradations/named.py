"""Degradations that depend on which image they get, beyond its pixels."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from lossagent.data.degradations.base import Degradation
from lossagent.data.images import NamedImage


@runtime_checkable
class Named(Protocol):
    """A degradation that looks something up for each image, e.g. its depth map."""

    def named(self, name: str) -> Degradation:
        """The degradation of one image.

        Args:
            name: the image file's name without its suffix.

        Raises:
            Refused: nothing is known of this image.
        """
        ...


def for_image(degradation: Degradation, image: NamedImage) -> Degradation:
    """The degradation as it applies to one image; most are the same for all.

    Raises:
        Refused: the degradation knows nothing of this image.
    """
    return degradation.named(image.path.stem) if isinstance(degradation, Named) else degradation
