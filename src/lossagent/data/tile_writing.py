"""One image cut into tiles on disk."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from lossagent.data.images import CorruptImage, NamedImage, read
from lossagent.data.tile_manifest import Cut, Outcome, SourceFile, TileFile
from lossagent.data.tiles import Box, TileSettings, boxes, cut, tile_names
from lossagent.errors import Failed

CLEAN, LOW = "hq", "lq"
"""Folders of clean and of low-quality tiles, where there are pairs; without, tiles lie directly in the folder."""


@dataclass(frozen=True)
class Work:
    """One image to cut.

    Attributes:
        key, stem: see :class:`~lossagent.data.tile_manifest.Cut`.
        image, twin: the clean file and its low-quality twin.
    """

    key: str
    stem: str
    image: NamedImage
    twin: NamedImage | None


def cut_one(work: Work, folder: Path, settings: TileSettings) -> Cut:
    """Cuts one image, and its twin, into PNG files; each is written whole or not at all.

    Raises:
        Refused, Failed: a file that the system does not let us read or write. An image that is unreadable or too
            small is an outcome, not an error.
    """
    scale = settings.scale or 1
    try:
        source = SourceFile.of(work.image.path)
        twin = SourceFile.of(work.twin.path) if work.twin is not None else None
    except OSError as error:
        raise Failed(f"{error.filename} cannot be read ({error.strerror}). What was cut is kept.") from error

    def result(outcome: Outcome, detail: str) -> Cut:
        return Cut(key=work.key, stem=work.stem, outcome=outcome, source=source, twin=twin, detail=detail)

    try:
        pixels = read(work.image.path)
        low = read(work.twin.path) if work.twin is not None else None
    except CorruptImage as error:
        return result("corrupt", str(error))
    if low is not None:
        pixels = pixels[: low.shape[0] * scale, : low.shape[1] * scale]
    height, width = pixels.shape[:2]
    places = boxes(height, width, settings)
    if not places:
        return result("small", f"{work.image.path}: {height} x {width} is smaller than {settings.least}")
    names = tile_names(work.stem, len(places))
    clean = CLEAN if low is not None else "."
    tiles = _written(folder, clean, names, places, cut(pixels, places), settings)
    if low is None:
        return result("tiles", "").model_copy(update={"tiles": tiles})
    small = [Box(*(side // scale for side in box)) for box in places]
    twins = _written(folder, LOW, names, small, cut(low, small), settings)
    return result("tiles", "").model_copy(update={"tiles": tiles, "twins": twins})


def _written(
    folder: Path,
    place: str,
    names: Sequence[str],
    places: Sequence[Box],
    parts: Sequence[UInt8[ndarray, "rows columns 3"]],
    settings: TileSettings,
) -> tuple[TileFile, ...]:
    files: list[TileFile] = []
    for name, box, part in zip(names, places, parts, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(part).save(buffer, "PNG", compress_level=settings.compression)
        content = buffer.getvalue()
        path, temporary = folder / place / f"{name}.png", folder / place / f".{name}.tmp"
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError as error:
            raise Failed(f"{path} cannot be written ({error.strerror}). What was cut is kept.") from error
        digest = hashlib.sha256(content).hexdigest()
        files.append(TileFile(file=str(Path(place) / path.name), box=box, bytes=len(content), sha256=digest))
    return tuple(files)
