"""Folders of photographs, and folders of low/high pairs in the layouts the field uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lossagent.data.images import NamedImage, list_images, size
from lossagent.errors import Refused


@dataclass(frozen=True)
class Photographs:
    """Clean photographs, with ready-made low-quality twins where there are any.

    Attributes:
        name: what the collection is called.
        images: the clean photographs, natural order.
        lq: their low-quality twins in the same order, or ``None``.
        scale: how many times smaller the twins are; ``None`` without twins.
    """

    name: str
    images: tuple[NamedImage, ...]
    lq: tuple[NamedImage, ...] | None = None
    scale: int | None = None


def folder(path: Path, name: str | None = None) -> Photographs:
    """All images directly in a folder.

    Raises:
        Refused: no such folder or no image in it.
    """
    return Photographs(name or path.name, list_images(path))


def pairs(hq: Path, lq: Path, scale: int, name: str | None = None) -> Photographs:
    """Two folders matched by file name; the low-quality name may end in ``x<scale>`` as in ``babyx4.png``.

    The clean image may exceed ``scale`` times the low-quality one by less than ``scale`` pixels, which is cut off at
    bottom and right.

    Raises:
        Refused: an image without a twin on either side, two candidates, or sizes that do not agree.
    """
    clean, low = list_images(hq), list_images(lq)
    by_name = {image.name: image for image in low}
    twins: list[NamedImage] = []
    for image in clean:
        found = [by_name[n] for n in (image.name, f"{image.name}x{scale}") if n in by_name]
        if len(found) != 1:
            raise Refused(
                f"{image.path}: wanted one low-quality twin in {lq} named {image.name!r} or "
                f"{image.name + f'x{scale}'!r}; found {len(found)}."
            )
        check_pair(image, found[0], scale)
        twins.append(found[0])
    if extra := sorted({image.name for image in low} - {twin.name for twin in twins}):
        raise Refused(f"{lq}: no clean image in {hq} for {', '.join(extra[:5])}. Remove them or add their twins.")
    return Photographs(name or hq.parent.name, clean, tuple(twins), scale)


def check_pair(hq: NamedImage, lq: NamedImage, scale: int) -> None:
    """Compares the sizes of a pair.

    Raises:
        Refused: clean size // scale is not the low-quality size.
    """
    high, low = size(hq.path), size(lq.path)
    if (high[0] // scale, high[1] // scale) != low:
        raise Refused(
            f"{hq.path} is {high[0]} x {high[1]}, {lq.path} is {low[0]} x {low[1]} (height x width), but at scale "
            f"{scale} it must be {high[0] // scale} x {high[1] // scale}."
        )


def dataset(path: Path, scale: int, name: str | None = None) -> Photographs:
    """A benchmark folder in a layout that is recognised, else a plain folder of clean images.

    - BasicSR: ``GTmod12`` with ``LRbicx<scale>``;
    - SwinIR: ``HR`` with ``LR_bicubic/X<scale>`` or ``LR_bicubic_X<scale>``, files ``<name>x<scale>.png``;
    - ``HR`` or ``GTmod12`` alone, or images directly in the folder: clean images only.

    Raises:
        Refused: no images, or pairs that do not agree.
    """
    name = name or path.name
    for clean in ("GTmod12", "HR"):
        if not (path / clean).is_dir():
            continue
        for low in (f"LRbicx{scale}", f"LR_bicubic/X{scale}", f"LR_bicubic_X{scale}"):
            if (path / low).is_dir():
                return pairs(path / clean, path / low, scale, name)
        return folder(path / clean, name)
    return folder(path, name)
