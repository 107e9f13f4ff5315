"""Synthetic haze by the atmospheric scattering model, for where no published haze data are at hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from lossagent.data.degradations.base import Degradation
from lossagent.data.degradations.depth import Scene, read_depth
from lossagent.data.degradations.extent import Range, check_range, cropped, drawn
from lossagent.data.images import list_images
from lossagent.errors import Refused


def scattered(
    image: UInt8[ndarray, "height width channels"], depth: Float32[ndarray, "height width"], beta: float, light: float
) -> UInt8[ndarray, "height width channels"]:
    """I = J t + A (1 - t) with t = exp(-beta d) [Koschmieder 1924; Narasimhan & Nayar, IJCV 2002], rounded.

    Args:
        image: the clear scene J.
        depth: d, in units of the farthest distance.
        beta: scattering coefficient, one over that unit.
        light: A, the colour of the air, gray, in units of white.
    """
    clear = np.exp(-beta * depth, dtype=np.float32)[..., None]
    return (image * clear + np.float32(255 * light) * (1 - clear) + np.float32(0.5)).astype(np.uint8)


@dataclass(frozen=True)
class SyntheticHaze:
    """Haze over a photograph, with the parameters of RESIDE [Li et al., IEEE TIP 28(1), 2019] drawn for each image.

    Depth comes from maps where a folder of them is given. Else it is made up, see
    :class:`~lossagent.data.degradations.depth.Scene`: no photograph's true depth. Either way this is not SOTS or OTS,
    and its name says so.

    Attributes:
        depth: folder of depth maps, one for each image under the same file name (suffixes may differ), of the same
            size, gray, white farthest. With it the degradation must be told which image it gets: image sets and
            samplers do so through :meth:`named`.
        beta: scattering coefficient.
        light: brightness of the air, in units of white.

    Raises:
        Refused: a range that is upside down or beyond what makes sense, no such folder.
    """

    depth: Path | None = None
    beta: Range = (0.6, 1.8)
    light: Range = (0.7, 1.0)

    def __post_init__(self) -> None:
        check_range("beta", self.beta, 0.0, 10.0)
        check_range("light", self.light, 0.0, 1.0)
        if self.depth is not None:
            assert self._maps is not None

    @cached_property
    def _maps(self) -> dict[str, Path] | None:
        return {i.path.stem: i.path for i in list_images(self.depth)} if self.depth is not None else None

    @property
    def scale(self) -> int:
        """1."""
        return 1

    @property
    def name(self) -> str:
        """For file names and tables."""
        return "synthetic-haze"

    @property
    def label(self) -> str:
        """For readers."""
        return "synthetic haze"

    def named(self, name: str) -> Degradation:
        """The haze of one image.

        Raises:
            Refused: there is no depth map of this name.
        """
        if self._maps is None:
            return self
        if name not in self._maps:
            raise Refused(
                f"{self.depth}: holds no depth map for image {name!r}; found {len(self._maps)} maps, first "
                f"{', '.join(list(self._maps)[:3])}. Add it, or leave depth out for a made-up depth."
            )
        return MappedHaze(self._maps[name], self.beta, self.light)

    def __call__(
        self, image: UInt8[ndarray, "height width channels"], rng: np.random.Generator
    ) -> UInt8[ndarray, "height width channels"]:
        """The image in haze."""
        return self._degraded(image, 0, 0, image.shape[0], image.shape[1], rng)

    def patch(
        self,
        image: UInt8[ndarray, "height width channels"],
        top: int,
        left: int,
        size: int,
        rng: np.random.Generator,
    ) -> UInt8[ndarray, "{size} {size} channels"]:
        """A crop of the whole in haze, from the pixels around it.

        Raises:
            Refused: a crop that is not inside the image.
        """
        cropped(image, top, left, size)
        return self._degraded(image, top, left, size, size, rng)

    def _degraded(
        self,
        image: UInt8[ndarray, "height width channels"],
        top: int,
        left: int,
        rows: int,
        columns: int,
        rng: np.random.Generator,
    ) -> UInt8[ndarray, "{rows} {columns} channels"]:
        if self._maps is not None:
            raise Refused(f"{self.depth}: haze from depth maps must know its image; use named(NAME).")
        beta, light = drawn(self.beta, rng), drawn(self.light, rng)
        depth = Scene.drawn(rng).crop(image, top, left, rows, columns)
        return scattered(image[top : top + rows, left : left + columns], depth, beta, light)


@dataclass(frozen=True)
class MappedHaze:
    """Haze over the photograph that a depth map belongs to; see :class:`SyntheticHaze`.

    Attributes:
        depth: the map's file.
        beta, light: ranges.
    """

    depth: Path
    beta: Range
    light: Range

    @property
    def scale(self) -> int:
        """1."""
        return 1

    def __call__(
        self, image: UInt8[ndarray, "height width channels"], rng: np.random.Generator
    ) -> UInt8[ndarray, "height width channels"]:
        """The image in haze.

        Raises:
            Refused: the map has another size than the image.
        """
        beta, light = drawn(self.beta, rng), drawn(self.light, rng)
        return scattered(image, self._map(image), beta, light)

    def patch(
        self,
        image: UInt8[ndarray, "height width channels"],
        top: int,
        left: int,
        size: int,
        rng: np.random.Generator,
    ) -> UInt8[ndarray, "{size} {size} channels"]:
        """A crop of the whole in haze.

        Raises:
            Refused: a crop that is not inside the image, or a map of another size.
        """
        clear, depth = cropped(image, top, left, size), self._map(image)
        beta, light = drawn(self.beta, rng), drawn(self.light, rng)
        return scattered(clear, depth[top : top + size, left : left + size], beta, light)

    def _map(self, image: UInt8[ndarray, "height width channels"]) -> Float32[ndarray, "height width"]:
        depth = read_depth(self.depth)
        if depth.shape != image.shape[:2]:
            raise Refused(
                f"{self.depth}: {depth.shape[0]} x {depth.shape[1]}, its image is {image.shape[0]} x "
                f"{image.shape[1]} (height x width). A depth map must have its image's size."
            )
        return depth
