"""Where tiles are cut from a training image.

As BasicSR's ``extract_subimages`` does with ``thresh_size = 0``: every ``step`` pixels from the upper left, and one
more flush with the lower or right border where pixels are left over; rows first, numbered from 1, ``NAME_s001``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from jaxtyping import UInt8
from numpy import ndarray

from lossagent.errors import Refused


class Box(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class TileSettings:
    """How images are cut.

    Attributes:
        size, step: side of a tile and the distance to the next one, in pixels of the clean image.
        least: images of which a side is shorter than this are left out: no training patch fits into them. A side
            between ``least`` and ``size`` is taken whole.
        scale: how many times smaller the low-quality twins are; ``None`` where there are none.
        compression: PNG's, 0 to 9; it changes size and time of writing, hardly the time of reading.

    Raises:
        Refused: a value out of range, or a size or step that the scale does not divide.
    """

    size: int = 480
    step: int = 240
    least: int = 256
    scale: int | None = None
    compression: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.step <= self.size:
            raise Refused(f"step must be from 1 to size ({self.size}), or pixels are lost; found {self.step}.")
        if not 1 <= self.least <= self.size:
            raise Refused(f"least must be from 1 to size ({self.size}); found {self.least}.")
        if not 0 <= self.compression <= 9:
            raise Refused(f"compression must be from 0 to 9; found {self.compression}.")
        if self.scale is not None and (self.scale < 1 or self.size % self.scale or self.step % self.scale):
            raise Refused(
                f"size and step must be multiples of the scale, so that twins are cut at whole pixels; found size "
                f"{self.size}, step {self.step}, scale {self.scale}."
            )

    def record(self) -> dict[str, int | None]:
        """The settings as they are written down."""
        return asdict(self)


def boxes(height: int, width: int, settings: TileSettings) -> list[Box]:
    """The tiles of an image, rows first; none where it is smaller than ``settings.least``.

    With a scale, height and width must be multiples of it (cut the clean image to ``scale`` times its twin before).
    """
    if min(height, width) < settings.least:
        return []
    tall, wide = min(settings.size, height), min(settings.size, width)
    return [
        Box(top, left, tall, wide) for top in _starts(height, tall, settings) for left in _starts(width, wide, settings)
    ]


def _starts(length: int, side: int, settings: TileSettings) -> list[int]:
    starts = list(range(0, length - side + 1, settings.step))
    if starts[-1] + side < length:
        starts.append(length - side)
    return starts


def tile_names(stem: str, count: int) -> list[str]:
    """``stem_s001``, ...; BasicSR's names."""
    return [f"{stem}_s{number:03d}" for number in range(1, count + 1)]


def cut(image: UInt8[ndarray, "height width 3"], places: Sequence[Box]) -> list[UInt8[ndarray, "rows columns 3"]]:
    """Views of the parts of an image."""
    return [image[box.top : box.top + box.height, box.left : box.left + box.width] for box in places]
