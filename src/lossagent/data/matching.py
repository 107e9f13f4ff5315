"""Which low-quality image belongs to which clean one, told from their names as data sets publish them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from lossagent.data.images import NamedImage
from lossagent.errors import Refused

Match = Literal["name", "rain", "haze"]
"""How names pair.

- ``"name"``: equal names, the low-quality one may end in ``x<scale>``; one to one.
- ``"rain"``: ``rain-N`` belongs to ``norain-N``, ``norain-Nx2`` (Rain100L as first published) too; one to one.
- ``"haze"``: the clean image is called like the part before the first ``_`` (RESIDE: ``0001_0.8_0.2`` to ``0001``);
  many hazy images share a clean one, and clean images that no hazy one asks for are left out.
"""

RAINY = re.compile(r"rain-?(\d+)|norain-?(\d+)x2")
CLEAN = re.compile(r"norain-?(\d+)")
WANTED: dict[Match, str] = {
    "name": "equal names, or NAMEx{scale} for NAME",
    "rain": "rain-N for norain-N",
    "haze": "NAME_... for NAME",
}


def matched(
    clean: Sequence[NamedImage], low: Sequence[NamedImage], scale: int, match: Match
) -> list[tuple[NamedImage, NamedImage]]:
    """Pairs (clean, low-quality).

    One to one they come in the order of the clean images, by haze in the order of the hazy ones.

    Raises:
        Refused: images without a twin, or several for one; names what was wanted, what was found and the first three.
    """
    if match == "haze":
        twins = _groups(clean, lambda image: image.name)
        found = [twins.get(image.name.split("_")[0], []) for image in low]
        _refuse(low, found, scale, match, "one clean image")
        return [(one, image) for image, (one,) in zip(low, found, strict=True)]
    if match == "rain":
        twins = _groups(low, lambda image: _number(RAINY, image.name))
        found = [twins.get(_number(CLEAN, image.name) or "", []) for image in clean]
    else:
        twins = _groups(low, lambda image: image.name)
        found = [twins.get(image.name, []) + twins.get(f"{image.name}x{scale}", []) for image in clean]
    _refuse(clean, found, scale, match, "one low-quality twin")
    pairs = [(image, one) for image, (one,) in zip(clean, found, strict=True)]
    owners = _groups([twin for _, twin in pairs], lambda image: image.path.name)
    _refuse(low, [owners.get(image.path.name, []) for image in low], scale, match, "one clean twin")
    return pairs


def guessed(clean: Sequence[NamedImage], low: Sequence[NamedImage], scale: int) -> Match:
    """The rule under which names pair; ``"name"`` where it fits, and where none does, so that its error is told.

    Haze is a guess only where every name has a ``_`` and none is a clean image's: its rule forgives images without
    twins, and would hide what is missing elsewhere.
    """
    names = {image.name for image in clean}
    hazy = all("_" in image.name and image.name not in names for image in low)
    rules: tuple[Match, ...] = ("name", "rain", "haze") if hazy else ("name", "rain")
    for rule in rules:
        try:
            matched(clean, low, scale, rule)
        except Refused:
            continue
        return rule
    return "name"


def _groups(images: Sequence[NamedImage], key: Callable[[NamedImage], str | None]) -> dict[str, list[NamedImage]]:
    groups: dict[str, list[NamedImage]] = {}
    for image in images:
        if (name := key(image)) is not None:
            groups.setdefault(name, []).append(image)
    return groups


def _number(pattern: re.Pattern[str], name: str) -> str | None:
    found = pattern.fullmatch(name)
    return next(digits for digits in found.groups() if digits) if found else None


def _refuse(
    images: Sequence[NamedImage], found: Sequence[Sequence[NamedImage]], scale: int, match: Match, wanted: str
) -> None:
    wrong = [(image, twins) for image, twins in zip(images, found, strict=True) if len(twins) != 1]
    if not wrong:
        return
    shown = ", ".join(f"{image.path.name} ({len(twins)} found)" for image, twins in wrong[:3])
    raise Refused(
        f"{images[0].path.parent}: each image must have {wanted}, by {match!r} ({WANTED[match].format(scale=scale)}); "
        f"{len(wrong)} of {len(images)} have none or several, first {shown}. Remove them, add their twins, or state "
        "another match (name, rain, haze)."
    )
