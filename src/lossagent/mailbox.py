"""The mailbox of a run: whoever is not the run writes letters there; the run alone reads them.

A letter is a file ``NAME.json`` with one JSON object, or a list of them. It is written under another name and renamed,
so it is whole or not there. What was read goes to ``taken/`` or, with a reason beside it, to ``refused/``.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from lossagent.chat.neutral import quote
from lossagent.errors import Refused
from lossagent.feedback import writable
from lossagent.letters import LETTERS, Letter
from lossagent.runs import sync_folder, write_atomically

LARGEST = 1024 * 1024
"""Bytes of a letter file beyond which it is refused unread."""
LONGEST = 200
"""Bytes of a file name beyond which another is taken for the reason beside it."""
SETTLED = 2.0
"""Seconds for which a file that cannot be parsed is taken for one that is still being written."""


@dataclass(frozen=True)
class Received:
    """One letter, or what could not be read as one.

    Attributes:
        id: ``NAME-HASH``, and ``#2`` after it inside a list. The hash is of the content and the time of its writing: a
            file that is read a second time has the same id, another one of that name has not.
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
                yield path, [Received(_id(path, b"", 0), None, "it is no plain file")]
                continue
            received = self._read(path)
            if received is not None:
                yield path, received

    def put_away(self, path: Path, reasons: list[str]) -> None:
        """Moves a file that was read; with reasons it counts as refused, at least in part.

        One that cannot be moved stays where it is; it is not read twice all the same.
        """
        place = self.folder / ("refused" if reasons else "taken")
        target = place / path.name
        with suppress(OSError):
            place.mkdir(exist_ok=True)
            if target.exists() or target.is_symlink():
                target = place / f"{uuid.uuid4().hex}.json"
            os.replace(path, target)
            if reasons:
                beside = target.with_suffix(".reason.txt")
                if len(os.fsencode(beside.name)) > LONGEST:
                    beside = place / f"{hashlib.sha256(os.fsencode(path.name)).hexdigest()}.reason.txt"
                write_atomically(beside, "".join(f"{reason}\n" for reason in reasons))

    def _read(self, path: Path) -> list[Received] | None:
        """``None`` for a file that may still be being written."""
        name = path.stem
        try:
            facts = path.stat()
            if facts.st_size > LARGEST:
                return [Received(_id(path, b"", facts.st_mtime_ns), None, f"it has more than {LARGEST} bytes")]
            content = path.read_bytes()
            name = _id(path, content, facts.st_mtime_ns)
            value = json.loads(content.decode("utf-8-sig"))
        except FileNotFoundError:
            return None
        except OSError as error:
            return [Received(_id(path, b"", 0), None, f"it cannot be read ({error.strerror})")]
        except (ValueError, RecursionError) as error:
            if time.time() - path.stat().st_mtime < SETTLED:
                return None
            return [Received(name, None, f"it is no JSON ({error})")]
        if not isinstance(value, list):
            return [_received(name, value)]
        return [_received(f"{name}#{n}", one) for n, one in enumerate(value, 1)] or [
            Received(name, None, "it is an empty list")
        ]


def _id(path: Path, content: bytes, written: int) -> str:
    digest = hashlib.sha256(content + str(written).encode() + os.fsencode(path.name)).hexdigest()[:8]
    return f"{quote(writable(path.stem), 80)}-{digest}"


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
    return quote("; ".join(parts), 400)


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
