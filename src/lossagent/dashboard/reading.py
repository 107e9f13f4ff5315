"""Reads files of a run that somebody else is writing: what is new in a log, and small files when they change."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lossagent.events import EVENTS, AnyEvent

SMALL = 64 * 1024 * 1024
"""Bytes of a settings or evaluation file beyond which it is not read."""
SETTLED = 5.0
"""Seconds after which a line without an end is torn rather than being written."""


class Tail:
    """What was appended to a file since the last look; a file that was replaced is read from its beginning.

    Attributes:
        offset: bytes up to the end of the last whole line that was read.
        torn: bytes after it.
        modified: when the file was last written, seconds since the epoch; 0.0 where there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = self.torn = 0
        self.modified = 0.0
        self._seen: tuple[int, int, int] | None = None
        self._node = 0
        self._head = b""

    def read(self) -> tuple[list[bytes], bool]:
        """The whole lines that are new, and whether they replace all that came before.

        A file that cannot be read is an empty one.
        """
        try:
            # Without O_NONBLOCK a pipe in the place of a file would hold everybody up.
            file = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return self._read(file)
            finally:
                os.close(file)
        except OSError:
            replaced, self._seen = self.offset > 0, None
            self.offset = self.torn = 0
            return [], replaced

    @property
    def unfinished(self) -> bool:
        """Whether the file ends in a line that nobody is writing any more."""
        return self.torn > 0 and time.time() - self.modified > SETTLED

    def _read(self, file: int) -> tuple[list[bytes], bool]:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(f"{self.path} is no plain file")
        now = (about.st_ino, about.st_size, about.st_mtime_ns)
        if now == self._seen:
            return [], False
        self.modified = about.st_mtime
        replaced = self.offset > 0 and (
            about.st_size < self.offset
            or about.st_ino != self._node
            or os.pread(file, len(self._head), 0) != self._head
        )
        if replaced:
            self.offset = 0
        chunk = _all_from(file, self.offset)
        end = chunk.rfind(b"\n") + 1
        if self.offset == 0:
            self._head = chunk[: min(end, 4096)]
        self.offset += end
        self.torn = len(chunk) - end
        self._node, self._seen = about.st_ino, now
        return chunk[:end].split(b"\n")[:-1] if end else [], replaced


def _all_from(file: int, offset: int) -> bytes:
    parts: list[bytes] = []
    while part := os.pread(file, 1 << 24, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


@dataclass
class EventLog:
    """The events of a run as far as they were written, in an order that can be folded.

    A line that is no event, or that speaks of a state which the log does not know, is left out and counted.

    Attributes:
        events: what can be used.
        lines: how many lines were read.
        bad: how many were no events.
        lost: how many spoke of unknown states.
    """

    path: Path
    events: list[AnyEvent] = field(default_factory=list[AnyEvent])
    lines: int = 0
    bad: int = 0
    lost: int = 0
    first: bytes = b""

    def __post_init__(self) -> None:
        self.tail = Tail(self.path)
        self._states = 1

    def read(self) -> tuple[list[AnyEvent], bool]:
        """The events that are new, and whether they replace all that came before."""
        lines, replaced = self.tail.read()
        if replaced:
            self.events, self.lines, self.bad, self.lost, self.first, self._states = [], 0, 0, 0, b"", 1
        if lines and not self.first:
            self.first = lines[0]
        new = [event for line in lines if (event := self._event(line)) is not None]
        self.events += new
        self.lines += len(lines)
        return new, replaced

    def _event(self, line: bytes) -> AnyEvent | None:
        if not line.strip():
            return None
        try:
            event = EVENTS.validate_json(line)
        except ValueError:
            self.bad += 1
            return None
        if not self._known(event):
            self.lost += 1
            return None
        return event

    def _known(self, event: AnyEvent) -> bool:
        match event.kind:
            case "decided":
                known = 0 < event.state <= self._states and 0 <= event.decision.restart_from < self._states
                self._states += known and event.state == self._states
                return known
            case "trained" | "scored" | "pruned" | "rewound" | "retold":
                return 0 <= event.state < self._states
            case "finished":
                return 0 <= event.selected < self._states
            case _:
                return True

    @property
    def problems(self) -> list[str]:
        """What could not be read, one sentence each."""
        name, found = self.path.name, list[str]()
        if self.bad:
            found.append(f"{name} holds {self.bad} line(s) that are no events; they are left out.")
        if self.lost:
            found.append(f"{name}: {self.lost} event(s) speak of states that the log does not have; they are left out.")
        if self.tail.unfinished:
            found.append(f"{name} ends in a torn line; it is left out.")
        return found


class Watched:
    """A small file, read again when it changes.

    Attributes:
        value: its mapping; empty where it cannot be read.
        problem: why, in one sentence; "" where it can, or where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.value: Mapping[str, Any] = {}
        self.problem = ""
        self._seen: tuple[int, int, int] | None = None

    def read(self) -> bool:
        """Looks; whether the file has changed."""
        try:
            about = self.path.stat()
            seen = (about.st_ino, about.st_size, about.st_mtime_ns)
        except OSError:
            seen = None
        if seen == self._seen:
            return False
        self._seen, self.value, self.problem = seen, {}, ""
        if seen is None:
            return True
        try:
            if seen[1] > SMALL or not self.path.is_file():
                raise ValueError(f"it is no plain file of at most {SMALL} bytes")
            text = self.path.read_text(encoding="utf-8")
            loaded = yaml.safe_load(text) if self.path.suffix == ".yaml" else json.loads(text)
            if not isinstance(loaded, dict):
                raise ValueError("it holds no mapping")
            self.value = {str(k): v for k, v in loaded.items()}
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            reason = str(error).splitlines()[0] if isinstance(error, ValueError) else type(error).__name__
            self.problem = f"{self.path.name} cannot be read: {reason}."
        return True


def section(mapping: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """A nested mapping; empty where there is none."""
    value: Any = mapping
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else {}
