"""``lossagent restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from PIL import Image

from lossagent.build.networks import build_restorer, network_of_run
from lossagent.data import NamedImage, list_images, read
from lossagent.errors import Refused
from lossagent.experiment import RestorerSettings
from lossagent.training.pictures import Application


def restore_command(
    checkpoint: Annotated[str, typer.Argument(help="Run folder, checkpoint file, or one of ours (compact_x4).")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Image file or folder.")],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder to write PNG files to.")],
    state: Annotated[str, typer.Option(help="State of a run: selected, last, start or a number.")] = "selected",
    network: Annotated[
        str, typer.Option(help="Network of a checkpoint file: compact, swinir or my.module:Net.")
    ] = "compact",
    scale: Annotated[int, typer.Option(help="Upscaling factor of a checkpoint file.")] = 4,
    multiple: Annotated[int, typer.Option(help="Inputs are padded to a multiple of it (SwinIR: 8).")] = 1,
    tile: Annotated[int | None, typer.Option(help="Side of a tile in input pixels, for large images.")] = None,
    overlap: Annotated[int, typer.Option(help="Input pixels that tiles share.")] = 32,
) -> None:
    """Applies a restorer to files or folders.

    Example: lossagent restore runs/niqe photos/ restored/ --tile 256
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images = list_images(source) if source.is_dir() else (NamedImage(source.stem, source),)
    run = Path(checkpoint)
    if run.is_dir():
        restorer, application = network_of_run(run, state)
    else:
        settings = RestorerSettings(network=network, start=checkpoint, arguments=_arguments(network, scale))
        restorer, application = build_restorer(settings), Application(scale, multiple)
    if tile is not None:
        application = Application(application.scale, application.multiple, application.strictly_larger, tile, overlap)
    target.mkdir(parents=True, exist_ok=True)
    restorer.to(device).eval()
    for number, image in enumerate(images, start=1):
        result = application(restorer, read(image.path), device)
        out = target / f"{image.name}.png"
        if out.resolve() == image.path.resolve():
            raise Refused(f"{out} is the input itself; choose another OUTPUT folder.")
        Image.fromarray(result).save(out)
        typer.echo(f"[{number}/{len(images)}] {out}")


def _arguments(network: str, scale: int) -> dict[str, object]:
    known = {"compact": "scale", "swinir": "upscale"}
    return {known[network]: scale} if network in known else {}
