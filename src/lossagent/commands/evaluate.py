"""``lossagent evaluate``."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lossagent.commands.evaluation_plan import planned
from lossagent.commands.methods import Reading, parsed_arguments
from lossagent.errors import Interrupted
from lossagent.evaluation.benchmark import carry_out
from lossagent.evaluation.files import write_files
from lossagent.evaluation.scores import opened
from lossagent.restorers import to_uint8


def evaluate(
    methods: Annotated[
        list[str],
        typer.Argument(
            metavar="METHOD...",
            help="RUN, RUN@last, checkpoint file, compact_x4, bicubic, input, images:FOLDER; LABEL=METHOD names it.",
        ),
    ],
    sets: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=FOLDER, NAME=CLEAN,DEGRADED or NAME:KIND=FOLDER (bicubic, real, noise25, rain, haze, pairs, "
            "bsrgan, real-esrgan, synthetic-rain, synthetic-haze). One NAME given several times is joined, each part a "
            "condition. Without it, the test sets of the first run."
        ),
    ] = None,
    rules: Annotated[
        str | None, typer.Option("--protocol", help="classical-sr, real-sr or all-in-one; by the scale by default.")
    ] = None,
    scale: Annotated[int | None, typer.Option(min=1, help="Upscaling factor; the methods' by default.")] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Names with commas; the protocol's and the runs' targets by default.")
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="A first row: bicubic or input.")] = None,
    state: Annotated[str, typer.Option(help="State of runs: selected, last, start or a number.")] = "selected",
    out: Annotated[Path, typer.Option(help="Folder for scores and tables.")] = Path("evaluation"),
    images: Annotated[bool, typer.Option("--save-images", help="Keep restored images in OUT/images.")] = False,
    network: Annotated[str | None, typer.Option(help="Network of checkpoint files that do not say theirs.")] = None,
    arguments: Annotated[str | None, typer.Option(help="Its arguments, as YAML: '{upscale: 4}'.")] = None,
    key: Annotated[str | None, typer.Option(help="Entry of checkpoint files that holds the weights.")] = None,
    multiple: Annotated[int | None, typer.Option(min=1, help="Inputs are padded to a multiple of it.")] = None,
    tile: Annotated[int | None, typer.Option(min=16, help="Side of a tile in input pixels, for large images.")] = None,
    overlap: Annotated[int, typer.Option(min=0, help="Input pixels that tiles share.")] = 32,
) -> None:
    """Scores methods on image sets by a published protocol; prints tables and writes them.

    Example: lossagent evaluate bicubic compact_x4 ours=runs/niqe --sets Set5=data/Set5 --sets Set14=data/Set14
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reading = Reading(state, network, parsed_arguments(arguments), key, scale, multiple, tile, overlap, device)
    plan = planned(methods, sets or (), rules, metrics, baseline, reading)
    console = Console(stderr=True, highlight=False, emoji=False, markup=False, soft_wrap=True)
    with opened(out) as store, _progress(console) as progress:
        try:
            scores = carry_out(plan.benchmark, store, progress, _keeper(out / "images") if images else None)
        except KeyboardInterrupt:
            raise Interrupted(f"what is scored is kept in {store.path}; the same command goes on from there.") from None
        page = write_files(out, plan.benchmark, scores, plan.notes, plan.about)
    typer.echo(page)
    console.print(f"Written: {out}/scores.csv, scores.json, tables.md, tables.tex")


def _keeper(folder: Path) -> Callable[[str, str, str, torch.Tensor], None]:
    def keep(method: str, name: str, image: str, picture: torch.Tensor) -> None:
        file = folder / name / _file_name(method) / f"{_file_name(image)}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(to_uint8(picture)).save(file)

    return keep


def _file_name(label: str) -> str:
    return "".join(c if c.isalnum() or c in "._- @" else "_" for c in label)


@contextmanager
def _progress(console: Console) -> Generator[Callable[[int, int, str], None]]:
    """A bar on a terminal, a line each tenth elsewhere."""
    if not console.is_terminal:
        said = -1

        def line(done: int, total: int, what: str) -> None:
            nonlocal said
            if done * 10 // total > said:
                said = done * 10 // total
                console.print(f"[{done}/{total}] {what}")

        yield line
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(),
               TextColumn("{task.completed:.0f}/{task.total:.0f}"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, what: bar.update(task, description=what[:48], completed=done, total=total)
