"""Scores of images as they are taken: kept on disk one by one, so that an interrupted evaluation goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from lossagent.errors import Refused, RunBusy
from lossagent.runs import append_line, read_lines, write_atomically

Options = dict[str, str | int | float | bool]


class ImageScore(BaseModel):
    """One score of one image.

    Attributes:
        method, set, image: whose, where and of what.
        condition: what was done to the image (``noise25``, ``haze``), "" where the set has none.
        metric: name of the metric.
        value: the score, ``None`` where there is none; ``inf`` for the PSNR of identical images.
        reason: why there is none.
        key: hash of all that the score depends on: weights or file, input, reference, protocol, metric.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    method: str
    set: str
    image: str
    condition: str = ""
    metric: str
    value: float | None
    reason: str = ""
    key: str


def key_of(parts: Mapping[str, object]) -> str:
    """A hash of plain data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Store:
    """The scores in a folder, ``results.jsonl``; use :func:`opened`.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "results.jsonl"
        lines, torn = read_lines(self.path)
        self._known: dict[str, ImageScore] = {}
        kept: list[str] = []
        for line in lines:
            try:
                one = ImageScore.model_validate_json(line)
            except ValueError:
                torn = True  # a line of another version or a damaged one: its score is taken again
                continue
            self._known[one.key] = one
            kept.append(line)
        if torn:
            write_atomically(self.path, "".join(line + "\n" for line in kept))

    def get(self, key: str) -> ImageScore | None:
        """A score that was taken before."""
        return self._known.get(key)

    def add(self, one: ImageScore) -> None:
        """Keeps a score; on return it is on disk."""
        append_line(self.path, one.model_dump_json())
        self._known[one.key] = one


@contextmanager
def opened(folder: Path) -> Generator[Store]:
    """The store of a folder while nobody else writes it.

    Raises:
        Refused: the folder cannot be made.
        RunBusy: another process writes it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"the folder {folder} cannot be made: {error.strerror}. Choose another --out.") from error
    lock = FileLock(str(folder / "lease"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunBusy(
            f"another process is writing the evaluation {folder}; wait for it or choose another --out."
        ) from None
    try:
        yield Store(folder)
    finally:
        lock.release()
