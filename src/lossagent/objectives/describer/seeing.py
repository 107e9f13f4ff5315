"""What was measured: of one image, and of a restored image against what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lossagent.objectives.describer.tint import Tint

Base = Literal["reference", "input"]


@dataclass(frozen=True)
class Look:
    """Measures of one image, of its 8-bit luma. ``None`` where the image is too poor in what would be measured.

    Attributes:
        gradient: along strong edges, in grey levels a pixel, >= 0; smaller is softer.
        width: 10-90 % width of clean edges in pixels, about 0.8 (a perfect step) to 8; larger is softer.
        halo: overshoot beside clean edges as a share of their height, >= 0.
        noise: standard deviation on flat parts in grey levels, >= 0; 0.3 is what rounding to 8 bit leaves.
        blocking: grey levels by which steps on an 8-px grid stand out, >= 0.
        lattice: amplitude ratio of :func:`lossagent.metrics.lattice.lattice_peak`, >= 1.
        fine: squared grey levels of detail finer than 5 px, without noise, >= 0.
    """

    gradient: float | None
    width: float | None
    halo: float | None
    noise: float | None
    blocking: float | None
    lattice: float | None
    fine: float | None


@dataclass(frozen=True)
class Seen:
    """A restored image against its reference or, where there is none, against its input.

    Attributes:
        base: what it is compared with. An input is enlarged (bicubic) for edges, and measured as it is for noise and
            blocking; its texture is compared in its own size, with the restored image reduced to that.
        enlarged: whether the input had to be enlarged, so that the restored image's finest detail has no counterpart.
        image, compared: the measures of both, edges at the same places.
        fine, medium: share of the energy of fine (< 5 px) and medium (5 to 10 px) texture that is kept, >= 0, noise
            taken off; 1 = all of it, more = stronger than it was.
        agreement: correlation of the fine texture, -1..1; with a reference only.
        tint: mean colour difference in CIE L*a*b*.
        difference: root mean square of the luma difference in the 8x8 px area where it is largest, in grey levels.
        colour_difference: Delta E*ab of the 16x16 px area where it is largest.
    """

    base: Base
    enlarged: bool
    image: Look
    compared: Look
    fine: float | None
    medium: float | None
    agreement: float | None
    tint: Tint
    difference: float
    colour_difference: float
