"""Which photographs tiles were cut from: a data set of tiles is compared and recorded by them, not tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lossagent.data.images import NamedImage
from lossagent.data.tile_manifest import MANIFEST, SourceFile, read_manifest


@dataclass(frozen=True)
class Origin:
    """What the manifest says of one tile.

    Attributes:
        photograph: what it was cut from.
        sha256: of the tile's file as it was written.
        bytes: its size then.
    """

    photograph: SourceFile
    sha256: str
    bytes: int


def origins(images: Sequence[NamedImage]) -> dict[Path, Origin]:
    """Tile -> its origin, of those images that are tiles of ``lossagent prepare tile`` and have the size they had.

    Raises:
        Damaged: a manifest that cannot be read.
    """
    found: dict[Path, Origin] = {}
    for folder in {image.path.parent for image in images}:
        root = next((place for place in (folder, folder.parent) if (place / MANIFEST).is_file()), None)
        if root is None or not _ours(root / MANIFEST):
            continue
        _, cuts = read_manifest(root)
        for cut in cuts:
            for source, files in ((cut.source, cut.tiles), (cut.twin, cut.twins)):
                for tile in files:
                    if source is not None:
                        found[(root / tile.file).absolute()] = Origin(source, tile.sha256, tile.bytes)
    return {
        image.path: origin
        for image in images
        if (origin := found.get(image.path.absolute())) is not None and image.path.stat().st_size == origin.bytes
    }


def photographs(images: Sequence[NamedImage], known: dict[Path, Origin]) -> tuple[NamedImage, ...]:
    """The images, with the photographs that are still there, unchanged, in the place of their tiles."""
    result: dict[Path, NamedImage] = {}
    whole: dict[str, bool] = {}
    for image in images:
        origin = known.get(image.path)
        if origin is not None:
            source = Path(origin.photograph.path)
            if origin.photograph.path not in whole:
                whole[origin.photograph.path] = source.is_file() and origin.photograph.unchanged(source)
            if whole[origin.photograph.path]:
                result.setdefault(source, NamedImage(source.stem, source))
                continue
        result.setdefault(image.path, image)
    return tuple(result.values())


def _ours(manifest: Path) -> bool:
    """Whether it is a manifest of tiles rather than somebody's own file of that name."""
    with manifest.open("rb") as stream:
        head = stream.read(4096)
    return b'"format"' in head and b'"settings"' in head and b'"tiles"' in head
