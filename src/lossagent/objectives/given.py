"""Restored images as loops of other people have them: files, tensors or arrays."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lossagent.data.images import list_images, read
from lossagent.errors import Refused
from lossagent.objectives.base import Pixels
from lossagent.restorers import to_uint8

GivenImage = NDArray[Any] | Tensor | Image.Image | Path | str
"""uint8 [h, w, 3] RGB; or floats [c, h, w] or [1, c, h, w] in [0, 1] with 1 or 3 channels; or Pillow's; or a file."""

GivenImages = Mapping[str, GivenImage] | Sequence[GivenImage] | Tensor | Path | str
"""name -> image; or images, named "0", "1", ... (files by their names); or a batch [b, c, h, w]; or a folder."""

OUTSIDE = 0.5
"""How far beyond [0, 1] a network's output may reach before it is taken for another range of values."""


def pixels_of(images: GivenImages) -> dict[str, Pixels]:
    """Images as what is scored: name -> uint8 [h, w, 3] RGB.

    Floats are clamped to [0, 1] and rounded to 8 bit, as if they had been written to PNG files; one channel becomes
    three equal ones.

    Args:
        images: see :data:`GivenImages`.

    Raises:
        Refused: no images; two of one name, or a name that cannot be a file's; a file or folder that cannot be read;
            another shape or type; NaN; values that lie in another range, [-1, 1] or [0, 255] by the look of them.
    """
    named = list(_named(images))
    if not named:
        raise Refused("images must hold at least one restored image; found none.")
    names = [name for name, _ in named]
    for name in cast("list[object]", names):  # they become names of files in the run folder
        if not isinstance(name, str) or not name.strip(".") or set(name) & set("/\\\0"):
            raise Refused(f"the name of an image must be one that a file can have, without / and \\; found {name!r}.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Refused(f"images must have different names; found {twice!r} twice. Give a mapping name -> image.")
    return {name: _pixels(name, image) for name, image in named}


def pixels_sha256(pixels: Pixels) -> str:
    """Hash of an image's pixels, as records of a state keep it."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def _named(images: GivenImages) -> Iterable[tuple[str, GivenImage]]:
    if isinstance(images, Mapping):
        return images.items()
    if isinstance(images, str | Path):
        folder = Path(images)
        if not folder.is_dir():
            raise Refused(f"images must be a folder, a mapping or a list; {folder} is no folder.")
        return [(image.name, image.path) for image in list_images(folder)]
    if isinstance(images, Tensor):
        if images.ndim != 4:
            raise Refused(f"images as one tensor must have shape [b, c, h, w]; found {list(images.shape)}.")
        return [(str(number), image) for number, image in enumerate(images.unbind(0))]
    return [(_name(number, image), image) for number, image in enumerate(images)]


def _name(number: int, image: GivenImage) -> str:
    return Path(image).stem if isinstance(image, str | Path) else str(number)


def _pixels(name: str, image: GivenImage) -> Pixels:
    if isinstance(image, str | Path):
        return read(Path(image))
    if isinstance(image, Tensor):
        return _of_tensor(name, image)
    if isinstance(image, Image.Image):
        return np.array(image.convert("RGB"))
    if not isinstance(cast("object", image), np.ndarray):
        raise Refused(f"image {name!r} must be a tensor, an array or a file; found a {type(image).__name__}.")
    if image.size == 0 or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise Refused(
            f"image {name!r} as an array must be uint8 [h, w, 3] (floats in [0, 1] come as tensors [c, h, w]); found "
            f"{image.dtype} {list(image.shape)}."
        )
    return np.ascontiguousarray(image)


def _of_tensor(name: str, image: Tensor) -> Pixels:
    whole = image if image.ndim == 4 else image[None]
    if whole.ndim != 4 or not whole.numel() or whole.shape[0] != 1 or whole.shape[1] not in (1, 3):
        raise Refused(f"image {name!r} must have shape [c, h, w] with 1 or 3 channels; found {list(image.shape)}.")
    if not torch.is_floating_point(whole):
        raise Refused(
            f"image {name!r} must be floats in [0, 1] (or a uint8 array [h, w, 3]); found a tensor of {image.dtype}."
        )
    low, high = (float(x) for x in whole.detach().aminmax())
    if math.isnan(low + high):
        raise Refused(f"image {name!r} has values that are no numbers (NaN): the network has diverged.")
    if low < -OUTSIDE or high > 1 + OUTSIDE:
        raise Refused(
            f"image {name!r} must lie in [0, 1]; found values from {low:.3g} to {high:.3g}. Rescale it first."
        )
    return to_uint8(whole.expand(1, 3, *whole.shape[2:]))
