"""Cutting whole folders into tiles: in parallel, to be taken up again after an interruption."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout

from lossagent.data.sources import Photographs
from lossagent.data.tile_manifest import MANIFEST, Cut, TileLog, read_manifest, write_manifest
from lossagent.data.tile_writing import CLEAN, LOW, Work, cut_one
from lossagent.data.tiles import TileSettings
from lossagent.errors import Failed, Interrupted, Refused, RunBusy

LOCK = ".tiles.lock"

Progress = Callable[[int, int, int], None]
"""(images done, images in all, tiles written in this run)."""


@dataclass(frozen=True)
class Tiling:
    """What a run did.

    Attributes:
        folder: where the tiles are.
        written, kept: images that were cut now, and those that were cut before.
        tiles: tiles of all images together.
        small, corrupt: images that were left out, with the reason.
        notes: sentences for the reader.
    """

    folder: Path
    written: int
    kept: int
    tiles: int
    small: tuple[str, ...]
    corrupt: tuple[str, ...]
    notes: tuple[str, ...]


def tile(
    collections: Sequence[Photographs],
    folder: Path,
    settings: TileSettings,
    *,
    workers: int = 2,
    most_corrupt: float = 0.01,
    progress: Progress | None = None,
) -> Tiling:
    """Cuts training images into PNG tiles; only what is missing or has changed is done again.

    Args:
        collections: the images. Where two collections have images of one name, the later one's get the name of their
            collection in front. With twins, all of them need twins of ``settings.scale``.
        folder: where the tiles go.
        settings: how they are cut.
        workers: threads; the tiles do not depend on them.
        most_corrupt: share of images that may be unreadable, 0 to 1.
        progress: told after every image.

    Raises:
        Refused: settings other than those of the tiles that are there, or images without the twins that are wanted.
        Failed: too many unreadable images, or the disk is full. What was cut is kept.
        RunBusy: another process cuts into this folder.
        Damaged: the log of an earlier run cannot be read.
    """
    _check(collections, settings, most_corrupt)
    with _alone(folder):
        log = TileLog(folder, settings)
        places = (CLEAN, LOW) if settings.scale is not None else (".",)
        for place in places:
            (folder / place).mkdir(exist_ok=True)
            for stale in (folder / place).glob(".*.tmp"):
                stale.unlink()
        works = _plan(collections, log)
        sizes = {str(Path(place) / one.name): one.stat().st_size for place in places for one in _pngs(folder / place)}
        with ThreadPoolExecutor(workers) as threads:
            finished = list(threads.map(partial(_is_done, log, sizes), works))
        todo = [work for work, done in zip(works, finished, strict=True) if not done]
        if todo:
            (folder / MANIFEST).unlink(missing_ok=True)
        try:
            _carry_out(todo, works, log, settings, workers, most_corrupt, progress)
        except KeyboardInterrupt:
            raise Interrupted(
                f"{len(log.done)} images are cut into {folder}; run the same command again to go on."
            ) from None
        write_manifest(folder, settings, log.done.values())
        return _summary(folder, log, works, len(todo))


def verify(folder: Path, *, full: bool = False) -> tuple[str, ...]:
    """What is wrong with a folder of tiles, in sentences; empty where all is well.

    Args:
        folder: where the tiles are.
        full: hash every tile; else its size alone is compared.

    Raises:
        Refused: no manifest.
        Damaged: one that cannot be read.
    """
    settings, cuts = read_manifest(folder)
    wrong: list[str] = []
    known: set[str] = set()
    for one in (file for done in cuts for file in done.files):
        known.add(one.file)
        path = folder / one.file
        if not path.is_file():
            wrong.append(f"{one.file} is missing")
        elif (size := path.stat().st_size) != one.bytes:
            wrong.append(f"{one.file} has {size} bytes, not {one.bytes}")
        elif full and hashlib.sha256(path.read_bytes()).hexdigest() != one.sha256:
            wrong.append(f"{one.file} is another file than was written")
    for place in (CLEAN, LOW) if settings.scale is not None else (".",):
        names = (str(Path(place) / path.name) for path in _pngs(folder / place))
        wrong += [f"{name} is in no manifest, but would be trained on" for name in names if name not in known]
    return tuple(wrong)


def _check(collections: Sequence[Photographs], settings: TileSettings, most_corrupt: float) -> None:
    if not 0 <= most_corrupt <= 1:
        raise Refused(f"most_corrupt must be a share from 0 to 1; found {most_corrupt}.")
    names = [one.name for one in collections]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(f"each folder must have a name of its own; found twice: {', '.join(twice)}.")
    for one in collections:
        if one.scale != settings.scale:
            raise Refused(f"{one.name}: its twins are of scale {one.scale}; tiles are cut for {settings.scale}.")


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        raise RunBusy(f"another process is cutting tiles into {folder}; wait for it, or give another folder.") from None


def _pngs(place: Path) -> list[Path]:
    return [path for path in place.iterdir() if path.suffix == ".png"] if place.is_dir() else []


def _plan(collections: Sequence[Photographs], log: TileLog) -> list[Work]:
    """What is to be cut, and how its tiles are called; names that an earlier run gave stay."""
    taken = {done.stem for done in log.done.values()}
    works: list[Work] = []
    for one in collections:
        twins = one.lq or (None,) * len(one.images)
        for image, twin in zip(one.images, twins, strict=True):
            key = f"{one.name}/{image.name}"
            if (before := log.done.get(key)) is not None:
                stem = before.stem
            else:
                stem = image.name if image.name not in taken else f"{one.name}-{image.name}"
                if stem in taken:
                    raise Refused(f"{image.path}: its tiles would be called {stem}_s001, a name that is taken.")
            taken.add(stem)
            works.append(Work(key, stem, image, twin))
    return works


def _is_done(log: TileLog, sizes: Mapping[str, int], work: Work) -> bool:
    before = log.done.get(work.key)
    if before is None or not before.source.unchanged(work.image.path):
        return False
    if work.twin is not None and (before.twin is None or not before.twin.unchanged(work.twin.path)):
        return False
    return all(sizes.get(one.file) == one.bytes for one in before.files)


def _carry_out(
    todo: Sequence[Work],
    works: Sequence[Work],
    log: TileLog,
    settings: TileSettings,
    workers: int,
    most_corrupt: float,
    progress: Progress | None,
) -> None:
    """Cuts what is to be cut and records it, in the order in which it gets done."""
    fresh = {work.key for work in todo}
    corrupt = [log.done[w.key].detail for w in works if w.key not in fresh and log.done[w.key].outcome == "corrupt"]
    tiles, begun = 0, len(works) - len(todo)
    for number, result in enumerate(_in_parallel(todo, log.folder, settings, workers), begun + 1):
        _remove_stale(log, result)
        log.add(result)
        tiles += len(result.tiles)
        if result.outcome == "corrupt":
            corrupt.append(result.detail)
        if len(corrupt) > most_corrupt * len(works):
            first = " ".join(corrupt[:3])
            raise Failed(
                f"{len(corrupt)} of {len(works)} images cannot be read; at most {most_corrupt:.1%} may be corrupt. "
                f"Replace or remove them, or raise the share; what was cut is kept. First: {first}"
            )
        if progress is not None:
            progress(number, len(works), tiles)


def _in_parallel(todo: Sequence[Work], folder: Path, settings: TileSettings, workers: int) -> Iterator[Cut]:
    """Results as they come; a few images at a time are in memory."""
    waiting = iter(todo)
    running: set[Future[Cut]] = set()
    threads = ThreadPoolExecutor(workers)
    try:
        while True:
            for work in islice(waiting, 2 * workers - len(running)):
                running.add(threads.submit(cut_one, work, folder, settings))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


def _remove_stale(log: TileLog, result: Cut) -> None:
    """Removes tiles of an image that has changed and now gives fewer."""
    before = log.done.get(result.key)
    if before is not None:
        fresh = {one.file for one in result.files}
        for one in before.files:
            if one.file not in fresh:
                (log.folder / one.file).unlink(missing_ok=True)


def _summary(folder: Path, log: TileLog, works: Sequence[Work], written: int) -> Tiling:
    mine = [log.done[work.key] for work in works]
    notes = list(log.notes)
    if others := len(log.done) - len(works):
        notes.append(f"{others} images of earlier runs are not among these folders; their tiles are kept.")
    return Tiling(
        folder=folder,
        written=written,
        kept=len(works) - written,
        tiles=sum(len(one.tiles) for one in log.done.values()),
        small=tuple(one.detail for one in mine if one.outcome == "small"),
        corrupt=tuple(one.detail for one in mine if one.outcome == "corrupt"),
        notes=tuple(notes),
    )
