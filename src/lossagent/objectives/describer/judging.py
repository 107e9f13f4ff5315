"""From which size on a measure is spoken of as a fault."""

from __future__ import annotations

from typing import Literal

from lossagent.objectives.describer.seeing import Look, Seen

Kind = Literal["edges", "texture", "noise", "ringing", "blocking", "grid", "colour", "lightness"]

# Each limit was set on photographs (CID22, Kodak, Set14): above what the measure does where nothing is wrong, below
# what one sees when switching between two images.
EDGES = 0.05
"""Relative change of the gradient at edges. Noise of 5 grey levels moves it by 0.01, a blur of sigma 0.7 by 0.15."""
TEXTURE = 0.10
"""Share of the energy of fine texture lost or added: 5 % of its amplitude. JPEG at quality 80 moves it as much."""
SMOOTH = 0.50
"""With less of the energy than this an image is called over-smoothed."""
NOISE, NOISE_RATIO = 0.5, 1.25
"""Grey levels, and ratio, by which noise must exceed that of what is compared: two rounded images differ by 0.3."""
RINGING = 0.025
"""Share of an edge's height. Bicubic enlargement overshoots by 0.01 to 0.02, clear sharpening by 0.04 and more."""
BLOCKING, BLOCKING_ADDED = 0.7, 0.4
"""Grey levels. Photographs reach 0.57 without JPEG; quality 10 gives 2 to 4.5, quality 40 0.3 to 2."""
GRID, GRID_ALONE, GRID_RATIO = 1.5, 2.0, 1.25
"""Amplitude ratio: untouched photographs score up to 1.4, a few with a real lattice in them up to 2. The second
stands where there is nothing to compare with, the third is the ratio to what is compared."""
COLOUR = 0.5
"""Delta E*ab of a cast over the whole image: a quarter of what is just seen in one patch (2.3), but systematic."""
LIGHTNESS = 0.5
"""L*, for the same reason; about one and a quarter grey levels."""
VISIBLE = 1.0
"""Grey levels (root mean square in an 8x8 area) and Delta E (in a 16x16 area) below which no difference is seen."""


def faults(seen: Seen) -> dict[Kind, float]:
    """What was measured, and how bad it is: 0 = no fault, else the deviation in units of its limit, > 1.

    Edges steeper than in an enlarged input are the purpose of super-resolution and no fault; noise below that of what
    is compared is none either (what it costs shows in the texture).
    """
    image, compared = seen.image, seen.compared
    return {
        **_detail(seen),
        **_noise(image, compared),
        **_ringing(image, compared),
        **_blocking(seen),
        **_grid(image, compared),
        "colour": _over(seen.tint.size, COLOUR),
        "lightness": _over(abs(seen.tint.lightness), LIGHTNESS),
    }


def steeper(image: Look, compared: Look) -> float | None:
    """Relative change of the gradient at edges; below 0 is softer."""
    if image.gradient is None or not compared.gradient:
        return None
    return image.gradient / compared.gradient - 1


def unseen(seen: Seen) -> bool:
    """Whether nobody could tell the two images apart."""
    near = seen.difference < VISIBLE and seen.colour_difference < VISIBLE
    return near and not any(faults(seen).values())


def _over(value: float, limit: float) -> float:
    return value / limit if value > limit else 0.0


def _detail(seen: Seen) -> dict[Kind, float]:
    found: dict[Kind, float] = {}
    change = steeper(seen.image, seen.compared)
    if change is not None:
        found["edges"] = _over(-change if seen.enlarged else abs(change), EDGES)
    if seen.fine is not None:
        found["texture"] = _over(abs(seen.fine - 1), TEXTURE)
    return found


def _noise(image: Look, compared: Look) -> dict[Kind, float]:
    if image.noise is None or compared.noise is None:
        return {}
    excess = image.noise - compared.noise
    return {"noise": _over(excess, NOISE) if image.noise > NOISE_RATIO * compared.noise else 0.0}


def _ringing(image: Look, compared: Look) -> dict[Kind, float]:
    if image.halo is None or compared.halo is None:
        return {}
    return {"ringing": _over(image.halo - compared.halo, RINGING)}


def _blocking(seen: Seen) -> dict[Kind, float]:
    """Against an input also blocks that it had itself are a fault: they were to be removed."""
    if seen.image.blocking is None or seen.compared.blocking is None:
        return {}
    added = seen.image.blocking - seen.compared.blocking >= BLOCKING_ADDED
    return {"blocking": _over(seen.image.blocking, BLOCKING) if added or seen.base == "input" else 0.0}


def _grid(image: Look, compared: Look) -> dict[Kind, float]:
    if image.lattice is None:
        return {}
    if compared.lattice is None:
        return {"grid": _over(image.lattice, GRID_ALONE)}
    return {"grid": _over(image.lattice, GRID) if image.lattice >= GRID_RATIO * compared.lattice else 0.0}
