"""Before/after sliders: whole images in all versions, laid over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lossagent.report.pictures import Shown, data_uri, jpeg

IMAGES, LONGEST = 2, 760
BUDGET = 2_000_000
"""Bytes of JPEG that all sliders together may take."""


@dataclass(frozen=True)
class Layer:
    """A version of the image in a slider."""

    label: str
    uri: str


@dataclass(frozen=True)
class Slider:
    """An image in all its versions; ``left`` and ``right`` are shown at first."""

    name: str
    origin: str
    width: int
    height: int
    layers: tuple[Layer, ...]
    left: int
    right: int


def sliders(images: Sequence[Shown]) -> tuple[Slider, ...]:
    """Sliders for the first images, as long as they fit the page."""
    made: list[Slider] = []
    spent = 0
    for shown in images[:IMAGES]:
        files = [jpeg(v.pixels, LONGEST) for v in shown.versions]
        spent += sum(len(f) for f in files)
        if spent > BUDGET and made:
            break
        height, width = shown.versions[0].pixels.shape[:2]
        scale = min(1.0, LONGEST / max(height, width))
        layers = tuple(Layer(v.label, data_uri(f, "jpeg")) for v, f in zip(shown.versions, files, strict=True))
        right = next(i for i, v in enumerate(shown.versions) if v.role == "reported")
        made.append(Slider(shown.name, shown.origin, round(width * scale), round(height * scale), layers, 0, right))
    return tuple(made)
