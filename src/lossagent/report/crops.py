"""Before/after crops: the places where the versions of an image differ most, enlarged pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from lossagent.report.pictures import Pixels, Shown, Version, data_uri, jpeg, png

IMAGES, WINDOWS, SIDE, ZOOM = 3, 2, 72, 4
Window = tuple[int, int, int]


@dataclass(frozen=True)
class Tile:
    """A version of a crop, enlarged by whole pixels."""

    label: str
    colour: str
    uri: str


@dataclass(frozen=True)
class Crop:
    """The same place in every version, and where it lies: percentages of the image's width and height."""

    number: int
    left: float
    top: float
    width: float
    height: float
    tiles: tuple[Tile, ...]
    place: str


@dataclass(frozen=True)
class CropSheet:
    """An image with its crops."""

    name: str
    origin: str
    thumbnail: str
    zoom: int
    crops: tuple[Crop, ...]


def chosen(images: Sequence[Shown]) -> tuple[Shown, ...]:
    """The images whose versions differ most; the ground truth has no say in the choice."""
    ranked = sorted(images, key=lambda shown: (-_peak(shown), shown.name))
    return tuple(ranked[:IMAGES])


def _peak(shown: Shown) -> float:
    window = windows(shown, 1)[0]
    return float(_cut(_difference(shown), window).mean())


def _difference(shown: Shown) -> npt.NDArray[np.float64]:
    """Mean absolute difference of the reported version to the other versions, luma, in grey levels."""
    luma = np.asarray([0.299, 0.587, 0.114])
    ours = shown.role("reported")
    assert ours is not None
    ground = ours.pixels @ luma
    others = [v.pixels @ luma for v in shown.versions if v.role not in ("reported", "truth")]
    return np.mean([np.abs(ground - other) for other in others], axis=0)


def windows(shown: Shown, count: int, side: int = SIDE) -> tuple[Window, ...]:
    """(top, left, side) of the windows that differ most, not overlapping, largest difference first."""
    difference = _difference(shown)
    height, width = difference.shape
    side = min(side, height, width)
    sums = np.pad(difference, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    boxes = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    found: list[Window] = []
    for _ in range(count):
        if found and not np.isfinite(boxes).any():
            break
        top, left = (int(i) for i in np.unravel_index(int(np.argmax(boxes)), boxes.shape))
        if not np.isfinite(boxes[top, left]):
            break
        found.append((top, left, side))
        boxes[max(0, top - side + 1) : top + side, max(0, left - side + 1) : left + side] = -np.inf
    return tuple(found)


def _cut(array: np.ndarray, window: Window) -> np.ndarray:
    top, left, side = window
    return array[top : top + side, left : left + side]


def enlarged(version: Version, window: Window, zoom: int = ZOOM) -> Pixels:
    """A crop enlarged by a whole factor: each pixel becomes a square of the same value."""
    return _cut(version.pixels, window).repeat(zoom, axis=0).repeat(zoom, axis=1)


def crop_sheet(shown: Shown) -> CropSheet:
    """The crops of an image for the page."""
    height, width = shown.versions[0].pixels.shape[:2]
    crops: list[Crop] = []
    for number, window in enumerate(windows(shown, WINDOWS), start=1):
        top, left, side = window
        tiles = tuple(Tile(v.label, v.colour, data_uri(png(enlarged(v, window)), "png")) for v in shown.versions)
        crops.append(
            Crop(
                number,
                100 * left / width,
                100 * top / height,
                100 * side / width,
                100 * side / height,
                tiles,
                f"{side}×{side} pixels from column {left}, row {top}",
            )
        )
    reported = shown.role("reported")
    assert reported is not None
    return CropSheet(shown.name, shown.origin, data_uri(jpeg(reported.pixels, 420), "jpeg"), ZOOM, tuple(crops))


def contact_sheet(images: Sequence[Shown]) -> bytes:
    """All crops in one PNG file for the figures folder: a row a crop, a column a version, labels above."""
    rows = [(shown, window) for shown in images for window in windows(shown, WINDOWS)]
    columns = max(len(shown.versions) for shown, _ in rows)
    cell, gap, head = SIDE * ZOOM, 10, 26
    sheet = Image.new("RGB", (columns * (cell + gap) + gap, len(rows) * (cell + head + gap) + gap), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for r, (shown, window) in enumerate(rows):
        for c, version in enumerate(shown.versions):
            x, y = gap + c * (cell + gap), gap + r * (cell + head + gap)
            text = version.label if c else f"{shown.name}: {version.label}"
            pen.text((x, y + 2), text[:38], fill=version.colour, font=font)
            sheet.paste(Image.fromarray(enlarged(version, window)), (x, y + head))
    return png(np.asarray(sheet, dtype=np.uint8))
