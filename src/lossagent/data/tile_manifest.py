"""What has been cut: a log that grows line by line, and the manifest that is written at the end."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from lossagent.data.tiles import Box, TileSettings
from lossagent.errors import Damaged, Refused

LOG, MANIFEST = "tiles.jsonl", "manifest.json"
FORMAT = 1

Outcome = Literal["tiles", "small", "corrupt"]


class SourceFile(BaseModel):
    """A file as it was when it was cut.

    Attributes:
        path: where it was.
        bytes, modified, sha256: size, time of modification (nanoseconds) and hash.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    bytes: int
    modified: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> SourceFile:
        """The file as it is now.

        Raises:
            OSError: it cannot be read.
        """
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            facts = os.fstat(stream.fileno())
        return cls(path=str(path.resolve()), bytes=facts.st_size, modified=facts.st_mtime_ns, sha256=digest)

    def unchanged(self, path: Path) -> bool:
        """Whether a file is still the same: by size and time, else by hash."""
        facts = path.stat()
        if facts.st_size != self.bytes:
            return False
        return facts.st_mtime_ns == self.modified or SourceFile.of(path).sha256 == self.sha256


class TileFile(BaseModel):
    """A tile on disk.

    Attributes:
        file: relative to the folder of tiles.
        box: the part of the source, in the source's own pixels.
        bytes, sha256: of the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    box: Box
    bytes: int
    sha256: str


class Cut(BaseModel):
    """One source and what became of it.

    Attributes:
        key: name of the source's folder and of its file: what a later run recognises it by.
        stem: what its tiles are called.
        outcome: ``tiles``, or why there are none.
        source, twin: the clean file, and its low-quality twin.
        tiles, twins: the files that were written.
        detail: why it was left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    stem: str
    outcome: Outcome
    source: SourceFile
    twin: SourceFile | None = None
    tiles: tuple[TileFile, ...] = ()
    twins: tuple[TileFile, ...] = ()
    detail: str = ""

    @property
    def files(self) -> tuple[TileFile, ...]:
        """All files that were written."""
        return self.tiles + self.twins


class TileLog:
    """The growing log in a folder of tiles. One process writes it; every line is flushed.

    Args:
        folder: the folder of tiles; it is made where it is not there.
        settings: what the tiles are cut with.

    Raises:
        Refused: the folder holds tiles of other settings, or files that are no tiles.
        Damaged: a line in the middle cannot be read.
    """

    def __init__(self, folder: Path, settings: TileSettings) -> None:
        self.folder, self.path = folder, folder / LOG
        self.notes: tuple[str, ...] = ()
        folder.mkdir(parents=True, exist_ok=True)
        header = {"format": FORMAT, "settings": settings.record()}
        if self.path.exists() and (lines := self._lines()):
            if lines[0] != header:
                raise Refused(
                    f"{folder} holds tiles cut with {lines[0].get('settings')}; wanted now: {header['settings']}. "
                    "Tiles of different settings are not mixed: give another folder, or remove this one."
                )
            self.done = {cut.key: cut for cut in map(self._cut, lines[1:])}
            return
        if strangers := sorted(p.name for p in folder.iterdir() if not p.name.startswith(".") and p != self.path):
            raise Refused(
                f"{folder} is not empty and holds no log of tiles: {', '.join(strangers[:3])}. Give a new one."
            )
        self.done: dict[str, Cut] = {}
        self._write("w", header)

    def add(self, cut: Cut) -> None:
        """Records a source; a later line on the same source replaces an earlier one."""
        self.done[cut.key] = cut
        self._write("a", cut.model_dump(mode="json"))

    def _write(self, mode: str, record: object) -> None:
        with self.path.open(mode, encoding="utf-8") as stream:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")

    def _lines(self) -> list[dict[str, object]]:
        text = self.path.read_bytes()
        whole, _, torn = text.rpartition(b"\n")
        if torn:
            self.notes = (f"{self.path}: a torn last line was dropped; its image is cut again.",)
            temporary = self.path.with_suffix(".tmp")
            temporary.write_bytes(whole + b"\n" if whole else b"")
            temporary.replace(self.path)
        lines: list[dict[str, object]] = []
        for number, line in enumerate(whole.split(b"\n") if whole else [], 1):
            try:
                lines.append(dict(json.loads(line)))
            except (ValueError, TypeError) as error:
                raise Damaged(
                    f"{self.path}, line {number} cannot be read ({error}). Cut anew into another folder."
                ) from None
        return lines

    def _cut(self, line: dict[str, object]) -> Cut:
        try:
            return Cut.model_validate(line)
        except ValidationError as error:
            raise Damaged(f"{self.path}: a line is no record of a cut image ({error.error_count()} errors).") from None


def write_manifest(folder: Path, settings: TileSettings, cuts: Iterable[Cut]) -> Path:
    """Writes ``manifest.json``, whole or not at all: the settings and every source, in the order of their names."""
    ordered = sorted(cuts, key=lambda cut: cut.stem)
    record = {
        "format": FORMAT,
        "settings": settings.record(),
        "images": sum(cut.outcome == "tiles" for cut in ordered),
        "tiles": sum(len(cut.tiles) for cut in ordered),
        "sources": [cut.model_dump(mode="json") for cut in ordered],
    }
    temporary = folder / f".{MANIFEST}.tmp"
    temporary.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / MANIFEST)
    return folder / MANIFEST


def read_manifest(folder: Path) -> tuple[TileSettings, tuple[Cut, ...]]:
    """What ``manifest.json`` says.

    Raises:
        Refused: there is none: the folder holds no tiles, or cutting did not end.
        Damaged: it cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise Refused(f"{folder}: holds no {MANIFEST}: cut tiles with `lossagent prepare tile`, to the end.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return TileSettings(**record["settings"]), tuple(Cut.model_validate(one) for one in record["sources"])
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{path}: cannot be read ({type(error).__name__}). Run the same `prepare tile` again.") from error
