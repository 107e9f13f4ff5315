"""Restored images of an image set: made, written as PNG, read back. What is scored is what is on disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from lossagent.errors import Damaged
from lossagent.objectives.base import Pixels
from lossagent.objectives.given import pixels_sha256
from lossagent.restorers import from_uint8, restore, to_uint8
from lossagent.runs import sync_folder
from lossagent.training.ranks import Ranks


@dataclass(frozen=True)
class Application:
    """How a network is applied to whole images.

    Attributes:
        scale: upscaling factor, 1 for restoration at one size.
        multiple: inputs are mirror-padded to a multiple of it, then cropped back.
        strictly_larger: pad to the next strictly larger multiple (SwinIR at test time).
        tile: side of a tile in input pixels, ``None`` restores whole images.
        overlap: pixels that tiles share.
        reflect: pad without repeating the edge, as spandrel does.
        minimum: least side of what the network gets.
    """

    scale: int
    multiple: int = 1
    strictly_larger: bool = False
    tile: int | None = None
    overlap: int = 16
    reflect: bool = False
    minimum: int = 1

    def __call__(self, network: nn.Module, degraded: Pixels, device: torch.device) -> Pixels:
        """Restores one image: uint8 [h, w, 3] -> uint8 [h * scale, w * scale, 3], clamped and rounded."""
        return to_uint8(self.restored(network, degraded, device))

    def restored(self, network: nn.Module, degraded: Pixels, device: torch.device) -> Float[Tensor, "1 3 rows columns"]:
        """The same without rounding to 8 bits: float32 in [0, 1]."""
        return restore(
            network,
            from_uint8(degraded).to(device),
            scale=self.scale,
            multiple=self.multiple,
            strict=self.strictly_larger,
            tile=self.tile,
            overlap=self.overlap,
            reflect=self.reflect,
            minimum=self.minimum,
        )


class Pictures:
    """The images of a set, restored by whichever network is given.

    Args:
        degraded: image name -> low-quality image.
        application: how a network is applied.
        device: where networks are.
        ranks: the processes that share the work, all of which call :meth:`restore` and :meth:`write`.
    """

    def __init__(
        self,
        degraded: Mapping[str, Pixels],
        application: Application,
        device: torch.device,
        ranks: Ranks | None = None,
    ) -> None:
        self.degraded, self.application, self.device = dict(degraded), application, device
        self.ranks = ranks or Ranks()

    def restore(self, network: nn.Module) -> dict[str, Pixels]:
        """Every image restored, on process 0; on the others nothing, after they restored theirs."""
        restored: dict[str, Pixels] = {}
        with self.ranks.together():
            for name in self.ranks.own(list(self.degraded)):
                restored[name] = self.application(network, self.degraded[name], self.device)
        every = {name: image for part in self.ranks.collect(restored) for name, image in part.items()}
        return {name: every[name] for name in self.degraded} if self.ranks.main else {}

    def write(self, network: nn.Module, folder: Path) -> dict[str, str]:
        """Restores every image into a folder, whole or not at all; image name -> sha256 of its pixels."""
        restored = self.restore(network)
        self.ranks.from_main(lambda: write_images(restored, folder))
        return {name: pixels_sha256(image) for name, image in restored.items()}

    def read(self, folder: Path) -> dict[str, Pixels]:
        """The images that :meth:`write` left.

        Raises:
            Damaged: one is missing.
        """
        return {name: read_image(folder / f"{name}.png") for name in self.degraded}


def write_images(images: Mapping[str, Pixels], folder: Path) -> None:
    """Writes name -> image as PNG files into a folder that appears when all are there."""
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, image in images.items():
        with (temporary / f"{name}.png").open("wb") as file:
            Image.fromarray(image).save(file, format="PNG", compress_level=1)
            file.flush()
            os.fsync(file.fileno())
    sync_folder(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    sync_folder(folder.parent)


def read_image(path: Path) -> Pixels:
    """A PNG written by this package as uint8 [h, w, 3].

    Raises:
        Damaged: missing or unreadable.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise Damaged(f"restored image {path} cannot be read: {error}") from error
