"""What is compared in a table: anything that makes a restored image from a set's item."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.data import NamedImage, list_images, read
from lossagent.data.degradations import imresize
from lossagent.data.sets import Item
from lossagent.errors import Refused
from lossagent.restorers import from_uint8
from lossagent.training.pictures import Application


@runtime_checkable
class Method(Protocol):
    """A row of a table."""

    @property
    def label(self) -> str:
        """What it is called; unique in a table."""
        ...

    @property
    def scale(self) -> int | None:
        """Its upscaling factor; ``None`` where it takes any."""
        ...

    @property
    def objective(self) -> tuple[str, ...]:
        """Metrics that it was steered by; none for what was not steered."""
        ...

    @property
    def about(self) -> str:
        """Where it comes from, in words."""
        ...

    def fingerprint(self, set_name: str, item: Item) -> str:
        """Changes whenever the restored image may."""
        ...

    def restored(self, set_name: str, item: Item) -> Float[Tensor, "1 3 rows columns"]:
        """The restored image, RGB float32 in [0, 1].

        Raises:
            Refused: it has none for this item, or one of another size.
        """
        ...


@dataclass(frozen=True)
class NetworkMethod:
    """A network.

    Attributes:
        label, objective, about: see :class:`Method`.
        network: the restorer.
        application: how it is applied to whole images.
        device: where it runs.
    """

    label: str
    network: nn.Module
    application: Application
    about: str = ""
    objective: tuple[str, ...] = ()
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def scale(self) -> int:
        """Of the network."""
        return self.application.scale

    @cached_property
    def _weights(self) -> str:
        digest = hashlib.sha256(repr((type(self.network).__qualname__, self.application)).encode())
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def fingerprint(self, set_name: str, item: Item) -> str:
        """Weights and application."""
        return self._weights

    def restored(self, set_name: str, item: Item) -> Float[Tensor, "1 3 rows columns"]:
        """What the network makes of the input."""
        self.network.to(self.device)
        return self.application.restored(self.network, item.lq, self.device)


@dataclass(frozen=True)
class BicubicMethod:
    """MATLAB's bicubic enlargement, 8 bit: the baseline of every super-resolution table.

    Attributes:
        scale: upscaling factor; at 1 it is the input itself.
    """

    scale: int
    label: str = "bicubic"
    objective: tuple[str, ...] = ()
    about: str = "MATLAB's bicubic enlargement"

    def fingerprint(self, set_name: str, item: Item) -> str:
        """The same for ever."""
        return f"bicubic x{self.scale}"

    def restored(self, set_name: str, item: Item) -> Float[Tensor, "1 3 rows columns"]:
        """The enlarged input."""
        height, width = item.lq.shape[:2]
        return from_uint8(imresize(item.lq, height * self.scale, width * self.scale))


@dataclass(frozen=True)
class InputMethod:
    """The degraded image as it is: the baseline of restoration at one size."""

    label: str = "input"
    scale: int = 1
    objective: tuple[str, ...] = ()
    about: str = "the degraded image, untouched"

    def fingerprint(self, set_name: str, item: Item) -> str:
        """The same for ever."""
        return "input"

    def restored(self, set_name: str, item: Item) -> Float[Tensor, "1 3 rows columns"]:
        """The input."""
        return from_uint8(item.lq)


@dataclass(frozen=True)
class TruthMethod:
    """The ground truth: what no-reference metrics say of it stands as a ceiling under a table."""

    label: str = "GT"
    scale: int | None = None
    objective: tuple[str, ...] = ()
    about: str = "the ground truth, in metrics that look at one image alone"

    def fingerprint(self, set_name: str, item: Item) -> str:
        """The same for ever; the item's own pixels are hashed elsewhere."""
        return "ground truth"

    def restored(self, set_name: str, item: Item) -> Float[Tensor, "1 3 rows columns"]:
        """The reference."""
        if item.hq is None:
            raise Refused(f"{item.name} of set {set_name!r} has no ground truth.")
        return from_uint8(item.hq)


@dataclass(frozen=True)
class FolderMethod:
    """Images that were restored elsewhere, in a folder or in one folder a set inside it.

    An image belongs to the file of the same stem, or of a stem that goes on from it as in ``baboon_x4_SwinIR``.

    Attributes:
        label: see :class:`Method`.
        folder: the folder.
        scale: see :class:`Method`.
    """

    label: str
    folder: Path
    scale: int | None = None
    objective: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """The folder."""
        return f"restored images in {self.folder.name}"

    def file(self, set_name: str, name: str) -> NamedImage:
        """The restored file of an image.

        Raises:
            Refused: none, or several.
        """
        inside = self.folder / set_name
        folder = inside if inside.is_dir() else self.folder
        images = list_images(folder)
        found = [i for i in images if i.path.stem == name] or [
            i for i in images if re.match(re.escape(name) + r"([_\-. ]|x\d)", i.path.stem)
        ]
        if len(found) != 1:
            shown = ", ".join(i.path.name for i in (found or images)[:3])
            raise Refused(
                f"{self.label}: wanted one restored image of {name!r} (set {set_name!r}) in {folder}, named {name}.png "
                f"or {name}_....png; found {len(found)} ({shown})."
            )
        return found[0]

    def fingerprint(self, set_name: str, item: Item) -> str:
        """Content of the file."""
        return hashlib.sha256(self.file(set_name, item.name).path.read_bytes()).hexdigest()

    def restored(self, set_name: str, item: Item) -> Float[Tensor, "1 3 rows columns"]:
        """The file."""
        file = self.file(set_name, item.name)
        pixels = read(file.path)
        wanted = item.hq.shape if item.hq is not None else None
        if wanted is not None and pixels.shape != wanted:
            raise Refused(
                f"{file.path} is {pixels.shape[0]}x{pixels.shape[1]} px; its ground truth, cropped as the protocol "
                f"says, is {wanted[0]}x{wanted[1]} px."
            )
        return from_uint8(pixels)
