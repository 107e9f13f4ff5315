"""What pyiqa's table of metrics says of each, read as a file: importing the package takes seconds."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import cast

from lossagent.errors import Failed, MissingPackage, Refused, UnknownName
from lossagent.feedback import Direction

PREFIX = "pyiqa:"
"""What stands before the name of a metric of pyiqa."""

TABLE = "default_model_configs.py"

POOLED_KINDS = frozenset({"FID", "InceptionScore"})
"""Kinds that look at a folder of images."""

NO_SCORE: Mapping[str, str] = {
    "clipscore": "it compares an image with a caption, and there is none",
    "fgresq_pair": "it gives a verdict on a pair of images in three numbers, not a score of one",
}

UNITS: Mapping[str, float] = {
    "NIQE": 0.1,
    "ILNIQE": 0.1,
    "NRQM": 0.1,
    "PI": 0.1,
    "PSNR": 0.1,
    "LPIPS": 0.005,
    "STLPIPS": 0.005,
    "DISTS": 0.005,
    "SSIM": 0.005,
    "MS_SSIM": 0.005,
    "MAD": 1.0,
    "BRISQUE": 1.0,
}
"""Kind -> change worth speaking of, where the range is open or says little; otherwise a hundredth of the range."""


@dataclass(frozen=True)
class Entry:
    """A metric of pyiqa.

    Attributes:
        name: without the prefix.
        kind: class that computes it.
        direction: which way is better, from ``lower_better``.
        low, high: from ``score_range``, which is a rough estimate there; ``None`` where open.
        needs_reference: from ``metric_mode``.
        unit: a change worth speaking of: :data:`UNITS`, else a hundredth of the range, else 0.1.
        options: what pyiqa makes it with.
    """

    name: str
    kind: str
    direction: Direction
    low: float | None
    high: float | None
    needs_reference: bool
    unit: float
    options: Mapping[str, object]

    @property
    def full_name(self) -> str:
        """``pyiqa:NAME``."""
        return PREFIX + self.name

    @property
    def hindrance(self) -> str | None:
        """Why it cannot score an image, ``None`` if it can."""
        if self.kind in POOLED_KINDS:
            return "it compares whole folders of images and gives an image no score"
        return NO_SCORE.get(self.name)


def licence_notice() -> str:
    """What a run and a report that show a score of pyiqa must say."""
    return "pyiqa is licensed under PolyForm Noncommercial; scores from it carry that condition."


def installed() -> bool:
    """Whether pyiqa is on this machine; it is not imported."""
    return find_spec("pyiqa") is not None


def version() -> str:
    """Version of pyiqa."""
    try:
        return importlib.metadata.version("pyiqa")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def names() -> tuple[str, ...]:
    """Every metric of pyiqa that scores images, without the prefix, in alphabetical order.

    Raises:
        MissingPackage: pyiqa is not installed.
    """
    return tuple(sorted(name for name, row in _entries().items() if row.hindrance is None))


def entry(name: str) -> Entry:
    """What pyiqa says of a metric.

    Args:
        name: with or without ``pyiqa:``.

    Raises:
        MissingPackage: pyiqa is not installed.
        UnknownName: names the nearest known one.
        Refused: one that cannot score an image.
    """
    bare = name.removeprefix(PREFIX)
    entries = _entries()
    if bare not in entries:
        raise UnknownName("metric of pyiqa", bare, names())
    found = entries[bare]
    if found.hindrance is not None:
        raise Refused(f"metric {found.full_name!r} cannot be used: {found.hindrance}.")
    return found


def folder() -> Path:
    """Where pyiqa is installed.

    Raises:
        MissingPackage: it is not.
    """
    spec = find_spec("pyiqa")
    if spec is None or spec.origin is None:
        raise MissingPackage("pyiqa", "iqa", "A metric of pyiqa")
    return Path(spec.origin).parent


def _entries() -> Mapping[str, Entry]:
    return _read(folder())


@cache
def _read(place: Path) -> Mapping[str, Entry]:
    spec = spec_from_file_location("lossagent_pyiqa_table", place / TABLE)
    if spec is None or spec.loader is None or not (place / TABLE).is_file():
        raise Failed(f"pyiqa {version()} has no {TABLE}; this version of it is not known. Known: 0.1.16.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = cast(Mapping[str, Mapping[str, object]], module.DEFAULT_CONFIGS)
    return {name: _entry(name, row) for name, row in rows.items()}


def _entry(name: str, row: Mapping[str, object]) -> Entry:
    options = dict(cast(Mapping[str, object], row["metric_opts"]))
    kind = str(options.pop("type"))
    low, high = _range(str(row.get("score_range", "")))
    return Entry(
        name=name,
        kind=kind,
        direction="lower" if row.get("lower_better") else "higher",
        low=low,
        high=high,
        needs_reference=row.get("metric_mode") == "FR",
        unit=UNITS.get(kind) or ((high - low) / 100 if low is not None and high is not None else 0.1),
        options=options,
    )


def _range(text: str) -> tuple[float | None, float | None]:
    """``"~0, ~100"`` -> (0, 100); a bare ``~`` is an open end."""
    ends = [re.fullmatch(r"\s*~?\s*(-?\d+(?:\.\d+)?)?\s*", part) for part in text.split(",")]
    if len(ends) != 2 or None in ends:
        return None, None
    low, high = (float(end.group(1)) if end is not None and end.group(1) else None for end in ends)
    return low, high
