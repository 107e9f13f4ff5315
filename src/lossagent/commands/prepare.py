"""``lossagent prepare``: data sets on disk."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lossagent.data.images import SUFFIXES
from lossagent.data.layout_check import check as compare
from lossagent.data.published import LAYOUTS, layout
from lossagent.data.sources import Photographs, folder, pairs
from lossagent.data.tiles import TileSettings
from lossagent.data.tiling import Tiling
from lossagent.data.tiling import tile as cut_tiles
from lossagent.data.tiling import verify as verify_tiles
from lossagent.data.twins import clean_images
from lossagent.data.twins import twins as find_twins
from lossagent.errors import Damaged, Failed, Refused

app = typer.Typer(no_args_is_help=True, help="Data sets on disk: check, cut into tiles, find duplicates.")

Workers = Annotated[int, typer.Option(help="Threads.", min=1)]
SHOWN = 20


@app.command("list")
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """The layouts that are known, and where the data sets are published.

    Example: lossagent prepare list
    """
    if as_json:
        facts = [
            {"name": one.name, "use": one.use, "sources": one.sources, "licence": one.licence, "note": one.note}
            for one in LAYOUTS.values()
        ]
        typer.echo(json.dumps(facts, indent=1))
        return
    console = _console()
    for one in LAYOUTS.values():
        console.print(f"{one.name}: {one.use} (licence: {one.licence})")
        for way in one.variants:
            parts = (f"{' or '.join(f.paths)} ({f.total}{'' if f.required else ', optional'})" for f in way.folders)
            console.print(f"  {way.name}: {'; '.join(parts)}")
        if one.note:
            console.print(f"  {one.note}")
        for source in one.sources:
            console.print(f"  {source}")
    console.print("Folders are relative to the data set's; . is the data set's own. Numbers are images.")


@app.command()
def check(
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="The data set's folder.")],
    name: Annotated[str, typer.Option("--layout", help="Name from `lossagent prepare list`.")],
    decode: Annotated[bool, typer.Option("--decode", help="Decode every image, not its header alone.")] = False,
    workers: Workers = 4,
    as_json: Annotated[bool, typer.Option("--json", help="Print an object.")] = False,
) -> None:
    """Compares a folder with a published layout. Exit status 2 when it does not fit; a partial set fits.

    Example: lossagent prepare check datasets/Set5 --layout Set5
    """
    wanted = layout(name)
    with _bar("checking", quiet=as_json) as bar:

        def tell(done: int, total: int) -> None:
            bar.update(bar.task_ids[0], completed=done, total=total)

        report = compare(path, wanted, decode=decode, workers=workers, progress=tell)
    if as_json:
        folders = [
            {
                "path": None if one.path is None else str(one.path),
                "fit": one.fit,
                "expected": one.folder.counts,
                "found": len(one.images),
                "missing": one.missing,
                "strangers": one.strangers,
                "unpaired": one.unpaired,
                "unreadable": one.unreadable,
                "odd": one.odd,
            }
            for one in report.folders
        ]
        facts = {"layout": wanted.name, "variant": report.variant.name, "fit": report.fit, "folders": folders}
        typer.echo(json.dumps(facts | {"suggestions": report.suggestions}, indent=1))
    else:
        for line in report.lines:
            _console().print(line)
    if report.fit == "misfit":
        raise typer.Exit(2)


@app.command()
def tile(
    folders: Annotated[list[Path], typer.Argument(help="Folders of clean training images.")],
    out: Annotated[Path, typer.Option(help="Where the tiles go.")],
    low: Annotated[
        list[Path] | None, typer.Option("--lq", help="Folders of low-quality twins, one for each folder.")
    ] = None,
    scale: Annotated[int, typer.Option(help="How many times smaller the twins are.", min=1)] = 1,
    size: Annotated[int, typer.Option(help="Side of a tile, pixels of the clean image.")] = 480,
    step: Annotated[int, typer.Option(help="Distance from one tile to the next.")] = 240,
    least: Annotated[int, typer.Option(help="Images with a shorter side than this are left out.")] = 256,
    most_corrupt: Annotated[float, typer.Option(help="Share of images that may be unreadable.")] = 0.01,
    workers: Workers = 2,
) -> None:
    """Cuts training images into PNG tiles with a manifest. Run it again to go on, or when images were added.

    Pairs go into OUT/hq and OUT/lq, else tiles lie directly in OUT.

    Example: lossagent prepare tile DIV2K_train_HR Flickr2K_HR --out DF2K_tiles --workers 8
    """
    settings = TileSettings(size=size, step=step, least=least, scale=scale if low else None)
    collections = _collections(folders, low, scale)
    for one in collections:
        for note in one.notes:
            _console().print(note)
    with _bar("cutting") as bar:

        def tell(done: int, total: int, tiles: int) -> None:
            bar.update(bar.task_ids[0], completed=done, total=total, description=f"cutting, {tiles} tiles")

        made = cut_tiles(collections, out, settings, workers=workers, most_corrupt=most_corrupt, progress=tell)
    _tell(made)


@app.command()
def verify(
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of tiles.")],
    full: Annotated[bool, typer.Option("--full", help="Hash every tile, not its size alone.")] = False,
) -> None:
    """Compares a folder of tiles with its manifest.

    Example: lossagent prepare verify DF2K_tiles
    """
    wrong = verify_tiles(out, full=full)
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise Damaged(f"{out}: {'; '.join(wrong[:SHOWN])}{more}. Run the same `lossagent prepare tile` again.")
    _console().print(f"{out}: every tile of the manifest is there and nothing else.")


@app.command()
def twins(
    folders: Annotated[list[Path], typer.Argument(help="Two or more data sets, e.g. training and test images.")],
    workers: Workers = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """Finds images that stand in two data sets, by content: copies, rescaled or flipped ones, crops.

    Exit status 2 when there are copies of whole photographs; shared parts are told only.

    Example: lossagent prepare twins DF2K datasets/Set5 datasets/Set14
    """
    found, counts = find_twins(folders, workers=workers)
    if as_json:
        facts = [
            {"kind": one.kind, "folders": one.roles, "images": [str(image.path) for image in one.images]}
            for one in found
        ]
        typer.echo(json.dumps(facts, indent=1))
    else:
        console = _console()
        for one in found:
            console.print(f"{one}.")
        shown = ", ".join(f"{name} ({count})" for name, count in counts.items())
        console.print(f"{len(found)} pair(s) that show the same photograph among {shown}.")
    if any(one.kind != "part" for one in found):
        raise typer.Exit(2)


def _collections(folders: list[Path], low: list[Path] | None, scale: int) -> list[Photographs]:
    names = [path.name for path in folders]
    unique = len(set(names)) == len(names)
    names = names if unique else [f"{path.resolve().parent.name}-{path.name}" for path in folders]
    if low is None:
        if scale != 1:
            raise Refused(f"--scale {scale} is of use with --lq only, which gives the folders of low-quality twins.")
        return [_clean(path, name) for path, name in zip(folders, names, strict=True)]
    if len(low) != len(folders):
        raise Refused(f"--lq must be given once for each of the {len(folders)} folders; found {len(low)}.")
    return [pairs(clean, twin, scale, name) for clean, twin, name in zip(folders, low, names, strict=True)]


def _clean(path: Path, name: str) -> Photographs:
    """Images directly in a folder, or in the one inside it that layouts give to clean images."""
    if path.is_dir() and not any(f.suffix.lower() in SUFFIXES for f in path.iterdir()):
        return Photographs(name, clean_images(path))
    return folder(path, name)


def _tell(made: Tiling) -> None:
    console = _console()
    for note in made.notes:
        console.print(note)
    for what, details in (("smaller than --least", made.small), ("unreadable", made.corrupt)):
        for detail in details[:SHOWN]:
            console.print(f"left out, {what}: {detail}")
        if len(details) > SHOWN:
            console.print(f"left out, {what}: {len(details) - SHOWN} more; all of them stand in the manifest")
    console.print(
        f"{made.folder}: {made.tiles} tiles; {made.written} images cut now, {made.kept} before, {len(made.small)} too "
        f"small, {len(made.corrupt)} unreadable."
    )
    if made.tiles == 0:
        raise Failed(f"no tile was cut into {made.folder}; found no image whose shorter side reaches --least.")


def _console() -> Console:
    return Console(highlight=False, emoji=False, markup=False, soft_wrap=True)


@contextmanager
def _bar(what: str, quiet: bool = False) -> Generator[Progress]:
    """A progress bar on a terminal, nothing elsewhere."""
    console = Console(highlight=False, emoji=False, quiet=quiet)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        bar.add_task(what, total=None)
        yield bar
