"""An executable as a metric: it gets paths of PNG files and prints JSON.

Without references every path is an argument. With references the paths come as JSON on the standard input::

    {"images": [{"path": "/tmp/.../0000_baby.png", "reference": "/tmp/.../references/0000_baby.png"}, ...]}

It prints one of: a list of numbers in the order of the images; a list of ``{"path": ..., "value": ...}``; or
``{"value": ...}`` for a score of the whole set. ``null`` and ``NaN`` stand for no score.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lossagent.errors import Failed, Refused
from lossagent.feedback import POOLED, Direction, MetricFacts
from lossagent.metrics._checks import check_images, check_pair
from lossagent.metrics._processes import output_of
from lossagent.metrics.own import number, own_facts
from lossagent.restorers import to_uint8

Pixels = NDArray[np.uint8]
"""uint8, height x width x 3, RGB."""


@runtime_checkable
class OfFiles(Protocol):
    """A metric that wants all images of a set at once."""

    def of_files(self, images: Mapping[str, Pixels], references: Mapping[str, Pixels]) -> Mapping[str, object]:
        """Image name -> what it says of the image: a number, if all is well. ``POOLED`` -> of the whole set."""
        ...


@dataclass(frozen=True)
class CommandMetric:
    """An executable as a metric; use :func:`from_command`.

    Attributes:
        words: the command; no shell sees it.
        facts: typed facts.
        deadline: seconds that one call, of all images together, may take.
    """

    words: tuple[str, ...]
    facts: MetricFacts
    deadline: float = 60.0

    def of_files(self, images: Mapping[str, Pixels], references: Mapping[str, Pixels]) -> Mapping[str, object]:
        """One call of the executable.

        Args:
            images: name -> image.
            references: name -> reference, for metrics that compare; one for each image.

        Raises:
            Failed: it could not be started, missed its deadline, ended with another status than 0, or printed
                something else than is documented above.
        """
        with tempfile.TemporaryDirectory(prefix="lossagent-metric-") as folder:
            paths = _written(Path(folder), images)
            words, manifest = [*self.words, *map(str, paths.values())], b""
            if self.facts.needs_reference:
                beside = _written(Path(folder) / "references", {name: references[name] for name in images})
                pairs = [{"path": str(path), "reference": str(beside[name])} for name, path in paths.items()]
                words, manifest = [*self.words], json.dumps({"images": pairs}).encode()
            printed = output_of(words, manifest, self.deadline)
        return _understood(printed, paths)

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """A number for each image of a batch, NaN where there is none; one call for all.

        Raises:
            Refused: images that are none, or something other than numbers was printed.
            Failed: see :meth:`of_files`; or it gives one score of the whole set, and several images were given.
        """
        check_images(restored, "restored")
        images = {str(n): to_uint8(image) for n, image in enumerate(restored.split(1))}
        others: dict[str, Pixels] = {}
        if self.facts.needs_reference:
            pair = check_pair(restored, reference, self.facts.name)
            others = {str(n): to_uint8(image) for n, image in enumerate(pair.split(1))}
        values = self.of_files(images, others)
        if POOLED in values:
            if len(images) > 1:
                raise Failed(f"{self.facts.name} gives one score of a whole set, and none of each image")
            values = {name: values[POOLED] for name in images}
        return torch.tensor([number(values.get(name, float("nan"))) for name in images], dtype=torch.float64)


def from_command(
    command: Sequence[str],
    *,
    name: str,
    direction: Direction,
    unit: float,
    low: float | None = None,
    high: float | None = None,
    reference: bool = False,
    deadline: float = 60.0,
) -> CommandMetric:
    """An executable as a metric.

    Args:
        command: the executable and its first arguments. A word with a slash is a path, else it is looked up in PATH.
        name, direction, unit, low, high: see :func:`lossagent.metrics.from_function`.
        reference: whether it compares with ground truths.
        deadline: seconds that one call, of all images together, may take.

    Raises:
        Refused: there is no such executable, or facts that cannot be.
    """
    if not command:
        raise Refused(f"metric {name!r}: command must name an executable; found nothing.")
    program = _found(command[0])
    files = [Path(word) for word in command if _is_file(word)]
    hashes = {f"sha256 {path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    whole = hashlib.sha256("".join(hashes.values()).encode()).hexdigest() if hashes else "unknown"
    facts = own_facts(
        name=name,
        direction=direction,
        unit=unit,
        low=low,
        high=high,
        reference=reference,
        options={"command": shlex.join(command), "sha256": whole, **hashes},
    )
    return CommandMetric((program, *command[1:]), facts, deadline)


def located_command(command: Sequence[str]) -> tuple[str, ...]:
    """The command with absolute paths in place of words that name files, so that it works in any directory."""
    return tuple(str(Path(word).expanduser().absolute()) if _is_file(word) else word for word in command)


def _is_file(word: str) -> bool:
    try:
        return Path(word).expanduser().is_file()
    except (OSError, ValueError):  # too long, or a NUL
        return False


def _found(word: str) -> str:
    """The executable's path.

    Raises:
        Refused: says what is wrong with it.
    """
    if os.sep not in word:
        program = shutil.which(word)
        if program is None:
            raise Refused(f"there is no executable {word!r} in PATH. Write ./{word} for a file in this folder.")
        return program
    path = Path(word).expanduser().absolute()
    if not path.is_file():
        raise Refused(f"there is no executable {path}.")
    if not os.access(path, os.X_OK):
        raise Refused(f"{path} is not executable. Make it so: chmod +x {shlex.quote(str(path))}")
    return str(path)


def _written(folder: Path, images: Mapping[str, Pixels]) -> dict[str, Path]:
    """Image name -> its PNG file, called by number and what is harmless of the name."""
    folder.mkdir(exist_ok=True)
    paths: dict[str, Path] = {}
    for count, (name, pixels) in enumerate(images.items()):
        paths[name] = folder / f"{count:04d}_{re.sub(r'[^A-Za-z0-9._-]', '_', name)[:80]}.png"
        Image.fromarray(pixels).save(paths[name], compress_level=1)
    return paths


def _understood(printed: bytes, paths: Mapping[str, Path]) -> Mapping[str, object]:
    try:
        answer: object = json.loads(printed)
    except (ValueError, RecursionError):
        start = printed[:80].decode(errors="replace")
        raise Failed(f"printed no JSON but {start!r}" if start.strip() else "printed nothing") from None
    if isinstance(answer, dict) and set(cast("dict[str, object]", answer)) == {"value"}:
        return _known({POOLED: cast("dict[str, object]", answer)["value"]}.items())
    if not isinstance(answer, list):
        raise Failed(f"printed {_kind(answer)} in place of a list of numbers")
    values = cast("list[object]", answer)
    if values and all(isinstance(value, dict) for value in values):
        return _by_path(cast("list[dict[str, object]]", values), paths)
    if len(values) != len(paths):
        raise Failed(f"printed a list of {len(values)} for {len(paths)} images")
    return _known(zip(paths, values, strict=True))


def _by_path(entries: Sequence[Mapping[str, object]], paths: Mapping[str, Path]) -> Mapping[str, object]:
    names = {str(path): name for name, path in paths.items()} | {path.name: name for name, path in paths.items()}
    found: dict[str, object] = {}
    for entry in entries:
        if set(entry) != {"path", "value"}:
            raise Failed(f"printed an entry with {sorted(entry)} in place of path and value")
        path = entry["path"]
        if not isinstance(path, str) or path not in names:
            raise Failed(f"printed a value for {path!r}, which is no image that it was given")
        if names[path] in found:
            raise Failed(f"printed two values for {path!r}")
        found[names[path]] = entry["value"]
    return _known(found.items())


def _known(values: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Without those that it gave no value for."""
    return {name: value for name, value in values if value is not None}


def _kind(value: object) -> str:
    return f"an object with {sorted(cast('dict[str, object]', value))[:5]}" if isinstance(value, dict) else repr(value)
