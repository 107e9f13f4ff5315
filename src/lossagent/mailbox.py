"""The mailbox of a run: whoever is not the run writes letters there; the run alone reads them.

A letter is a file ``NAME.json`` with one JSON object, or a list of them. It is written under another name and renamed,
so it is whole or not there. What was read goes to ``taken/`` or, with a reason beside it, to ``refused/``.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from lossagent.errors import Refused
from lossagent.letters import LETTERS, Letter
from lossagent.runs import sync_folder, write_atomically

LARGEST = 1024 * 1024
"""Bytes of a letter file beyond which it is refused unread."""
SETTLED = 2.0
"""Seconds for which a file that cannot be parsed is taken for one that is still being written."""


@dataclass(frozen=True)
class Received:
    """One letter, or what could not be read as one.

    Attributes:
        id: ``NAME``, or ``NAME#2`` inside a list; never given twice by one mailbox.
        letter: what it says; ``None`` if it is none.
        reason: why it is none.
    """

    id: str
    letter: Letter | None
    reason: str = ""


class Mailbox:
    """The run's side of a mailbox.

    Args:
        run: the run folder.
    """

    def __init__(self, run: Path) -> None:
        self.folder = run / "mailbox"

    def waiting(self) -> Iterator[tuple[Path, list[Received]]]:
        """Each file that is there, oldest name first, with its letters; call :meth:`put_away` for it afterwards."""
        if not self.folder.is_dir():
            return
        for path in sorted(p for p in self.folder.iterdir() if p.suffix == ".json" and not p.name.startswith(".")):
            if path.is_symlink() or not path.is_file():
                yield path, [Received(path.stem, None, "it is no plain file")]
                continue
            received = self._read(path)
            if received is not None:
                yield path, received

    def put_away(self, path: Path, reasons: list[str]) -> None:
        """Moves a file that was read; with reasons it counts as refused, at least in part."""
        place = self.folder / ("refused" if reasons else "taken")
        place.mkdir(exist_ok=True)
        target = place / path.name
        while target.exists() or target.is_symlink():
            target = place / f"{path.stem}-{uuid.uuid4().hex[:8]}.json"
        try:
            os.replace(path, target)
        except FileNotFoundError:  # its writer took it back
            return
        if reasons:
            write_atomically(target.with_suffix(".reason.txt"), "".join(f"{reason}\n" for reason in reasons))

    def _read(self, path: Path) -> list[Received] | None:
        """``None`` for a file that may still be being written."""
        try:
            if path.stat().st_size > LARGEST:
                return [Received(path.stem, None, f"it has more than {LARGEST} bytes")]
            text = path.read_text(encoding="utf-8")
            value = json.loads(text)
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError) as error:
            if time.time() - path.stat().st_mtime < SETTLED:
                return None
            return [Received(path.stem, None, f"it is no JSON ({error})")]
        if not isinstance(value, list):
            return [_received(path.stem, value)]
        return [_received(f"{path.stem}#{n}", one) for n, one in enumerate(value, 1)] or [
            Received(path.stem, None, "it is an empty list")
        ]


def _received(name: str, value: object) -> Received:
    try:
        return Received(name, LETTERS.validate_python(value))
    except (ValidationError, RecursionError) as error:
        return Received(name, None, complaint(error))


def complaint(error: Exception) -> str:
    """What is wrong with a letter, in one line; values are not repeated."""
    if not isinstance(error, ValidationError):
        return "it is nested too deeply"
    parts = [f"{'.'.join(str(x) for x in e['loc'][1:]) or 'letter'}: {e['msg']}" for e in error.errors()[:3]]
    return "; ".join(parts)


def post(run: Path, letter: Letter) -> str:
    """Puts a letter into a run's mailbox; returns its id. On return it is on disk.

    Raises:
        Refused: there is no mailbox to write to.
    """
    folder = run / "mailbox"
    # Names sort by time, so that letters are read in the order in which they were sent.
    name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
    temporary = folder / f".{name}.tmp"
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(letter.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / f"{name}.json")
        sync_folder(folder)
    except OSError as error:
        raise Refused(f"no letter can be put into {folder}: {error.strerror}. Is {run} a run folder?") from error
    return name
