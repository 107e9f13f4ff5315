"""Finds the same image in its versions (start, fixed, agent, ground truth), and packs pictures into a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lossagent.report.naming import is_fixed
from lossagent.report.palette import MUTED, TRUTH, RunStyle
from lossagent.report.reading import RunData

Pixels = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]

CANDIDATES = 24
"""Most images looked at for crops."""


@dataclass(frozen=True)
class Version:
    """One version of an image.

    Attributes:
        label: e.g. ``"llm, S7"``.
        colour: colour of its run.
        role: ``"start"``, ``"fixed"``, ``"agent"`` (another run), ``"reported"`` or ``"truth"``.
        pixels: uint8 HWC, RGB.
    """

    label: str
    colour: str
    role: str
    pixels: Pixels


@dataclass(frozen=True)
class Shown:
    """An image of a set in all versions that are on disk, all of one size: start first, ground truth last."""

    name: str
    origin: str
    versions: tuple[Version, ...]

    def role(self, role: str) -> Version | None:
        """The first version in a role."""
        return next((v for v in self.versions if v.role == role), None)


def shown_images(runs: Sequence[RunData], styles: Sequence[RunStyle]) -> tuple[Shown, ...]:
    """Images of the test set, else of the feedback set, that have at least a start and a reported version."""
    for origin in (*_test_sets(runs[0]), "feedback"):
        found = tuple(_images(runs, styles, origin))
        if found:
            return found
    return ()


def _test_sets(run: RunData) -> list[str]:
    """Names of the test sets that pictures were kept of."""
    folder = run.path / "images"
    found = [p.name for p in folder.iterdir() if (p / "start").is_dir()] if folder.is_dir() else []
    return sorted(found, key=lambda name: (name != "test", name))


def _images(runs: Sequence[RunData], styles: Sequence[RunStyle], origin: str) -> Iterator[Shown]:
    main = runs[0]
    start = _folder(main, origin, "start")
    names = sorted(p.name for p in start.glob("*.png"))[:CANDIDATES] if start.is_dir() else []
    for name in names:
        versions = list(_versions(runs, styles, origin, name))
        if versions and versions[0].role == "start":
            size = versions[0].pixels.shape
            versions = [v for v in versions if v.pixels.shape == size]
        if {"start", "reported"} <= {v.role for v in versions}:
            yield Shown(Path(name).stem, origin, tuple(versions))


def _versions(runs: Sequence[RunData], styles: Sequence[RunStyle], origin: str, name: str) -> Iterator[Version]:
    main = runs[0]
    if (pixels := load(_folder(main, origin, "start") / name)) is not None:
        yield Version("untouched start", MUTED, "start", pixels)
    order = sorted(range(len(runs)), key=lambda i: (runs[i] is main, not is_fixed(runs[i])))
    for i in order:
        run = runs[i]
        for which, state in (("selected", run.selected), ("last", run.last)):
            if state.id == 0:
                continue
            if (pixels := load(_folder(run, origin, which) / name)) is not None:
                role = "reported" if run is main else ("fixed" if is_fixed(run) else "agent")
                yield Version(f"{styles[i].label}, {which} S{state.id}", styles[i].colour, role, pixels)
                break
    if (pixels := load(_folder(main, origin, "reference") / name)) is not None:
        yield Version("ground truth", TRUTH, "truth", pixels)


def _folder(run: RunData, origin: str, which: str) -> Path:
    images = run.path / "images"
    if origin != "feedback":
        return images / origin / which
    states = {"start": run.trajectory.start, "selected": run.selected, "last": run.last}
    return images / (states[which].name if which in states else which)


def load(path: Path) -> Pixels | None:
    """An image as uint8 RGB; ``None`` where the file is not there or no image."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (OSError, ValueError):
        return None


def data_uri(content: bytes, kind: str) -> str:
    """``data:image/png;base64,...``."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def png(pixels: Pixels) -> bytes:
    """A PNG, lossless."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def jpeg(pixels: Pixels, longest: int, quality: int = 88) -> bytes:
    """A JPEG without chroma subsampling, shrunk to a longest side where it is larger."""
    image = Image.fromarray(pixels)
    if max(image.size) > longest:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality, subsampling=0)  # optimised, noise does not fit its buffer
    return buffer.getvalue()
