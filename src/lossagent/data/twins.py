"""Images that stand in two data sets: the same pixels, the same photograph, or a part of one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from lossagent.data.disjoint import Overlap, overlaps
from lossagent.data.images import NamedImage, list_images
from lossagent.errors import Refused

CLEAN = ("GTmod12", "HR", "gt", "GT", "clear", "target", "norain", "original", "hq")
"""Folders inside a data set that hold its clean images, the preferred one first."""


def clean_images(folder: Path) -> tuple[NamedImage, ...]:
    """The clean images of a data set: those directly in it, else in the folder that layouts give to them.

    Raises:
        Refused: there are none.
    """
    place = folder
    try:
        return list_images(folder)
    except Refused as error:
        inner = next((folder / name for name in CLEAN if (folder / name).is_dir()), None)
        if inner is None:
            raise Refused(f"{error} Nor is there a folder {', '.join(CLEAN)} in it.") from None
        place = inner
    return list_images(place)


def twins(
    folders: Sequence[Path], *, workers: int = 2, allow: Collection[tuple[str, str]] = ()
) -> tuple[list[Overlap], dict[str, int]]:
    """Every pair of images of different folders that shows the same photograph; see :func:`~.disjoint.overlaps`.

    Args:
        folders: data sets, at least two.
        workers: threads; the result does not depend on them.
        allow: pairs of image names that are not looked at.

    Returns:
        The pairs, in the order of the folders, and how many images each folder has.

    Raises:
        Refused: fewer than two folders, one given twice, or one without images.
    """
    if len({folder.resolve() for folder in folders}) != len(folders) or len(folders) < 2:
        shown = ", ".join(map(str, folders)) or "none"
        raise Refused(f"wanted two different folders or more, to compare them with each other; found {shown}.")
    roles = {str(folder): clean_images(folder) for folder in folders}
    return overlaps(roles, workers, allow), {name: len(images) for name, images in roles.items()}
