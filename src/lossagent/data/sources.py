"""Folders of photographs, and folders of low/high pairs in the layouts the field uses."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lossagent.data.images import CorruptImage, NamedImage, list_images, size
from lossagent.data.matching import Match, guessed, matched
from lossagent.errors import Refused


@dataclass(frozen=True)
class Photographs:
    """Clean photographs, with ready-made low-quality twins where there are any.

    Attributes:
        name: what the collection is called.
        images: the clean photographs, natural order. Where several inputs belong to one of them its file stands here
            several times, each time under its input's name.
        lq: their low-quality twins in the same order, or ``None``.
        scale: how many times smaller the twins are; ``None`` without twins.
        notes: sentences on what was decided in pairing.
    """

    name: str
    images: tuple[NamedImage, ...]
    lq: tuple[NamedImage, ...] | None = None
    scale: int | None = None
    notes: tuple[str, ...] = ()


def folder(path: Path, name: str | None = None) -> Photographs:
    """All images directly in a folder.

    Raises:
        Refused: no such folder or no image in it.
    """
    return Photographs(name or path.name, list_images(path))


def pairs(hq: Path, lq: Path, scale: int, name: str | None = None, match: Match | None = None) -> Photographs:
    """Two folders matched by file name.

    The clean image may exceed ``scale`` times the low-quality one by less than ``scale`` pixels, which is cut off at
    bottom and right.

    Args:
        hq, lq: folders of clean and of low-quality images.
        scale: how many times smaller the low-quality images are; 1 for rain, haze and the like.
        name: what the collection is called; by default the folder that ``hq`` is in.
        match: how names pair, see :data:`~lossagent.data.matching.Match`. By default equal names where they fit, else
            the rule of deraining or of dehazing, which is then said in ``notes``.

    Returns:
        Images named by their clean file (``"name"``) or by their input (``"rain"``, ``"haze"``).

    Raises:
        Refused: an image without a twin on either side, two candidates, or sizes that do not agree.
    """
    clean, low = list_images(hq), list_images(lq)
    rule = match or guessed(clean, low, scale)
    found = matched(clean, low, scale, rule)
    _check_sizes(found, scale)
    notes: list[str] = []
    if match is None and rule != "name":
        notes.append(f"{lq} and {hq} are paired by the rule {rule!r}: {found[0][1].name} with {found[0][0].name}.")
    if spare := len({image.path for image in clean} - {image.path for image, _ in found}):
        notes.append(f"{hq}: {spare} of {len(clean)} clean images have no input in {lq} and are left out.")
    images = tuple(image if rule == "name" else NamedImage(twin.name, image.path) for image, twin in found)
    return Photographs(name or hq.parent.name, images, tuple(twin for _, twin in found), scale, tuple(notes))


def check_pair(hq: NamedImage, lq: NamedImage, scale: int) -> None:
    """Compares the sizes of a pair; headers only.

    Raises:
        Refused: clean size // scale is not the low-quality size.
        CorruptImage: no readable header.
    """
    if (text := _difference(hq, lq, scale)) is not None:
        raise Refused(f"{text}.")


def _check_sizes(found: Iterable[tuple[NamedImage, NamedImage]], scale: int) -> None:
    wrong: list[str] = []
    for image, twin in found:
        # Whether a corrupt file is fatal depends on the use: training leaves some out, a test set refuses.
        with suppress(CorruptImage):
            if (text := _difference(image, twin, scale)) is not None:
                wrong.append(text)
    if wrong:
        raise Refused(f"{len(wrong)} pair(s) do not fit: {'; '.join(wrong[:3])}.")


def _difference(hq: NamedImage, lq: NamedImage, scale: int) -> str | None:
    high, low = size(hq.path), size(lq.path)
    if (high[0] // scale, high[1] // scale) == low:
        return None
    return (
        f"{hq.path} is {high[0]} x {high[1]}, {lq.path} is {low[0]} x {low[1]} (height x width), but at scale "
        f"{scale} it must be {high[0] // scale} x {high[1] // scale}"
    )


CLASSICAL = ("GTmod12", "HR")
RESTORATION = (
    ("target", "input"),
    ("GT", "hazy"),
    ("gt", "hazy"),
    ("clear", "hazy"),
    ("gt", "rainy"),
    ("norain", "rain"),
    ("original", "synthetic"),
)
"""Folders of clean and of low-quality images of equal size, as all-in-one restoration's data sets call them."""


def dataset(path: Path, scale: int, name: str | None = None, match: Match | None = None) -> Photographs:
    """A benchmark folder in a layout that is recognised, else a plain folder of clean images.

    - BasicSR: ``GTmod12`` with ``LRbicx<scale>``;
    - SwinIR: ``HR`` with ``LR_bicubic/X<scale>`` or ``LR_bicubic_X<scale>``, files ``<name>x<scale>.png``;
    - ``HR`` or ``GTmod12`` alone, or images directly in the folder (BSD68): clean images only;
    - PromptIR, RESIDE (SOTS, OTS, ITS), Rain100L: the folders of :data:`RESTORATION`.

    Args:
        path: the folder.
        scale: how many times smaller the low-quality images are.
        name: what the collection is called.
        match: see :func:`pairs`.

    Raises:
        Refused: no images, or pairs that do not agree.
    """
    name = name or path.name
    for clean in CLASSICAL:
        if not (path / clean).is_dir():
            continue
        for low in (f"LRbicx{scale}", f"LR_bicubic/X{scale}", f"LR_bicubic_X{scale}"):
            if (path / low).is_dir():
                return pairs(path / clean, path / low, scale, name, match)
        return folder(path / clean, name)
    present = {entry.name for entry in path.iterdir() if entry.is_dir()} if path.is_dir() else set[str]()
    found = [layout for layout in RESTORATION if present.issuperset(layout)]
    if len(found) > 1:
        shown = ", ".join(f"{low} with {clean}" for clean, low in found)
        raise Refused(f"{path}: several layouts fit ({shown}). Give the two folders themselves.")
    if found:
        return pairs(path / found[0][0], path / found[0][1], scale, name, match)
    return folder(path, name)
