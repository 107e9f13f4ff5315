"""``lossagent restore``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from PIL import Image
from torch import nn

from lossagent import checkpoints_data
from lossagent.build.networks import build_restorer, network_of_run
from lossagent.commands.methods import known
from lossagent.data import NamedImage, list_images, read, size
from lossagent.data.degradations import imresize
from lossagent.errors import Refused
from lossagent.experiment import RestorerSettings
from lossagent.objectives.base import Pixels
from lossagent.training.pictures import Application


def restore_command(
    checkpoint: Annotated[
        str, typer.Argument(help="Run folder, checkpoint file, one of ours such as compact_x4, or bicubic.")
    ],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Image file or folder.")],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder to write PNG files to.")],
    state: Annotated[str, typer.Option(help="State of a run: selected, last, start or a number.")] = "selected",
    network: Annotated[
        str | None,
        typer.Option(
            help="Network of a checkpoint file that does not say its own: compact (the default), swinir, promptir, "
            "spandrel or my.module:Net."
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(min=1, help="Upscaling factor of a checkpoint file that does not say its own: 4 by default."),
    ] = None,
    multiple: Annotated[int, typer.Option(help="Inputs are padded to a multiple of it (SwinIR: 8).")] = 1,
    tile: Annotated[int | None, typer.Option(help="Side of a tile in input pixels, for large images.")] = None,
    overlap: Annotated[int, typer.Option(help="Input pixels that tiles share.")] = 32,
) -> None:
    """Applies a restorer to files or folders.

    Example: lossagent restore runs/niqe photos/ restored/ --tile 256
    """
    images = list_images(source) if source.is_dir() else (NamedImage(source.stem, source),)
    for image in images:
        if (target / f"{image.name}.png").resolve() == image.path.resolve():
            raise Refused(f"{image.path} is input and output at once; choose another OUTPUT folder.")
        size(image.path)  # what is no image is told before the first is restored
    if target.exists() and not target.is_dir():
        raise Refused(f"OUTPUT must be a folder to write PNG files to; {target} is a file.")
    run = Path(checkpoint)
    if checkpoint == "bicubic":
        restored = partial(_bicubic, scale or 4)
    elif run.is_dir():
        restored = _applied(*network_of_run(run, state), tile, overlap)
    else:
        own = _own(checkpoint, network, scale, multiple)
        settings = RestorerSettings(network=own.name, start=checkpoint, arguments=own.arguments)
        restored = _applied(build_restorer(settings, own.scale), Application(own.scale, own.multiple), tile, overlap)
    for number, image in enumerate(images, start=1):
        result = Image.fromarray(restored(read(image.path)))
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(f"the folder {target} cannot be made: {error.strerror}. Choose another OUTPUT.") from error
        out = target / f"{image.name}.png"
        result.save(out)
        typer.echo(f"[{number}/{len(images)}] {out}")


def _applied(
    network: nn.Module, application: Application, tile: int | None, overlap: int
) -> Callable[[Pixels], Pixels]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    if tile is not None:
        application = replace(application, tile=tile, overlap=overlap)
    return lambda pixels: application(network, pixels, device)


def _bicubic(scale: int, pixels: Pixels) -> Pixels:
    """MATLAB's bicubic enlargement: the baseline of every super-resolution table."""
    return imresize(pixels, pixels.shape[0] * scale, pixels.shape[1] * scale)


def _own(checkpoint: str, network: str | None, scale: int | None, multiple: int) -> checkpoints_data.Network:
    """The network of a checkpoint: one of ours, what the file says of itself, or what the command line says."""
    if checkpoint in checkpoints_data.NAMES:
        return checkpoints_data.network(checkpoint)
    file = Path(checkpoint)
    if network is None and file.is_file() and (said := known(file)) is not None:
        if scale is not None and said.scale is not None and scale != said.scale:
            raise Refused(f"--scale must be {said.scale}, what the checkpoint {file} says of itself; found {scale}.")
        return checkpoints_data.Network(said.network, dict(said.arguments), said.scale or scale or 4, said.multiple)
    name = network or "compact"
    return checkpoints_data.Network(name, _arguments(name, scale or 4), scale or 4, multiple)


def _arguments(network: str, scale: int) -> dict[str, object]:
    known = {"compact": "scale", "swinir": "upscale"}
    return {known[network]: scale} if network in known else {}
