"""Compares a folder with a layout and says what fits, what is missing and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from PIL import Image

from lossagent.data.images import ORIENTATION, SUFFIXES, UNDECODABLE, natural, read
from lossagent.data.layouts import ANY, Folder, Layout, Variant, pair_key
from lossagent.data.published import LAYOUTS
from lossagent.errors import Refused

Fit = Literal["complete", "partial", "misfit"]
SHOWN = 3

Progress = Callable[[int, int], None]
"""(images done, images in all)."""


@dataclass(frozen=True)
class FolderReport:
    """What was found of one folder of a layout.

    Attributes:
        folder: what was expected.
        path: where it is, ``None`` if it is not there.
        images: file names that follow the naming rule, natural order.
        strangers: images whose names do not.
        others: how many files are no images.
        missing: listed names without a file.
        unpaired: low-quality images without a clean one, and where each clean image has one, the other way round.
        unreadable: images that cannot be opened (or decoded, where that was asked for), with the reason.
        odd: images of a wrong size, in words.
    """

    folder: Folder
    path: Path | None
    images: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    others: int = 0
    missing: tuple[str, ...] = ()
    unpaired: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()

    @property
    def fit(self) -> Fit:
        """``partial`` where images are missing, ``misfit`` where something is wrong."""
        count = len(self.images)
        if self.strangers or self.unpaired or self.unreadable or self.odd or count > max(self.folder.counts):
            return "misfit"
        if not count:
            return "misfit" if self.folder.required else "complete"
        return "complete" if count in self.folder.counts else "partial"


@dataclass(frozen=True)
class Report:
    """How a folder fits a layout.

    Attributes:
        layout: what was asked for.
        variant: which of its ways was compared: the one that fits best.
        root: the folder.
        folders: one report for each folder of the variant.
        suggestions: sentences on what the folder may be instead; only where it does not fit.
    """

    layout: Layout
    variant: Variant
    root: Path
    folders: tuple[FolderReport, ...]
    suggestions: tuple[str, ...] = ()

    @property
    def fit(self) -> Fit:
        """The worst of the folders."""
        fits = {report.fit for report in self.folders}
        return "misfit" if "misfit" in fits else "partial" if "partial" in fits else "complete"

    @property
    def lines(self) -> tuple[str, ...]:
        """What a person reads."""
        verdict = {
            "complete": "fits, complete",
            "partial": "fits in part: it can be used, but scores on it are not those of the whole set",
            "misfit": "does not fit",
        }[self.fit]
        head = f"{self.root}: {self.layout.name} ({self.variant.name}) {verdict}."
        lines = [head, *(line for report in self.folders for line in _words(report, self.root))]
        bare = any(part.folder.required and not part.images and not part.strangers for part in self.folders)
        if bare and len(self.layout.variants) > 1:
            ways = (
                f"{way.name}: {', '.join(_places(f) for f in way.folders if f.required)}"
                for way in self.layout.variants
            )
            lines.append(f"Ways that are known: {'; '.join(ways)}.")
        if self.fit != "complete":
            lines.append(f"Published at: {', '.join(self.layout.sources)} (licence: {self.layout.licence}).")
        return (*lines, *self.suggestions)


def check(
    root: Path, layout: Layout, *, decode: bool = False, workers: int = 4, progress: Progress | None = None
) -> Report:
    """Compares a folder with a layout.

    Every image's header is read; a thousand take about a second.

    Args:
        root: the data set's folder.
        layout: what it should be.
        decode: decode every image too, which finds damage behind the header.
        workers: threads; the report does not depend on them.
        progress: told now and then.

    Raises:
        Refused: there is no such folder.
    """
    if not root.is_dir():
        raise Refused(f"{root}: there is no such folder. Layout {layout.name} is published at: {layout.sources[0]}")
    ways = [(variant, _found(root, variant)) for variant in layout.variants]
    variant, found = max(ways, key=lambda way: _merit(way[1]))
    sizes = _sizes(found, decode, workers, progress)
    reports: list[FolderReport] = []
    clean: FolderReport | None = None
    for report in found:
        done = _measured(report, sizes, clean)
        clean = done if report.folder.role == "clean" else clean
        reports.append(done)
    report = Report(layout, variant, root, tuple(reports))
    return replace(report, suggestions=_suggestions(report)) if report.fit == "misfit" else report


def _places(folder: Folder) -> str:
    return " or ".join("images directly in the folder" if path == "." else f"{path}/" for path in folder.paths)


def _words(report: FolderReport, root: Path) -> list[str]:
    folder, count = report.folder, len(report.images)
    if report.path is None:
        wanted = f"  expected {folder.total} images: {_places(folder)}; not there."
        return [wanted] if folder.required else []
    place = "images directly in the folder" if report.path == root else f"{report.path.relative_to(root)}/"
    state = "" if count in folder.counts else f", expected {folder.total}"
    lines = [f"  {place}: found {count:,} images{state}."]
    for names, text in (
        (report.missing, "missing"),
        (report.strangers, f"named otherwise than expected ({folder.names if len(folder.names) < 60 else 'listed'})"),
        (report.unpaired, "without a partner"),
        (report.unreadable, "unreadable"),
        (report.odd, "of a wrong size"),
    ):
        if names:
            first = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
            lines.append(f"    {len(names):,} {text}: {first}")
    if report.others:
        lines.append(f"    {report.others:,} files that are no images are passed over.")
    return lines


def _listing(path: Path, deep: bool) -> tuple[list[Path], int]:
    """(image files, how many others) in a folder."""
    files = [f for f in (path.rglob("*") if deep else path.iterdir()) if not f.name.startswith(".") and f.is_file()]
    images = [f for f in files if f.suffix.lower() in SUFFIXES]
    return images, len(files) - len(images)


def _found(root: Path, variant: Variant) -> list[FolderReport]:
    """What is there of each folder, by names alone; strangers of a place are counted once."""
    places = [next((root / p for p in f.paths if (root / p).is_dir()), None) for f in variant.folders]
    reports: list[FolderReport] = []
    for number, (folder, place) in enumerate(zip(variant.folders, places, strict=True)):
        if place is None:
            reports.append(FolderReport(folder, None))
            continue
        files, others = _listing(place, folder.deep)
        names = sorted((str(f.relative_to(place)) for f in files), key=natural)
        rules = [f.names for f, other in zip(variant.folders, places, strict=True) if other == place]
        first = places.index(place) == number
        mine = [name for name in names if re.fullmatch(folder.names, Path(name).stem)]
        lost = [name for name in names if not any(re.fullmatch(rule, Path(name).stem) for rule in rules)]
        reports.append(
            FolderReport(
                folder,
                place,
                tuple(mine),
                tuple(lost) if first else (),
                others if first else 0,
                () if len(mine) in folder.counts or not mine else _lacking(folder, mine),
            )
        )
    return reports


def _lacking(folder: Folder, names: Sequence[str]) -> tuple[str, ...]:
    have = {Path(name).stem for name in names}
    return tuple(name for name in folder.listed if name not in have)


def _merit(reports: Sequence[FolderReport]) -> tuple[int, float, int]:
    """How well a variant fits, by names alone."""
    absent = sum(not report.images for report in reports if report.folder.required)
    share = [min(1.0, len(r.images) / max(r.folder.counts)) for r in reports if r.folder.required]
    return (
        -absent,
        sum(share) / len(share),
        sum(report.path is not None for report in reports if report.folder.required),
    )


def _sizes(
    reports: Sequence[FolderReport], decode: bool, workers: int, progress: Progress | None
) -> dict[Path, tuple[int, int] | str]:
    """Path -> (height, width), or why it cannot be read."""
    paths = [report.path / name for report in reports if report.path is not None for name in report.images]
    found: dict[Path, tuple[int, int] | str] = {}
    with ThreadPoolExecutor(workers) as threads:
        for done, (path, fact) in enumerate(zip(paths, threads.map(partial(_probe, decode), paths), strict=True), 1):
            found[path] = fact
            if progress is not None and (done % 50 == 0 or done == len(paths)):
                progress(done, len(paths))
    return found


def _probe(decode: bool, path: Path) -> tuple[int, int] | str:
    try:
        if decode:
            height, width, _ = read(path).shape
            return height, width
        with Image.open(path) as opened:
            # Asking a PNG for EXIF that is not at its head would decode it.
            exif = opened.getexif() if opened.format != "PNG" or "exif" in opened.info else {}
            width, height = opened.size
            return (width, height) if exif.get(ORIENTATION, 1) >= 5 else (height, width)
    except Refused as error:
        return str(error).removeprefix(f"{path}: ")
    except UNDECODABLE as error:
        return f"cannot be read as an image ({error})".replace(f" '{path}'", "")


def _measured(
    report: FolderReport, sizes: dict[Path, tuple[int, int] | str], clean: FolderReport | None
) -> FolderReport:
    """The report with what headers and pairs tell."""
    if report.path is None:
        return report
    folder = report.folder
    facts = {name: sizes[report.path / name] for name in report.images}
    unreadable = tuple(f"{name} ({fact})" for name, fact in facts.items() if isinstance(fact, str))
    odd: list[str] = []
    for name, fact in facts.items():
        if isinstance(fact, tuple) and (fact[0] % folder.multiple or fact[1] % folder.multiple):
            odd.append(f"{name} is {_by(fact)}, no multiple of {folder.multiple}")
    unpaired: list[str] = []
    if folder.role == "low" and clean is not None and clean.path is not None and report.images:
        originals = {pair_key(clean.folder, Path(name).stem): name for name in clean.images}
        if folder.match == "haze":  # copies that repeat clear images name them like the hazy ones
            originals |= {Path(name).stem.split("_")[0]: name for name in clean.images}
        used: set[str] = set()
        for name, fact in facts.items():
            original = originals.get(pair_key(folder, Path(name).stem))
            if original is None:
                unpaired.append(name)
                continue
            used.add(original)
            whole = sizes[clean.path / original]
            if isinstance(whole, tuple) and isinstance(fact, tuple):
                wanted = whole[0] // folder.scale, whole[1] // folder.scale
                if fact != wanted:
                    odd.append(f"{name} is {_by(fact)}, but {original} is {_by(whole)}: wanted {_by(wanted)}")
        if folder.match != "haze":
            unpaired += [name for name in clean.images if name not in used]
    return replace(report, unreadable=unreadable, odd=tuple(odd), unpaired=tuple(unpaired))


def _by(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def _suggestions(report: Report) -> tuple[str, ...]:
    """What the folder, or one inside it, looks like."""
    said: list[str] = []
    inner = sorted(p for p in report.root.iterdir() if p.is_dir())
    if any(part.folder.required and not part.images for part in report.folders):
        said += [
            f"{folder} looks like {report.layout.name}: check that one."
            for folder in inner
            if any(_likely(_found(folder, variant)) for variant in report.layout.variants)
        ]
    likely: list[tuple[float, str]] = []
    for other in LAYOUTS.values():
        found = [_found(report.root, variant) for variant in other.variants if other.name != report.layout.name]
        scores = [_merit(reports)[1] for reports in found if _likely(reports)]
        if scores:
            likely.append((max(scores), other.name))
    likely.sort(key=lambda pair: -pair[0])
    said += [f"It looks like {name} ({score:.0%} of it): --layout {name}" for score, name in likely[:SHOWN]]
    return tuple(said[:SHOWN])


def _likely(reports: Sequence[FolderReport]) -> bool:
    """Whether names alone speak for a layout; rules that fit anything speak only by an exact count."""
    for report in reports:
        if report.strangers or (report.folder.required and not report.images):
            return False
        count = len(report.images)
        if count > max(report.folder.counts) or (report.folder.names == ANY and count not in report.folder.counts):
            return False
    return True
