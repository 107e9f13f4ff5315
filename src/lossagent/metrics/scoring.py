"""A metric on files and folders, as the command line prints it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from numpy import ndarray
from torch import Tensor

from lossagent.errors import Refused
from lossagent.metrics.base import Metric
from lossagent.restorers import from_uint8

Read = Callable[[Path], ndarray]
"""A file -> uint8 array [height, width, 3], RGB; raises ``Refused`` for what is no image."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})

CROP_LIMIT = 8
"""A reference is cropped by less than this many pixels: what a scale of 8 or below leaves over."""


@dataclass(frozen=True)
class ScoreRow:
    """One score.

    Attributes:
        path: the file.
        metric: name of the metric.
        value: the score; inf for identical images where the metric says so.
        options: facts of the metric that the score depends on, and the reference's path where there is one.
    """

    path: str
    metric: str
    value: float
    options: dict[str, str | int | float | bool] = field(default_factory=dict[str, str | int | float | bool])

    def record(self) -> dict[str, object]:
        """``{"path", "metric", "value", "options"}`` for JSON, which has no inf: it becomes the text ``"inf"``."""
        value: float | str = self.value if math.isfinite(self.value) else str(self.value)
        return {"path": self.path, "metric": self.metric, "value": value, "options": self.options}


def score_paths(
    metric: Metric,
    images: Sequence[Path],
    references: Sequence[Path] = (),
    *,
    read: Read,
    crop_references: bool = False,
) -> list[ScoreRow]:
    """Scores files, one at a time, in the order given; folders stand for the images directly in them, by name.

    Args:
        metric: what to score with.
        images: files and folders.
        references: files and folders, where the metric needs them. A single file beside a single image is its
            reference whatever it is called; otherwise an image belongs to the reference of the same stem, or of
            the same stem without a suffix such as ``x4``, ``_x4_SwinIR``, ``_restored``.
        read: decodes a file.
        crop_references: cut references that are larger by less than 8 px at the bottom and right to the image's
            size, as super-resolution does with ground truths that are no multiple of the scale; said in the row.

    Raises:
        Refused: no image, a missing or ambiguous reference, unequal sizes (both are named), or what the metric or
            ``read`` refuses. Paths and names are checked before the first image is scored.
    """
    paths = _files(images, "images")
    facts = metric.facts
    if facts.needs_reference and not references:
        raise Refused(f"metric {facts.name!r} compares with references; none were given. Pass --reference PATH.")
    if references and not facts.needs_reference:
        raise Refused(f"metric {facts.name!r} takes no reference; found {_shown(references)}.")
    partners = _partners(paths, _files(references, "references")) if references else [None] * len(paths)
    rows: list[ScoreRow] = []
    for path, partner in zip(paths, partners, strict=True):
        image = from_uint8(read(path))
        options = dict(facts.options)
        reference = None
        if partner is not None:
            reference = from_uint8(read(partner))
            options["reference_path"] = str(partner)
            if crop_references and reference.shape != image.shape:
                reference = _cropped(reference, image)
                options["reference_cropped"] = True
        try:
            value = float(metric(image, reference))
        except Refused as error:
            raise Refused(f"{path}{f' against {partner}' if partner else ''}: {error}") from error
        rows.append(ScoreRow(str(path), facts.name, value, options))
    return rows


def _files(paths: Sequence[Path], kind: str) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file() and p.suffix.lower() in SUFFIXES)
            if not inside:
                raise Refused(f"{kind}: the folder {path} holds no image ({', '.join(sorted(SUFFIXES))}).")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise Refused(f"{kind}: there is no file or folder {path}.")
    if not found:
        raise Refused(f"{kind}: no path was given.")
    return found


def _partners(images: list[Path], references: list[Path]) -> list[Path]:
    """The reference of each image."""
    if len(images) == len(references) == 1:
        return references
    return [_partner(image, references) for image in images]


def _partner(image: Path, references: list[Path]) -> Path:
    stem, bare = image.stem.lower(), _bare(image.stem)
    stems = [(reference, reference.stem.lower()) for reference in references]
    found = [r for r, name in stems if name == stem] or [r for r, name in stems if _bare(name) == bare]
    if not found:
        # Names that the image's name goes on from ("baboon" in "baboon_x4_SwinIR"): the longest.
        before = [(r, name) for r, name in stems if re.match(re.escape(name) + r"([_\-. ]|x\d)", stem)]
        longest = max((len(name) for _, name in before), default=0)
        found = [r for r, name in before if len(name) == longest]
    if not found:
        raise Refused(
            f"no reference for {image}: wanted one with the stem {image.stem!r} or {bare!r}; "
            f"found {_shown(references)}."
        )
    if len(found) > 1:
        raise Refused(f"several references for {image}: {_shown(found)}. Name them like the images.")
    return found[0]


def _bare(stem: str) -> str:
    """A stem in lower case without a scale at its end: ``babyx4`` and ``baby_LRBI_x4`` keep ``baby``, ``baby_lrbi``."""
    return re.sub(r"[_\-. ]?x\d+$", "", stem.lower()) or stem.lower()


def _shown(paths: Sequence[Path]) -> str:
    names = sorted({p.name for p in paths})
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _cropped(reference: Tensor, image: Tensor) -> Tensor:
    excess = [a - b for a, b in zip(reference.shape[-2:], image.shape[-2:], strict=True)]
    if not all(0 <= e < CROP_LIMIT for e in excess):
        return reference
    return reference[..., : image.shape[-2], : image.shape[-1]]
