"""A metric of pyiqa: made when it is first used, put away when asked, made again when needed."""

from __future__ import annotations

import gc
import hashlib
import pickle
import random
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.errors import Refused
from lossagent.iqa.dependencies import LANGUAGE, check_dependencies
from lossagent.iqa.explaining import explained
from lossagent.iqa.fetching import Watch, watched
from lossagent.iqa.listing import Entry
from lossagent.iqa.options import Scalar, check_options

SEED = 123
"""Where the draws of metrics that look at random crops begin, for each call anew."""

HASHED = 4 * 2**30
"""Bytes above which a file is known by its size alone."""

USUAL_BATCH = 16

NO_OPTIONS: Mapping[str, Scalar] = MappingProxyType({})


class Network:
    """A metric as pyiqa computes it.

    Args:
        entry: which.
        options: what its class takes beside what pyiqa gives it, e.g. ``{"color_space": "ycbcr"}``.
        gradient: keep the graph, for a loss.
        download: fetch weights that are missing; otherwise they are named.
        unpickle: read checkpoints that hold more than tensors. Such a file can run any code.

    Raises:
        Refused: options that it does not take.
        MissingPackage: pyiqa, or a package that this metric needs, is not installed.
    """

    def __init__(
        self,
        entry: Entry,
        options: Mapping[str, Scalar] = NO_OPTIONS,
        *,
        gradient: bool = False,
        download: bool = False,
        unpickle: bool = False,
    ) -> None:
        check_options(entry, options)
        check_dependencies(entry)
        self.entry = entry
        self.options = dict(options)
        self.gradient = gradient
        self.download = download
        self.unpickle = unpickle
        self.batch = 1 if entry.kind in LANGUAGE else USUAL_BATCH
        """How many images are scored at once; 1 as soon as scores turn out not to be one an image."""
        self.files: dict[str, str] = {}
        """Weights that were read: file name -> SHA-256, or its size where it is huge."""
        self._model: Callable[..., object] | None = None
        self._device: torch.device | None = None
        self._tried = False

    @property
    def loaded(self) -> bool:
        """Whether it takes memory now."""
        return self._model is not None

    def load(self, device: torch.device) -> Callable[..., object]:
        """The module on a device, made if it is not there.

        Raises:
            MissingAsset: weights that are not on this machine; which file goes where is said.
            MissingPackage: a package that it imports is not installed.
            Refused: whatever else keeps it from being made.
        """
        if self._model is None or self._device != device:
            self.release()
            with (
                _alone(device),
                watched(self.download, self.unpickle) as watch,
                explained(self.entry, "be made", watch),
                _quiet(),
            ):
                self._model = _create(self.entry, self.options, self.gradient, device)
            self._note(watch)
            self._device, self._tried = device, False
        return self._model

    def release(self) -> None:
        """Gives its memory back; it is made again at the next use."""
        if self._model is None:
            return
        self._model = None
        gc.collect()
        if self._device is not None and self._device.type == "cuda":
            torch.cuda.empty_cache()
        self._device = None

    def __call__(
        self,
        images: Float[Tensor, "batch 3 height width"],
        references: Float[Tensor, "batch 3 height width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """The metric of each image, on the device of ``images``.

        Random draws begin anew at each call and leave those of others alone; metrics that draw see one image a call,
        so that a score is a function of the image.

        Args:
            images: RGB in [0, 1], float32.
            references: of the same shape, where the metric compares.

        Raises:
            Refused: what :meth:`load` refuses, or whatever the metric raises for these images.
        """
        model = self.load(images.device)
        # Some fetch a part, e.g. a face detector, when they meet the first image.
        watching = nullcontext(Watch()) if self._tried else watched(self.download, self.unpickle)
        size = f"score an image of {images.shape[-2]}x{images.shape[-1]}"
        with watching as watch, explained(self.entry, size, watch), _quiet():
            values = self._scored(model, images, references)
        if not self._tried:
            self._note(watch)
            self._tried = True
        return values

    def _scored(self, model: Callable[..., object], images: Tensor, references: Tensor | None) -> Tensor:
        parts: list[Tensor] = []
        start = 0
        while start < len(images):
            part = slice(start, start + self.batch)
            count = len(images[part])
            given, drew = _call(model, images[part], references[part] if references is not None else None)
            found = _numbers(given)
            single = found is not None and found.numel() == count
            if count > 1 and (drew or not single):
                self.batch = 1
                continue
            if found is None or not single:
                what = type(given).__name__ if found is None else f"{found.numel()} numbers"
                raise Refused(f"metric {self.entry.full_name!r} gave {what} in place of a number for an image.")
            parts.append(found.reshape(count))
            start += count
        return torch.cat(parts)

    def _note(self, watch: Watch) -> None:
        for path in watch.used:
            self.files.setdefault(path.name, _identity(path))


def _create(entry: Entry, options: Mapping[str, Scalar], gradient: bool, device: torch.device) -> Callable[..., object]:
    pyiqa = import_module("pyiqa")  # late: seconds, and optional
    # "none" keeps one value an image, which is averaged where it is wanted.
    model = pyiqa.create_metric(entry.name, as_loss=gradient, loss_reduction="none", device=device, **options)
    return model.requires_grad_(False).eval()


def _call(model: Callable[..., object], images: Tensor, references: Tensor | None) -> tuple[object, bool]:
    """What it gave, and whether it drew random numbers."""
    with _alone(images.device):
        before = _state(images.device)
        found = model(images) if references is None else model(images, references)
        return found, before != _state(images.device)


def _state(device: torch.device) -> bytes:
    """The state of every generator that a metric may draw from."""
    cuda = torch.cuda.get_rng_state(device).tolist() if device.type == "cuda" else None
    return pickle.dumps((random.getstate(), np.random.get_state(), torch.get_rng_state().tolist(), cuda))


def _numbers(found: object) -> Tensor | None:
    """Scores as a tensor, ``None`` if they are none."""
    if isinstance(found, Tensor):
        return found
    try:
        return torch.as_tensor(found, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return None


@contextmanager
def _alone(device: torch.device) -> Generator[None]:
    """Draws begin at :data:`SEED`, and every generator is left as it was found."""
    python, numbers = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(SEED)
        if device.type == "cuda":
            torch.cuda.manual_seed(SEED)
        np.random.seed(SEED)
        random.seed(SEED)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numbers)


@contextmanager
def _quiet() -> Generator[None]:
    """Without what foreign code prints; standard output belongs to scores."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        # Except this one: 16 bits in place of 8 or 4 would be another metric, and more memory than there may be.
        warnings.filterwarnings("error", message=".*Falling back to fp16")
        yield


def _identity(path: Path) -> str:
    size = path.stat().st_size
    if size > HASHED:
        return f"{size} bytes"
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
