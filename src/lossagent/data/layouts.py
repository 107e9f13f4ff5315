"""What a data set looks like on disk: folders, counts, names, and how low-quality images belong to clean ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lossagent.data.matching import Match

Role = Literal["clean", "low"]

ANY = r".+"
"""A naming rule that says nothing."""


@dataclass(frozen=True)
class Folder:
    """One folder of a layout.

    Attributes:
        paths: where it may be, relative to the data set, the usual place first; ``"."`` is the data set itself.
        counts: how many images it has as published; more than one where several releases differ, the smallest first.
        names: the rule (regular expression) that whole file names without suffix follow.
        listed: the names themselves, where they can be told.
        role: clean images, or the low-quality ones that belong to the clean ones before them.
        scale: how many times smaller the low-quality images are.
        match: how names of low-quality and clean images pair.
        multiple: what both sides of an image must divide by.
        required: whether the data set is unusable without it.
        deep: whether its subfolders are part of it.
    """

    paths: tuple[str, ...]
    counts: tuple[int, ...]
    names: str = ANY
    listed: tuple[str, ...] = ()
    role: Role = "clean"
    scale: int = 1
    match: Match = "name"
    multiple: int = 1
    required: bool = True
    deep: bool = False

    @property
    def total(self) -> str:
        """The published counts in words."""
        return " or ".join(f"{count:,}" for count in self.counts)


@dataclass(frozen=True)
class Variant:
    """One way in which a data set is laid out.

    Attributes:
        name: whose way it is, e.g. ``"BasicSR"``.
        folders: a low-quality folder belongs to the nearest clean one before it.
    """

    name: str
    folders: tuple[Folder, ...]


@dataclass(frozen=True)
class Layout:
    """A published data set.

    Attributes:
        name: what ``--layout`` takes.
        use: what it is used for.
        naming: the naming rule in words.
        variants: the ways in which it is laid out.
        sources: public pages that have it or lead to it.
        licence: what its authors state.
        note: what a person should know about counts or releases, "" if nothing.
    """

    name: str
    use: str
    naming: str
    variants: tuple[Variant, ...]
    sources: tuple[str, ...]
    licence: str
    note: str = ""


def pair_key(folder: Folder, name: str) -> str:
    """What the names of a pair have in common; ``name`` is the file name without suffix."""
    match folder.match:
        case "name":
            return name.removesuffix(f"x{folder.scale}") if folder.role == "low" else name
        case "rain":
            found = re.fullmatch(r"(?:no)?rain-?(\d+)(?:x2)?", name)
            return str(int(found.group(1))) if found else name
        case "haze":
            return name.split("_")[0] if folder.role == "low" else name


def markdown(layouts: Mapping[str, Layout], names: Mapping[str, str]) -> str:
    """The table of ``docs/datasets.md``.

    Args:
        layouts: its rows.
        names: address -> what stands in the table for it, of every source of a layout.
    """
    lines = [
        "| layout | used for | folders (images) | names | published at | licence |",
        "|---|---|---|---|---|---|",
    ]
    for layout in layouts.values():
        ways = "; ".join(f"*{variant.name}*: {_folders(variant)}" for variant in layout.variants)
        note = f" {layout.note}" if layout.note else ""
        sources = ", ".join(f"[{names[source]}]({source})" for source in layout.sources)
        lines.append(
            f"| `{layout.name}` | {layout.use} | {ways}.{note} | {layout.naming} | {sources} | {layout.licence} |"
        )
    return "\n".join(lines)


def _folders(variant: Variant) -> str:
    parts: list[str] = []
    for folder in variant.folders:
        places = " or ".join(f"`{path}/`" if path != "." else "images directly in the folder" for path in folder.paths)
        parts.append(f"{places} ({folder.total}{'' if folder.required else ', optional'})")
    return ", ".join(parts)
