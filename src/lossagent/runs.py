"""The run folder: plain files are the truth.

One process writes a run and holds its lease; everyone else reads, or writes to ``mailbox/``. An event is on
disk (flushed and synchronised) before anything that depends on it starts. A torn last line is dropped and said.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import yaml
from filelock import FileLock, Timeout

from lossagent.errors import Damaged, Failed, Refused, RunBusy
from lossagent.events import EVENTS, AnyEvent, Warned
from lossagent.records import Exchange, State
from lossagent.trajectory import Trajectory


@runtime_checkable
class Log(Protocol):
    """Where the events and exchanges of a run are kept."""

    @property
    def events(self) -> tuple[AnyEvent, ...]:
        """Every event so far."""
        ...

    def append(self, event: AnyEvent) -> None:
        """Adds an event; on return it is durable."""
        ...

    def exchanges(self, state: int) -> Mapping[str, Exchange]:
        """key -> the recorded exchanges of a state to be decided."""
        ...

    def record(self, state: int, exchange: Exchange) -> None:
        """Adds an exchange; on return it is durable."""
        ...


class MemoryLog:
    """A log that ends with the process."""

    def __init__(self) -> None:
        self._events: list[AnyEvent] = []
        self._exchanges: dict[int, dict[str, Exchange]] = {}

    @property
    def events(self) -> tuple[AnyEvent, ...]:
        """Every event so far."""
        return tuple(self._events)

    def append(self, event: AnyEvent) -> None:
        """Adds an event."""
        self._events.append(event)

    def exchanges(self, state: int) -> Mapping[str, Exchange]:
        """key -> exchange of one state."""
        return self._exchanges.get(state, {})

    def record(self, state: int, exchange: Exchange) -> None:
        """Adds an exchange."""
        self._exchanges.setdefault(state, {})[exchange.key] = exchange


def read_lines(path: Path) -> tuple[list[str], bool]:
    """The whole lines of a JSON-lines file, and whether a torn last line was left out."""
    if not path.exists():
        return [], False
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = text.split("\n")
    torn = lines.pop()
    if not torn and lines:
        try:
            json.loads(lines[-1])
        except ValueError:
            return lines[:-1], True
    return lines, bool(torn)


def append_line(path: Path, line: str) -> None:
    """Appends one line and synchronises it to disk; a line that does not fit leaves nothing behind.

    Raises:
        Failed: the disk is full or not writable.
    """
    new, rest = not path.exists(), (line + "\n").encode()
    try:
        with path.open("ab", buffering=0) as file:
            before = os.fstat(file.fileno()).st_size
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(before)  # the next line would else be glued to half of this one
                raise
    except OSError as error:
        raise Failed(
            f"{path} cannot be written: {error.strerror}. What is in it is whole; make room and go on."
        ) from error
    if new:
        sync_folder(path.parent)


def write_atomically(path: Path, text: str) -> None:
    """Replaces a small text file whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable: a file that was synchronised may else be nameless after a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def canonical(record: State | AnyEvent) -> dict[str, Any]:
    """A record as plain data without its time fields, for comparing two runs."""
    timed = {"time", "seconds", "waited", "score_seconds", "environment", "run"}

    def strip(value: Any) -> Any:  # noqa: ANN401  (plain JSON data)
        if isinstance(value, dict):
            kept = {k: v for k, v in value.items() if k not in timed and not k.startswith("seconds/")}
            return {k: strip(v) for k, v in kept.items()}  # pyright: ignore[reportUnknownVariableType]
        return [strip(v) for v in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]

    return strip(json.loads(record.model_dump_json()))


PARTS = ("exchanges", "images", "checkpoints", "mailbox")
EXPERIMENT = "experiment.yaml"
"""Settings of a run that our trainer trains."""
LOOP = "loop.yaml"
"""Settings of a run whose training is somebody else's, in the place of the experiment."""


def is_run(path: Path) -> bool:
    """Whether a run was begun in a folder."""
    return any((path / name).exists() for name in (EXPERIMENT, LOOP, "events.jsonl"))


def settings_file(path: Path) -> Path:
    """The file with the settings of a run, whoever trains it; it may be missing."""
    return path / LOOP if (path / LOOP).exists() else path / EXPERIMENT


def refuse_existing(path: Path, other: str = "another --out") -> None:
    """Refuses a folder that holds a run, or anything that an unfinished making of one did not leave.

    Args:
        path: the folder.
        other: what to choose instead, in the words of who asks.

    Raises:
        Refused: so it is.
    """
    if is_run(path):
        how = "go on with it in its own loop" if (path / LOOP).exists() else f"go on with it: lossagent resume {path}"
        raise Refused(f"the run folder {path} exists already. Choose {other}, or {how}")
    left = {*PARTS, "lease", "environment.json", "environment.json.tmp", f"{EXPERIMENT}.tmp", f"{LOOP}.tmp"}
    if path.exists() and (not path.is_dir() or any(p.name not in left for p in path.iterdir())):
        raise Refused(f"{path} exists already and is no run folder. Choose {other}.")


class RunFolder:
    """A folder that holds a run.

    Use :meth:`create` for a new one, :meth:`open` to go on with one, and :func:`read_trajectory` to look.
    """

    def __init__(self, path: Path, lease: FileLock) -> None:
        self.path = path
        self._lease = lease
        lines, torn = read_lines(path / "events.jsonl")
        self._events = _parsed(path / "events.jsonl", lines)
        if torn:
            self._cut(lines)
            self.append(Warned(text="events.jsonl ended in a torn line; it was dropped."))

    @classmethod
    def create(
        cls, path: Path, settings: Mapping[str, Any], environment: Mapping[str, Any], name: str = EXPERIMENT
    ) -> RunFolder:
        """Makes the folder and takes its lease.

        Args:
            path: where.
            settings: what the run was asked for.
            environment: what it is made on.
            name: of the file of settings.

        Raises:
            Refused: the folder exists and is not empty.
        """
        other = "another --out" if name == EXPERIMENT else "another folder"
        refuse_existing(path, other)
        try:
            for part in PARTS:
                (path / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(f"the run folder {path} cannot be made: {error.strerror}. Choose {other}.") from error
        lease = cls._acquire(path)
        # The settings come last: a folder without them was never a run, and may be made into one.
        write_atomically(path / "environment.json", json.dumps(environment, indent=2))
        write_atomically(path / name, yaml.safe_dump(dict(settings), sort_keys=False))
        return cls(path, lease)

    @classmethod
    def at(cls, path: Path) -> RunFolder:
        """The run in a folder, made if there is none yet: for loops of your own that are started again.

        Raises:
            Refused: the folder holds something else.
            RunBusy: another process writes it.
        """
        return cls.open(path) if is_run(path) else cls.create(path, {}, {})

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Takes the lease of an existing run.

        Raises:
            Refused: no run is there.
            RunBusy: another process writes it.
        """
        if not is_run(path):
            raise Refused(f"{path} is no run folder: it has no {EXPERIMENT}.")
        return cls(path, cls._acquire(path))

    @staticmethod
    def _acquire(path: Path) -> FileLock:
        # The lock is the operating system's: it ends with the process, also when that is killed.
        # And it is the folder's, not a thread's: a run may go on in another thread than it was opened in.
        lock = FileLock(str(path / "lease"), thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunBusy(f"another process is writing the run {path}; wait for it or stop it first.") from None
        return lock

    def close(self) -> None:
        """Gives the lease back."""
        self._lease.release()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def events(self) -> tuple[AnyEvent, ...]:
        """Every event so far."""
        return tuple(self._events)

    def append(self, event: AnyEvent) -> None:
        """Adds an event; on return it is durable.

        Raises:
            Refused: the folder was let go of.
        """
        if not self._lease.is_locked:
            raise Refused(f"the run folder {self.path} was closed, and somebody else may be writing it; open it again.")
        stamped = event.model_copy(update={"time": time.time()})
        append_line(self.path / "events.jsonl", stamped.model_dump_json())
        self._events.append(stamped)

    def exchanges(self, state: int) -> Mapping[str, Exchange]:
        """key -> exchange of one state, in the order they were made."""
        return {e.key: e for e in read_exchanges(self.path, state)}

    def record(self, state: int, exchange: Exchange) -> None:
        """Adds an exchange; on return it is durable."""
        path = self._exchange_file(state)
        lines, torn = read_lines(path)
        if torn:
            write_atomically(path, "".join(line + "\n" for line in lines))
        append_line(path, exchange.model_dump_json())

    def _exchange_file(self, state: int) -> Path:
        return self.path / "exchanges" / f"state-{state:04d}.jsonl"

    def _cut(self, lines: list[str]) -> None:
        write_atomically(self.path / "events.jsonl", "".join(line + "\n" for line in lines))


def read_exchanges(run: Path, state: int) -> Iterator[Exchange]:
    """The recorded exchanges of a state to be decided."""
    lines, _ = read_lines(run / "exchanges" / f"state-{state:04d}.jsonl")
    for line in lines:
        yield Exchange.model_validate_json(line)


def read_events(run: Path) -> list[AnyEvent]:
    """The events of a run, for readers; needs no lease.

    Raises:
        Refused: no run is there.
        Damaged: a line in the middle cannot be read.
    """
    if not (run / "events.jsonl").exists():
        raise Refused(f"{run} is no run folder: it has no events.jsonl.")
    lines, _ = read_lines(run / "events.jsonl")
    return _parsed(run / "events.jsonl", lines)


def _parsed(path: Path, lines: list[str]) -> list[AnyEvent]:
    try:
        return [EVENTS.validate_json(line) for line in lines]
    except ValueError as error:
        raise Damaged(f"{path} holds a line that is no event: {error}") from error


def read_trajectory(run: Path) -> Trajectory:
    """The trajectory of a run, for readers."""
    return Trajectory.fold(read_events(run))
